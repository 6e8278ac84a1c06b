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
const LINES_SHOWN: usize = 60;

/// Plays the lessons, against the shop that runs or one of their own. What they buy, they put back on the shelf.
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
        let scenes = match chosen(scenes, &self.only) {
            Ok(scenes) => scenes,
            Err(sentence) => return fail(&sentence),
        };
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
        say(&format!(
            "No shop is open at {}; opening one for the tour. The addresses below end with it: open a shop to stay with make run.",
            ports.base()
        ));
        let program =
            std::env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
        let bed = Setup::new(program).limited().start().await;
        Ok((bed.ports().clone(), Some(bed)))
    }
}

/// The lessons that one of the words names; all of them without words. A word that names none is a mistake.
fn chosen(scenes: Vec<Scene>, words: &[String]) -> Result<Vec<Scene>, String> {
    let names = |word: &String, scene: &Scene| scene.name.contains(word.as_str());
    if let Some(word) = words.iter().find(|word| !scenes.iter().any(|scene| names(word, scene))) {
        let there: Vec<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
        return Err(format!("no lesson has {word} in its name; there are {}", there.join(", ")));
    }
    let wanted = |scene: &Scene| words.is_empty() || words.iter().any(|word| names(word, scene));
    Ok(scenes.into_iter().filter(wanted).collect())
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
        say(&format!(
            "\n== {}\n   {}\n   Read on: gateway/docs/{}",
            scene.title,
            scene.lesson.replace('\n', "\n   "),
            scene.chapter.display()
        ));
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
    let played = match scenes.len() {
        1 => "1 lesson".to_owned(),
        count => format!("{count} lessons"),
    };
    say(&format!("\n{played} played, {failed} went wrong."));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The stage for a shop: what the lessons write for the usual ports stands for the actual ones.
pub fn stage(ports: &Ports, program: &Path, folder: PathBuf) -> Stage {
    let mut instead: Vec<(String, String)> = Role::ALL
        .map(|role| (format!("127.0.0.1:{}", role.usual_port()), ports.address(role).to_string()))
        .into();
    instead.push((format!("127.0.0.1:{USUAL_CONSOLE}"), format!("127.0.0.1:{}", ports.console)));
    instead.push((PROGRAM.to_owned(), program.display().to_string()));
    let text = |(name, port): (&'static str, u16)| (name, OsString::from(port.to_string()));
    let environment = ports.variables().into_iter().map(text).collect();
    Stage { instead, environment, folder }
}

fn told(step: &Step, outcome: &Outcome) -> String {
    let mut lines = Vec::new();
    if !step.note.is_empty() {
        lines.push(format!("\n   {}", step.note));
    }
    lines.push(format!("\n   $ {}", outcome.command.replace('\n', "\n     ")));
    lines.extend(outcome.status.map(|status| format!("     HTTP {status}")));
    let printed =
        if outcome.json().is_null() { outcome.printed.clone() } else { indented(&outcome.printed) };
    lines.extend(printed.lines().take(LINES_SHOWN).map(|line| format!("     {line}")));
    if printed.lines().count() > LINES_SHOWN {
        lines.push("     ...".to_owned());
    }
    let mark = if outcome.wrong.is_empty() { "✓" } else { "✗" };
    lines.push(format!("   {mark} {} ms", outcome.took.as_millis()));
    lines.extend(outcome.wrong.iter().map(|wrong| format!("     ✗ {wrong}")));
    lines.join("\n")
}

/// Spreads JSON over lines without changing anything in it: no parser, so that what is shown is what was sent.
fn indented(json: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let line = |depth: usize| format!("\n{:indent$}", "", indent = depth * 2);
    for letter in json.trim().chars() {
        match letter {
            _ if quoted => {
                text.push(letter);
                quoted = escaped || letter != '"';
                escaped = !escaped && letter == '\\';
            }
            '{' | '[' => {
                depth += 1;
                text.push(letter);
                text.push_str(&line(depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text.push_str(&line(depth));
                text.push(letter);
            }
            ',' => {
                text.push(letter);
                text.push_str(&line(depth));
            }
            ':' => text.push_str(": "),
            letter if letter.is_whitespace() => {}
            letter => {
                quoted = letter == '"';
                text.push(letter);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_lessons_by_a_part_of_their_names_and_tells_the_names_there_are() {
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let scenes = chosen(read_all(Path::new(SCENES)).unwrap(), &words)?;
            Ok::<_, String>(scenes.into_iter().map(|scene| scene.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["twice", "03"]).unwrap(), ["03-login", "06-twice"]);
        assert!(names(&[]).unwrap().len() > 2);
        let refusal = names(&["03", "logout"]).unwrap_err();
        assert!(refusal.contains("logout") && refusal.contains("03-login, 04-"), "{refusal}");
    }

    #[test]
    fn spreads_json_and_leaves_texts_alone() {
        let json = r#"{"z":"a, {b}: \\\"c\\","a":[1,{"b":null}]}"#;
        let spread = indented(json);
        assert_eq!(spread.lines().count(), 9, "{spread}");
        assert!(spread.starts_with("{\n  \"z\": \"a, {b}: \\\\\\\"c\\\\\",\n"), "{spread}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&spread), read(json));
    }
}
