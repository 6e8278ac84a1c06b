//! One part of the shop as a running process, and what can be done to it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::time::Instant;

use crate::log::Log;
use crate::wait::until;

/// How long a part may take to stop when it is frozen; one that has died never does.
const STOPPED_WITHIN: Duration = Duration::from_secs(1);

/// How to start a part, again and again.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What the part is called.
    pub name: &'static str,
    /// The program: `demo` itself.
    pub program: PathBuf,
    /// Its command line.
    pub arguments: Vec<OsString>,
    /// Variables on top of the ones that are there.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where what it says goes, both streams in one file.
    pub log: PathBuf,
}

/// A part, running or not. It dies with its owner: when dropped, and when the owner's process ends in whatever way,
/// because a part on a leash ends when its standard input does.
#[derive(Debug)]
pub struct Part {
    recipe: Recipe,
    child: Mutex<Option<Child>>,
}

impl Part {
    /// A part that does not run yet.
    pub fn new(recipe: Recipe) -> Self {
        Self { recipe, child: Mutex::new(None) }
    }

    /// Starts it; it is not ready yet. A part that runs is killed first; it comes back with the same command line, so
    /// on the same port and database.
    pub fn start(&self) -> io::Result<()> {
        self.kill_9();
        *self.child() = Some(spawn(&self.recipe)?);
        Ok(())
    }

    /// Adds a word to its command line, for the next start.
    pub fn add_argument(&mut self, word: OsString) {
        self.recipe.arguments.push(word);
    }

    /// Gives it a variable, for the next start.
    pub fn add_variable(&mut self, name: &'static str, value: OsString) {
        self.recipe.environment.push((name, value));
    }

    /// What the part is called.
    pub fn name(&self) -> &'static str {
        self.recipe.name
    }

    /// The number of its process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// What it has said since it was first started.
    pub fn log(&self) -> Log {
        Log::new(self.recipe.log.clone())
    }

    /// The most memory that it ever had in use (`VmHWM`), in bytes; none when it does not run.
    pub fn most_memory(&self) -> Option<u64> {
        let id = self.child().as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// How it ended, if it ended by itself.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Ends it like a power cut (SIGKILL).
    pub fn kill_9(&self) {
        if let Some(mut child) = self.child().take() {
            // A failure means that it is gone already, which is what we want.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end (SIGTERM) and answers how it did; `None` when it had to be killed after `patience`, or
    /// does not run.
    pub async fn stop(&self, patience: Duration) -> Option<ExitStatus> {
        // Nobody is there who could end.
        self.process()?;
        self.signal(Signal::TERM);
        let status = until(patience, async || self.ended()).await;
        self.kill_9();
        status
    }

    /// Freezes it: its sockets stay open and nothing answers (SIGSTOP). Returns when every thread has stopped, for until
    /// then one of them may still answer.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let pid = self.child().as_ref().map(Pid::from_child);
        let stopped = |pid| {
            let how = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            waitid(WaitId::Pid(pid), how).is_ok_and(|status| status.is_some())
        };
        let end = Instant::now() + STOPPED_WITHIN;
        while pid.is_some_and(|pid| !stopped(pid)) && Instant::now() < end {
            std::thread::yield_now();
        }
    }

    /// Lets it go on after a pause (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Tells it to read its configuration again (SIGHUP).
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = self.child().as_ref() {
            // A failure means that it is gone already; whoever waits for it learns that from `ended`.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// A process group of its own keeps Ctrl-C from reaching the part before its owner decides in which order to stop.
fn spawn(recipe: &Recipe) -> io::Result<Child> {
    let log = open_log(&recipe.log)?;
    Command::new(&recipe.program)
        .args(&recipe.arguments)
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
