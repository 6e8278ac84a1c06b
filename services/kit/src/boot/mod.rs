//! From a command line to a service that serves, and from a signal to its end.
//!
//! Decides the flags that all services have, their exit codes (0; 1 with one plain line; 64 for a bad command line),
//! the limits of the port and the order of the drain. Knows nothing of what is served.

mod access;
mod cli;
mod connection;
mod logs;
mod message_size;
mod probe;
mod serve;
mod writer;

use std::{
    error::Error, ffi::OsString, fmt::Write as _, io, net::SocketAddr, path::PathBuf,
    process::ExitCode, time::Duration,
};

use tokio::{net::TcpListener, runtime, signal::unix};

pub use self::{
    cli::{Options, parse},
    serve::{Running, Site, serve},
};
use crate::{Clock, Shutdown, store::StoreError};

/// Enough for a service whose work is in its database.
const WORKERS: usize = 2;
const BLOCKING_THREADS: usize = 16;
/// What still runs after the drain is left behind.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a service says of itself.
#[derive(Debug)]
pub struct About {
    /// The name of its executable, and in its logs.
    pub name: &'static str,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// Where it listens unless told otherwise, for example `127.0.0.1:50051`.
    pub address: &'static str,
    /// Its database unless told otherwise, for example `.shop/user.db`.
    pub database: &'static str,
    /// The gRPC service whose health `--probe` asks for, for example `user.v1.UserService`.
    pub probe: &'static str,
}

/// What a service starts from. `A` are its own arguments, `()` for none.
#[derive(Clone, Debug)]
pub struct Boot<A> {
    /// Its own arguments.
    pub args: A,
    /// The file of its database.
    pub database: PathBuf,
    /// Calendar time.
    pub clock: Clock,
    /// Cancelled when the service is to stop: tasks and streams end then.
    pub shutdown: Shutdown,
}

/// Why a service can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The port is taken, or the address is not this machine's.
    #[error("can't listen on {address} (choose another with --address or ADDRESS)")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else the service needs is missing.
    #[error("{0}")]
    Other(String, #[source] Option<Box<dyn Error + Send + Sync>>),
    /// The server ended by itself.
    #[error("the server failed")]
    Serve(#[from] tonic::transport::Error),
    /// A task ended that the service can't do without.
    #[error("the task {0:?} ended, and the service with it")]
    Task(&'static str),
    /// The system refused what a process needs: threads, signals.
    #[error("the system refused")]
    System(#[source] io::Error),
}

/// The whole life of a service: command line, [`start`](run), serve, stop. Its exit code is the process's.
///
/// The first argument is the program's name, as in `std::env::args_os`.
pub fn main<A: clap::Args>(
    about: &About,
    arguments: impl IntoIterator<Item = OsString>,
    start: impl AsyncFnOnce(Boot<A>) -> Result<Site, BootError>,
) -> ExitCode {
    match parse(about, arguments) {
        Ok(options) => run(about, options, start),
        Err(code) => code,
    }
}

/// Serves, or probes, as the options say. For a service that looks at its own arguments first.
pub fn run<A>(
    about: &About,
    options: Options<A>,
    start: impl AsyncFnOnce(Boot<A>) -> Result<Site, BootError>,
) -> ExitCode {
    if options.probe {
        return conclude(about, block_on(probe::probe(about, options.address)));
    }
    let done = logs::to_stderr().map_err(BootError::System);
    let code = conclude(about, done.and_then(|()| block_on(live(about, options, start))));
    logs::flush();
    code
}

/// Runs a command of a service to its end on a fresh runtime.
pub fn block_on<T>(work: impl Future<Output = Result<T, BootError>>) -> Result<T, BootError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(BootError::System)?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_MOMENT);
    done
}

/// The exit code of a finished command: 0, or 1 after one plain line on standard error.
pub fn conclude<T>(about: &About, done: Result<T, BootError>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let mut line = format!("{}: {error}", about.name);
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(line, ": {cause}");
        source = cause.source();
    }
    logs::last_word(&line.replace('\n', " "));
    ExitCode::FAILURE
}

async fn live<A>(
    about: &About,
    options: Options<A>,
    start: impl AsyncFnOnce(Boot<A>) -> Result<Site, BootError>,
) -> Result<(), BootError> {
    let shutdown = Shutdown::new();
    // The port first: a second start by mistake must not touch the database.
    let listener = TcpListener::bind(options.address)
        .await
        .map_err(|source| BootError::Listen { address: options.address, source })?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt()).map_err(BootError::System)?;
    let mut terminate = unix::signal(unix::SignalKind::terminate()).map_err(BootError::System)?;
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            tracing::info!("stopping");
            shutdown.cancel();
        }
    });
    let boot = Boot {
        args: options.args,
        database: options.database.clone(),
        clock: Clock::system(),
        shutdown: shutdown.clone(),
    };
    let site = start(boot).await?;
    let site = if options.faults { site.faulty() } else { site };
    tracing::info!(
        service = about.name,
        version = about.version,
        address = %options.address,
        database = %options.database.display(),
        "serving"
    );
    serve(listener, site, shutdown).await
}
