//! `demo run`: the whole shop on this machine, until Ctrl-C.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::{PortArgs, fail, say};
use crate::fleet::Fleet;
use crate::role::{Ports, Role};

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
        check_ports(&ports)?;
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
        Ok(Fleet::new(&program, ports, &folder, &self.config))
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
                    let (name, last) = (part.name(), part.log().last_line());
                    return fail(&format!(
                        "{name} ended by itself ({status}); the last line of its log: {last}"
                    ));
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

async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A port that is taken is the commonest reason why nothing works, and a part that fails would say so only in its log.
fn check_ports(ports: &Ports) -> Result<(), String> {
    for (variable, port) in ports.variables() {
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Err(match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!(
                        "port {port} is in use: stop the program that listens there, or choose another port, for example {variable}={}",
                        port.wrapping_add(1)
                    )
                }
                _ => format!("can't listen on port {port}: {error}"),
            });
        }
    }
    Ok(())
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
