//! The doors that are not ours: nginx and Envoy, started with configurations of their own for the same service.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::AnyError;
use crate::log::Log;
use crate::wait::until;

/// How long a proxy may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take to end before it is killed.
const DRAIN: Duration = Duration::from_secs(5);

/// Where `make bench` finds Envoy: the pinned release, from the top of the repository.
const TOOL: &str = ".ci/tool";

/// Where a proxy stands.
pub(super) struct Site<'a> {
    /// Where it is to listen.
    pub(super) address: SocketAddr,
    /// Where the product service is.
    pub(super) product: SocketAddr,
    /// Where the order service is.
    pub(super) order: SocketAddr,
    /// The encoded descriptor set.
    pub(super) schema: &'a Path,
    /// Where its files go; its logs into `log`.
    pub(super) folder: &'a Path,
}

/// A proxy that runs until it is dropped.
pub(super) struct Proxy {
    child: Child,
    version: String,
}

/// nginx: a master and a worker for each processor.
pub(super) async fn nginx(site: &Site<'_>) -> Result<Proxy, AnyError> {
    let config = site.write("nginx.conf", include_str!("nginx.conf"))?;
    let version = version(Command::new("nginx").arg("-v"))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(site.folder).arg("-e").arg("log/nginx-error.log").arg("-c").arg(config);
    site.start("nginx", &mut command, version).await
}

/// Envoy: one process, a thread for each processor.
pub(super) async fn envoy(site: &Site<'_>) -> Result<Proxy, AnyError> {
    let config = site.write("envoy.yaml", include_str!("envoy.yaml"))?;
    let version = version(Command::new(TOOL).args(["envoy", "--version"]))?;
    let mut command = Command::new(TOOL);
    command.args(["envoy", "--disable-hot-restart", "--log-level", "warn", "-c"]).arg(config);
    site.start("envoy", &mut command, version).await
}

impl Site<'_> {
    fn write(&self, name: &str, template: &str) -> Result<std::path::PathBuf, AnyError> {
        let path = self.folder.join(name);
        let text = template
            .replace("${ADDRESS}", &self.address.to_string())
            .replace("${PORT}", &self.address.port().to_string())
            .replace("${PRODUCT}", &self.product.to_string())
            .replace("${PRODUCT_PORT}", &self.product.port().to_string())
            .replace("${ORDER}", &self.order.to_string())
            .replace("${ORDER_PORT}", &self.order.port().to_string())
            .replace("${SCHEMA}", &self.schema.display().to_string())
            .replace("${LOG}", &self.folder.join("log").display().to_string());
        std::fs::write(&path, text)?;
        Ok(path)
    }

    async fn start(
        &self,
        name: &'static str,
        command: &mut Command,
        version: String,
    ) -> Result<Proxy, AnyError> {
        let path = self.folder.join("log").join(format!("{name}-said.log"));
        let said = std::fs::File::create(&path)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .map_err(|error| format!("can't start {name}: {error}"))?;
        let mut proxy = Proxy { child, version };
        let listens = async || match proxy.child.try_wait() {
            Ok(None) => TcpStream::connect(self.address).is_ok().then_some(Ok(())),
            ended => Some(Err(format!("{name} ended at once ({ended:?})"))),
        };
        let outcome = until(PATIENCE, listens).await;
        match outcome.unwrap_or_else(|| Err(format!("{name} does not listen on {}", self.address)))
        {
            Ok(()) => Ok(proxy),
            Err(what) => Err(format!("{what}; it said: {}", Log::new(path).end(10)).into()),
        }
    }
}

impl Proxy {
    /// Its process, or that of its master.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it calls itself.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

impl Drop for Proxy {
    /// SIGTERM first: a master that is killed leaves its workers behind.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + DRAIN;
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line in which a program says which version it is.
fn version(command: &mut Command) -> Result<String, AnyError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| {
        format!(
            "can't run {program}: {error} (start with `make bench`, which installs what is missing)"
        )
    })?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| line.contains("version"));
    let line = line.ok_or_else(|| format!("{program} does not say its version: {said}"))?;
    // `…/envoy  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`, `nginx version: nginx/1.22.1`
    let words = line.rsplit_once("version: ").map_or(line, |(_, words)| words);
    Ok(match words.split('/').nth(1) {
        Some(number) if words.contains("RELEASE") => format!("Envoy {number}"),
        Some(number) => format!("nginx {number}"),
        None => words.to_owned(),
    })
}
