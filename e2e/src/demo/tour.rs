//! `demo tour`: plays the lessons, one after the other, and says of each whether it still holds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{PortArgs, fail, say};
use crate::bed::{Bed, Setup};
use crate::ready::is_ready;
use crate::role::{Ports, Role, USUAL_CONSOLE};
use crate::scene::{Outcome, Scene, Stage, Step, play, read_all};

/// Where the lessons are.
pub const SCENES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenes");

/// What stands for this program in the lessons.
const PROGRAM: &str = "target/debug/demo";

/// How much of an answer is shown.
const LINES_SHOWN: usize = 40;

/// Plays the lessons.
#[derive(Debug, Args)]
pub(super) struct Tour {
    /// Only the lessons whose names contain one of these words: 03, login.
    #[arg(value_name = "WORD")]
    only: Vec<String>,
    #[command(flatten)]
    ports: PortArgs,
}

impl Tour {
    pub(super) async fn main(self) -> ExitCode {
        let scenes = match read_all(Path::new(SCENES)) {
            Ok(scenes) => scenes,
            Err(error) => return fail(&error.to_string()),
        };
        let wanted = |scene: &Scene| self.only.is_empty() || self.only.iter().any(|word| scene.name.contains(word));
        let scenes: Vec<Scene> = scenes.into_iter().filter(wanted).collect();
        if scenes.is_empty() {
            return fail("no lesson has such a name");
        }
        let (ports, own) = match self.shop().await {
            Ok(shop) => shop,
            Err(sentence) => return fail(&sentence),
        };
        let code = play_all(&scenes, &ports).await;
        drop(own);
        code
    }

    /// The shop that runs, or one of our own.
    async fn shop(&self) -> Result<(Ports, Option<Bed>), String> {
        let ports = self.ports.ports();
        if is_ready(Role::Gateway, &ports).await {
            say(&format!("Playing against the shop at {}.", ports.base()));
            return Ok((ports, None));
        }
        say(&format!("No shop is open at {}; opening one for the tour.", ports.base()));
        let program = std::env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
        let bed = Setup::new(program).start().await;
        Ok((bed.ports().clone(), Some(bed)))
    }
}

async fn play_all(scenes: &[Scene], ports: &Ports) -> ExitCode {
    let folder = std::env::temp_dir().join(format!("tour-{}", uuid::Uuid::new_v4().simple()));
    if let Err(error) = std::fs::create_dir(&folder) {
        return fail(&format!("can't make {}: {error}", folder.display()));
    }
    let Ok(program) = std::env::current_exe() else { return fail("can't find myself") };
    let stage = stage(ports, &program, folder.clone());
    let mut failed = 0;
    for scene in scenes {
        say(&format!("\n== {}\n   {}\n   Read on: gateway/docs/{}", scene.title, scene.lesson, scene.chapter.display()));
        match play(scene, &stage, |step, outcome| say(&told(step, outcome))).await {
            Ok(true) => {}
            Ok(false) => failed += 1,
            Err(error) => {
                say(&format!("   ✗ the command could not be run: {error}"));
                failed += 1;
            }
        }
    }
    let _ = std::fs::remove_dir_all(folder);
    say(&format!("\n{} lessons played, {failed} went wrong.", scenes.len()));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The stage for a shop: what the lessons write for the usual ports stands for the actual ones.
pub fn stage(ports: &Ports, program: &Path, folder: PathBuf) -> Stage {
    let mut instead: Vec<(String, String)> = Role::ALL
        .map(|role| (format!("127.0.0.1:{}", role.usual_port()), ports.address(role).to_string()))
        .into();
    instead.push((format!("127.0.0.1:{USUAL_CONSOLE}"), format!("127.0.0.1:{}", ports.console)));
    instead.push((PROGRAM.to_owned(), program.display().to_string()));
    let variable = |name: &'static str, port: u16| (name, OsString::from(port.to_string()));
    let environment = vec![
        variable("GATEWAY_PORT", ports.port(Role::Gateway)),
        variable("CONSOLE_PORT", ports.console),
        variable("USER_PORT", ports.port(Role::User)),
        variable("PRODUCT_PORT", ports.port(Role::Product)),
        variable("PRODUCT_2_PORT", ports.port(Role::Product2)),
        variable("ORDER_PORT", ports.port(Role::Order)),
        variable("PAYMENT_PORT", ports.port(Role::Payment)),
    ];
    Stage { instead, environment, folder }
}

fn told(step: &Step, outcome: &Outcome) -> String {
    let mut text = String::new();
    if !step.note.is_empty() {
        text.push_str(&format!("\n   {}", step.note));
    }
    text.push_str(&format!("\n   $ {}\n", outcome.command.replace('\n', "\n     ")));
    if let Some(status) = outcome.status {
        text.push_str(&format!("     HTTP {status}\n"));
    }
    let json = outcome.json();
    let printed = if json.is_null() { outcome.printed.clone() } else { format!("{json:#}") };
    for line in printed.lines().take(LINES_SHOWN) {
        text.push_str(&format!("     {line}\n"));
    }
    if printed.lines().count() > LINES_SHOWN {
        text.push_str("     ...\n");
    }
    let mark = if outcome.wrong.is_empty() { "✓" } else { "✗" };
    text.push_str(&format!("   {mark} {} ms", outcome.took.as_millis()));
    for wrong in &outcome.wrong {
        text.push_str(&format!("\n     ✗ {wrong}"));
    }
    text
}
