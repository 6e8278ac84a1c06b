//! The program: reads its arguments, loads and compiles the configuration, opens the door, drains.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::compile::{Compiled, Memory, compile};
use crate::config::Config;
use crate::monitoring::{self, Monitor};
use crate::server::Door;
use crate::setting::Problem;
use crate::{admin, server};

/// A command line that can't be understood (sysexits.h, `EX_USAGE`).
const USAGE: u8 = 64;

/// A configuration that can't be run (sysexits.h, `EX_CONFIG`).
const BAD_CONFIG: u8 = 78;

/// One door for gRPC services: an API gateway.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, about)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "gateway.yaml")]
    config: PathBuf,
    /// Check the configuration, print what it exposes, and stop.
    #[arg(long, conflicts_with = "probe")]
    check: bool,
    /// Ask the gateway of this configuration whether it is ready; exits with 0 or 1.
    #[arg(long)]
    probe: bool,
}

/// Runs the gateway as a program; the first argument is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _closed = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => return refuse(&arguments.config, &problems),
    };
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime can't be started: {error}")),
    };
    runtime.block_on(async {
        if arguments.probe && config.mistakes.is_empty() {
            return probe(&config).await;
        }
        let mut memory = Memory::default();
        let compiled = match compile(&config, &mut memory) {
            Ok(compiled) => compiled,
            Err(problems) => return refuse(&arguments.config, &problems),
        };
        if arguments.check {
            return show(&compiled);
        }
        match run(&arguments.config, &config, compiled, memory).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(sentence) => fail(&sentence),
        }
    })
}

async fn run(
    file: &Path,
    config: &Config,
    compiled: Compiled,
    memory: Memory,
) -> Result<(), String> {
    monitoring::log_to_stderr(config.monitoring.log);
    let (listener, address) = bind("listener.address", &config.listener.address.value).await?;
    let (admin_listener, admin_address) =
        bind("admin.address", &config.admin.address.value).await?;
    let monitor = Monitor::new(config.monitoring.log)
        .map_err(|error| format!("the log can't be started: {error}"))?;
    let monitor = Arc::new(monitor);
    // Before anybody can know that the gateway is there: an early SIGHUP would end it.
    let signals =
        Signals::listen().map_err(|error| format!("signals can't be received: {error}"))?;
    let door = Arc::new(Door::open(compiled, memory, Arc::clone(&monitor)));
    tracing::info!(listener = %address, admin = %admin_address, "the gateway is open");

    let stop = CancellationToken::new();
    let operators =
        tokio::spawn(admin::serve(admin_listener, Arc::clone(&door), stop.child_token()));
    let clients_stop = CancellationToken::new();
    let clients = tokio::spawn(server::serve(listener, Arc::clone(&door), clients_stop.clone()));

    until_told_to_stop(signals, file, &door).await;
    tracing::info!("draining");
    door.drain();
    clients_stop.cancel();
    let _panicked = clients.await;
    stop.cancel();
    let _panicked = operators.await;
    drop(door);
    if let Some(monitor) = Arc::into_inner(monitor) {
        monitor.close();
    }
    Ok(())
}

/// SIGTERM and SIGINT stop the gateway, SIGHUP makes it read its configuration again.
async fn until_told_to_stop(mut signals: Signals, file: &Path, door: &Door) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
            _ = signals.hang_up.recv() => reload(file, door),
        }
    }
}

/// What the gateway is told by its operator.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

fn reload(file: &Path, door: &Door) {
    match Config::load(file).and_then(|config| door.reload(&config)) {
        Ok(()) => tracing::info!("the configuration was read again"),
        Err(problems) => {
            for problem in problems {
                tracing::error!(%problem, "the configuration was not taken over");
            }
        }
    }
}

/// Listens, and says where: the system chooses the port when the configuration names port 0.
async fn bind(setting: &str, address: &str) -> Result<(TcpListener, SocketAddr), String> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{setting}: {address} is in use by another process: stop it, or choose another port"
            )
        }
        _ => format!("{setting}: {address} can't be listened on: {error}"),
    })
}

async fn probe(config: &Config) -> ExitCode {
    let address =
        config.admin.address.value.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .tls_certs_only([])
        .build();
    let Ok(client) = client else { return ExitCode::FAILURE };
    match client.get(format!("http://{address}/readyz")).send().await {
        Ok(answer) if answer.status().is_success() => ExitCode::SUCCESS,
        Ok(answer) => fail(&format!("{address} is not ready ({})", answer.status())),
        Err(_) => fail(&format!("{address} does not answer")),
    }
}

fn show(compiled: &Compiled) -> ExitCode {
    let mut out = io::stdout().lock();
    let mut lines: Vec<String> = compiled.exposed.iter().map(ToString::to_string).collect();
    lines.insert(0, format!("{:<48} {:<44} {}", "ROUTE", "RPC", "ACCESS"));
    match lines.iter().try_for_each(|line| writeln!(out, "{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(file: &Path, problems: &[Problem]) -> ExitCode {
    for problem in problems {
        let _closed = writeln!(io::stderr(), "{}:{problem}", file.display());
    }
    ExitCode::from(BAD_CONFIG)
}

fn fail(sentence: &str) -> ExitCode {
    let _closed = writeln!(io::stderr(), "gateway: {sentence}");
    ExitCode::FAILURE
}
