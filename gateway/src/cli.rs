//! The program: reads its arguments, loads and compiles the configuration, opens the door, drains.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::compile::{Compiled, Exposed, Memory, compile};
use crate::config::Config;
use crate::monitoring::Monitor;
use crate::server::Door;
use crate::setting::Problem;
use crate::{admin, server};

/// A command line that can't be understood (sysexits.h, `EX_USAGE`).
const USAGE: u8 = 64;

/// A configuration that can't be run (sysexits.h, `EX_CONFIG`).
const BAD_CONFIG: u8 = 78;

/// How long requests are still taken once `/readyz` says that none should come. A balancer or an orchestrator needs about
/// a second to spread the word; one that asks more rarely has to be told by its operator before the signal is sent.
const GRACE: Duration = Duration::from_secs(1);

/// How long the end waits for threads that do not know of it.
const CUT: Duration = Duration::from_millis(500);

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
    /// Ask the gateway of this configuration whether it is ready: exits with 0, with 1 when it is not, with 78 on a bad file.
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
    let ran = runtime.block_on(async {
        if arguments.probe && config.mistakes.is_empty() {
            return Err(probe(&config).await);
        }
        let mut memory = Memory::default();
        let compiled = match compile(&config, &mut memory) {
            Ok(compiled) => compiled,
            Err(problems) => return Err(refuse(&arguments.config, &problems)),
        };
        if arguments.check {
            return Err(show(&compiled));
        }
        run(arguments.config, config, compiled, memory).await.map_err(|sentence| fail(&sentence))
    });
    // Ends what was cut off, so that it has its line in the log.
    runtime.shutdown_timeout(CUT);
    match ran {
        Ok(monitor) => {
            monitor.close();
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// Runs until it is told to stop, and returns the monitor, which has to be closed when nothing else runs any more.
async fn run(
    file: PathBuf,
    config: Config,
    compiled: Compiled,
    memory: Memory,
) -> Result<Arc<Monitor>, String> {
    let monitor = Monitor::new(config.monitoring.log)
        .map_err(|error| format!("the log can't be started: {error}"))?;
    let monitor = Arc::new(monitor);
    let (listener, address) = bind("listener.address", &config.listener.address.value).await?;
    let (admin_listener, admin_address) =
        bind("admin.address", &config.admin.address.value).await?;
    // Before anybody can know that the gateway is there: an early SIGHUP would end it.
    let deaf = |error| format!("signals can't be received: {error}");
    let mut stop = Stop::listen().map_err(deaf)?;
    let hang_up = signal(SignalKind::hangup()).map_err(deaf)?;
    let door = Arc::new(Door::open(compiled, memory, Arc::clone(&monitor)));
    tracing::info!(listener = %address, admin = %admin_address, "the gateway is open");

    let operators_stop = CancellationToken::new();
    let operators =
        tokio::spawn(admin::serve(admin_listener, Arc::clone(&door), operators_stop.clone()));
    let clients_stop = CancellationToken::new();
    let clients = tokio::spawn(server::serve(listener, Arc::clone(&door), clients_stop.clone()));

    tokio::select! {
        () = stop.told() => {}
        () = reload_whenever_told(hang_up, Arc::new((file, config)), &door) => {}
    }
    tracing::info!("draining");
    door.drain();
    let end = async {
        time::sleep(GRACE).await;
        clients_stop.cancel();
        let _panicked = clients.await;
        operators_stop.cancel();
        let _panicked = operators.await;
    };
    tokio::select! {
        () = end => {}
        () = stop.told() => tracing::warn!("told to stop again: requests under way are cut off"),
    }
    Ok(monitor)
}

/// SIGHUP makes the gateway read its configuration again.
///
/// That takes its time and is done beside: a file system that does not answer must not keep the gateway from ending.
async fn reload_whenever_told(
    mut hang_up: Signal,
    opened: Arc<(PathBuf, Config)>,
    door: &Arc<Door>,
) {
    while hang_up.recv().await.is_some() {
        let (opened, door) = (Arc::clone(&opened), Arc::clone(door));
        let _panicked = task::spawn_blocking(move || reload(&opened.0, &opened.1, &door)).await;
    }
}

/// SIGTERM and SIGINT stop the gateway.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A configuration that can't be run changes nothing; `opened` is the one that the gateway was started with.
fn reload(file: &Path, opened: &Config, door: &Door) {
    let reloaded = Config::load(file).and_then(|config| door.reload(&config).map(|()| config));
    match reloaded {
        Ok(config) => {
            for setting in fixed(opened, &config) {
                tracing::warn!("{setting} has changed, which takes effect at the next start only");
            }
            tracing::info!("the configuration was read again");
        }
        Err(problems) => {
            for problem in problems {
                let problem = format!("{}:{problem}", file.display());
                tracing::error!(%problem, "the configuration was not taken over");
            }
        }
    }
}

/// The settings that differ, of those that a running gateway can't change.
fn fixed(opened: &Config, config: &Config) -> impl Iterator<Item = &'static str> {
    let changed = [
        ("listener.address", opened.listener.address.value != config.listener.address.value),
        ("admin.address", opened.admin.address.value != config.admin.address.value),
        ("monitoring.log", opened.monitoring.log != config.monitoring.log),
    ];
    changed.into_iter().filter_map(|(setting, changed)| changed.then_some(setting))
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
    let address = reachable(&config.admin.address.value);
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

/// Where to ask: who listens on every address listens on that of this machine.
fn reachable(address: &str) -> String {
    let Ok(mut address) = address.parse::<SocketAddr>() else { return address.to_owned() };
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address.to_string()
}

fn show(compiled: &Compiled) -> ExitCode {
    let mut out = io::stdout().lock();
    match Exposed::table(&compiled.exposed).try_for_each(|line| writeln!(out, "{line}")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_asks_this_machine_where_the_gateway_listens_everywhere() {
        for (address, expected) in [
            ("0.0.0.0:9900", "127.0.0.1:9900"),
            ("[::]:9900", "[::1]:9900"),
            ("10.0.0.0:9900", "10.0.0.0:9900"),
            ("[fd00::]:9900", "[fd00::]:9900"),
            ("admin.example:9900", "admin.example:9900"),
        ] {
            assert_eq!(reachable(address), expected);
        }
    }
}
