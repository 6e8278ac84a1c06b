//! `demo run`: the whole shop on this machine, until Ctrl-C.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use super::{PortArgs, fail, ports, say};
use crate::fleet::Fleet;
use crate::role::{Ports, Role};
use crate::wait::asked_to_stop;

/// How soon a part that died is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the shop.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Forget every user, product and order of the runs before.
    #[arg(long)]
    fresh: bool,
    /// The folder for databases and logs.
    #[arg(long, value_name = "FOLDER", default_value = ".shop")]
    folder: PathBuf,
    /// What the gateway is to do.
    #[arg(long, value_name = "FILE", default_value = "gateway/gateway.yaml")]
    config: PathBuf,
    #[command(flatten)]
    ports: PortArgs,
}

impl Run {
    pub(super) async fn main(self) -> ExitCode {
        match self.prepare() {
            Ok(fleet) => {
                let code = self.attend(&fleet).await;
                say("Closing: the gateway first, then the services.");
                fleet.stop().await;
                say("Closed.");
                code
            }
            Err(sentence) => fail(&sentence),
        }
    }

    /// Everything that can be said to be wrong before a process is started.
    fn prepare(&self) -> Result<Fleet, String> {
        let ports = self.ports.ports();
        ports::check(&ports)?;
        if !self.config.exists() {
            let file = self.config.display();
            return Err(format!(
                "there is no {file}: start at the top of the repository, or name it with --config"
            ));
        }
        let folder = make_folder(&self.folder, self.fresh)
            .map_err(|error| format!("can't use the folder {}: {error}", self.folder.display()))?;
        let program =
            std::env::current_exe().map_err(|error| format!("can't find myself: {error}"))?;
        let mut fleet = Fleet::new(&program, ports, &folder, &self.config);
        fleet.let_many_sign_in();
        Ok(fleet)
    }

    /// Opens the shop and stays until somebody closes it (success) or a part dies (failure).
    async fn attend(&self, fleet: &Fleet) -> ExitCode {
        let work = async {
            say("Opening the shop: user, product (twice), payment, order, gateway ...");
            let start = async {
                fleet.start(&Role::SERVICES).await?;
                fleet.start(&[Role::Gateway]).await
            };
            if let Err(error) = start.await {
                return fail(&error.to_string());
            }
            say(&welcome(fleet.ports(), &self.folder));
            loop {
                if let Some((part, status)) = fleet.ended() {
                    return fail(&ended(part.name(), status, part.log().path()));
                }
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            code = work => code,
            () = asked_to_stop() => ExitCode::SUCCESS,
        }
    }
}

/// What is said of a part that died. What it said itself is in its log, usually about something else.
fn ended(name: &str, status: ExitStatus, log: &Path) -> String {
    format!("{name} ended by itself ({}); its log is {}", manner(status), log.display())
}

/// How a process ended: `SIGKILL`, or `exit status: 1`.
fn manner(status: ExitStatus) -> String {
    let text = status.to_string();
    // `signal: 9 (SIGKILL)`
    match text.split_once("(SIG") {
        Some((_, signal)) => format!("SIG{}", signal.split(')').next().unwrap_or_default()),
        None => text,
    }
}

/// Makes the folder, forgets what is to be forgotten, writes the schema. Answers the whole path of the folder.
fn make_folder(folder: &Path, fresh: bool) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder.join("log"))?;
    let folder = folder.canonicalize()?;
    for place in [folder.clone(), folder.join("log")] {
        for entry in std::fs::read_dir(place)? {
            let path = entry?.path();
            // SQLite keeps `user.db-wal` and `user.db-shm` beside `user.db`.
            let has_ending =
                |ending: &str| path.extension().is_some_and(|extension| extension == ending);
            let database = ["db", "db-wal", "db-shm"].into_iter().any(has_ending);
            if has_ending("log") || (fresh && database) {
                std::fs::remove_file(path)?;
            }
        }
    }
    std::fs::write(folder.join("shop.binpb"), proto::DESCRIPTORS)?;
    Ok(folder)
}

/// What a person needs to know once everything runs: where, who, and lines to paste.
fn welcome(ports: &Ports, folder: &Path) -> String {
    WELCOME
        .replace(".shop", &folder.display().to_string())
        .replace("http://127.0.0.1:8080", &ports.base())
        .replace("http://127.0.0.1:9900", &ports.console_base())
}

const WELCOME: &str = include_str!("welcome.txt");

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn says_of_a_part_that_died_how_and_where_its_log_is() {
        let log = Path::new(".shop/log/product.log");
        let cases = [
            (9, "product ended by itself (SIGKILL); its log is .shop/log/product.log"),
            (0x100, "product ended by itself (exit status: 1); its log is .shop/log/product.log"),
            (0x8b, "product ended by itself (SIGSEGV); its log is .shop/log/product.log"),
        ];
        for (raw, sentence) in cases {
            assert_eq!(ended("product", ExitStatus::from_raw(raw), log), sentence);
        }
    }
}
