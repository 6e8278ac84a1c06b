//! The gateway as a program of its own.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::answer::Latch;
use super::config::Config;
use super::output::Output;
use super::reply::Reply;
use super::upstream::Upstream;
use super::{soon, until};

/// A gateway that runs until it is dropped.
pub(crate) struct Gate {
    /// Where clients come in.
    pub(crate) address: SocketAddr,
    /// Where operators come in.
    pub(crate) admin: SocketAddr,
    /// What it says about itself.
    pub(crate) errors: Output,
    pub(super) client: reqwest::Client,
    config: Config,
    folder: TempDir,
    child: Child,
    lines: Output,
}

impl Gate {
    /// Starts a gateway and waits until its door is open.
    pub(crate) async fn start(change: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        let read = Latch::default();
        read.open();
        Self::start_unread(change, &read).await
    }

    /// Starts a gateway whose access log nobody reads before the latch is open.
    pub(crate) async fn start_unread(
        change: impl FnOnce(&mut Config) -> &mut Config,
        read: &Latch,
    ) -> Self {
        let at_once = Latch::default();
        at_once.open();
        let mut gate = Self::spawn(change, read, &at_once);
        let open = gate
            .errors
            .lines_that("the door", 1, |line| line.contains("the gateway is open"))
            .await;
        (gate.address, gate.admin) = (said(&open[0], "listener"), said(&open[0], "admin"));
        gate
    }

    /// Starts a gateway that says all it can, and nobody ever reads a word of it.
    pub(crate) async fn start_unheard(change: impl FnOnce(&mut Config) -> &mut Config) -> Self {
        let [address, admin] = [free_address().await, free_address().await];
        let never = Latch::default();
        let mut gate = Self::spawn(
            |config| {
                change(config)
                    .environment("RUST_LOG", "trace")
                    .section("listener", &format!("{{ address: \"{address}\" }}"))
                    .section("admin", &format!("{{ address: \"{admin}\" }}"))
            },
            &never,
            &never,
        );
        (gate.address, gate.admin) = (address, admin);
        until("the door", async || TcpStream::connect(address).await.is_ok()).await;
        gate
    }

    fn spawn(
        change: impl FnOnce(&mut Config) -> &mut Config,
        read: &Latch,
        read_errors: &Latch,
    ) -> Self {
        let mut config = Config::new();
        change(&mut config);
        let folder = TempDir::new().unwrap();
        write(folder.path(), &config);
        let mut child =
            command(folder.path(), &config, ["--config", "gateway.yaml"]).spawn().unwrap();
        let lines = Output::of(child.stdout.take().unwrap(), read);
        let errors = Output::of(child.stderr.take().unwrap(), read_errors);
        let client = reqwest::Client::builder()
            .no_proxy()
            // The gateway closes idle connections after ten seconds, maybe while the next request is on its way.
            .pool_idle_timeout(std::time::Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .build()
            .unwrap();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { address: unknown, admin: unknown, errors, client, config, folder, child, lines }
    }

    /// A gateway before a kitchen, with everything else as it is by default.
    pub(crate) async fn before(kitchen: &Upstream) -> Self {
        Self::start(|config| config.kitchen(kitchen)).await
    }

    /// The same gateway for a client that speaks HTTP/2 from the first byte.
    pub(crate) fn speaking_http2(mut self) -> Self {
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        self.client = builder.http2_prior_knowledge().build().unwrap();
        self
    }

    /// The memory that the program takes at the moment, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let id = self.child.id().unwrap();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// The access-log line of an exchange.
    pub(crate) async fn line(&self, reply: &Reply) -> Value {
        self.line_with_id(reply.request_id()).await
    }

    /// The access-log line with this request id.
    pub(crate) async fn line_with_id(&self, id: &str) -> Value {
        let id = format!("\"request_id\":\"{id}\"");
        let lines = self.lines.lines_that("a line of the access log", 1, |line| line.contains(&id));
        let lines = lines.await;
        assert_eq!(lines.len(), 1, "{lines:#?}");
        serde_json::from_str(&lines[0]).unwrap()
    }

    /// Waits for access-log lines that fit.
    pub(crate) async fn lines_that(
        &self,
        count: usize,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        self.lines.lines_that("lines of the access log", count, fits).await
    }

    /// Every line of the access log so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lines()
    }

    /// Changes the configuration on disk. It is read again only on [`Self::hang_up`].
    pub(crate) fn rewrite(&mut self, change: impl FnOnce(&mut Config) -> &mut Config) {
        change(&mut self.config);
        write(self.folder.path(), &self.config);
    }

    /// Puts a pipe without another end where one of its files is.
    pub(crate) fn make_pipe(&self, name: &str) {
        let path = self.folder.path().join(name);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success(), "{made}");
    }

    /// Tells it to read its configuration again, and waits until it has said what came of it.
    pub(crate) async fn hang_up(&self) -> String {
        let spoke = |line: &str| line.contains("the configuration was");
        let before = self.errors.lines().iter().filter(|line| spoke(line)).count();
        self.signal(Signal::HUP);
        self.errors.lines_that("a word about the reload", before + 1, spoke).await.split_off(before)
            [0]
        .clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended by itself, and returns its last access-log lines with how it ended.
    pub(crate) async fn ended(&mut self) -> (ExitStatus, Vec<String>) {
        let status = soon("the end of the gateway", self.child.wait()).await.unwrap();
        (status, self.lines.all().await)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // The child is killed with its handle.
        let panicked = self.errors.lines().into_iter().find(|line| line.contains("panicked"));
        if let (Some(line), false) = (panicked, std::thread::panicking()) {
            panic!("the gateway: {line}");
        }
    }
}

/// How a program ended that was run to its end.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// Runs the gateway in a folder and waits for its end.
pub(crate) async fn run<S: AsRef<OsStr>>(
    folder: &Path,
    environment: &[(String, String)],
    arguments: impl IntoIterator<Item = S>,
) -> Exit {
    let mut config = Config::new();
    config.environment = environment.to_vec();
    let output = soon("the end of the program", command(folder, &config, arguments).output());
    let output = output.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Exit { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
}

fn command<S: AsRef<OsStr>>(
    folder: &Path,
    config: &Config,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .envs(config.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(super) fn write(folder: &Path, config: &Config) {
    fs::write(folder.join("schema.binpb"), &config.schema).unwrap();
    fs::write(folder.join("gateway.yaml"), config.text()).unwrap();
    for (name, text) in &config.files {
        fs::write(folder.join(name), text).unwrap();
    }
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An address that a log line tells, in either form of the log.
fn said(line: &str, name: &str) -> SocketAddr {
    let after = [format!("\"{name}\":\""), format!("{name}=")]
        .iter()
        .find_map(|key| line.split_once(key.as_str()))
        .unwrap_or_else(|| panic!("no {name} in {line}"))
        .1;
    let end = after.find(['"', ' ']).unwrap_or(after.len());
    after[..end].parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}
