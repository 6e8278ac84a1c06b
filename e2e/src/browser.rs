//! A browser without a window, told over `WebDriver` (W3C) what to do: what a page sees that speaks to the gateway.
//!
//! The driver is Chromium's own, so nothing here knows how a browser is made to obey. A page of the gateway's own origin
//! may fetch whatever the gateway serves, which keeps cross-origin rules out of the picture.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::wait::until;

/// How long the driver and the browser may take to start: much, on a machine that builds at the same time.
const START: Duration = Duration::from_secs(30);

/// How long one script may run.
const SCRIPT: Duration = Duration::from_mins(1);

/// Runs the driver until our end of its standard input closes, in whatever way we end; then kills everything in its
/// process group, which the browser is in too.
const LEASH: &str = r#""$@" & read -r _; kill -9 0"#;

/// What the driver says when it listens.
const LISTENS: &str = "started successfully on port ";

/// Without a window, without a sandbox (which root can't have), and without a word to anybody but the page's own server.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-breakpad",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page. Dropping it ends every process of it and removes its files.
#[derive(Debug)]
pub struct Browser {
    client: reqwest::Client,
    session: String,
    // The order of the fields is the order of their ends: processes first.
    driver: Driver,
    _folder: Folder,
}

impl Browser {
    /// Opens a page of that address. Panics with the reason when there is no browser or no page.
    pub async fn open(page: &str) -> Self {
        let folder = Folder::new();
        let driver = Driver::start(&folder.0).await;
        let client = reqwest::Client::new();
        let arguments: Vec<String> = FLAGS
            .map(str::to_owned)
            .into_iter()
            .chain([format!("--user-data-dir={}", folder.0.join("profile").display())])
            .collect();
        let wanted = json!({
            "goog:chromeOptions": {"args": arguments},
            "timeouts": {"script": u64::try_from(SCRIPT.as_millis()).unwrap_or(u64::MAX)},
        });
        let asked = json!({"capabilities": {"alwaysMatch": wanted}});
        let sessions = format!("http://127.0.0.1:{}/session", driver.port);
        let opened = command(&client, Method::POST, &sessions, &asked).await;
        let session = match opened["sessionId"].as_str() {
            Some(id) => format!("{sessions}/{id}"),
            None => panic!("the driver opened no session: {opened}"),
        };
        let browser = Self { client, session, driver, _folder: folder };
        browser.tell("url", &json!({"url": page})).await;
        browser
    }

    /// Runs the body of an asynchronous function in the page and answers what it returns. It finds what it is given in
    /// `given`. Panics with what the script throws.
    pub async fn run(&self, body: &str, given: Value) -> Value {
        let script = format!(
            "const [given, done] = arguments;
             (async () => {{ {body} }})().then(
                 value => done({{value: value ?? null}}),
                 error => done({{error: String(error?.stack ?? error)}}));"
        );
        let outcome = self.tell("execute/async", &json!({"script": script, "args": [given]})).await;
        match outcome.get("value") {
            Some(value) => value.clone(),
            None => panic!("the page failed: {outcome}\nin: {body}"),
        }
    }

    /// The process group that everything of this browser is in.
    pub fn group(&self) -> Option<u32> {
        self.driver.leash.id()
    }

    async fn tell(&self, what: &str, parameters: &Value) -> Value {
        command(&self.client, Method::POST, &format!("{}/{what}", self.session), parameters).await
    }
}

/// Sends a command of `WebDriver`. Panics with what the driver says when it refuses.
async fn command(client: &reqwest::Client, method: Method, url: &str, parameters: &Value) -> Value {
    let request = client.request(method, url).json(parameters).timeout(SCRIPT + START);
    let answered = async { request.send().await?.json::<Value>().await }.await;
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(error) => panic!("the browser's driver does not answer: {error:?}"),
    };
    let value = answer["value"].take();
    match value.get("error") {
        Some(error) if value.get("message").is_some() => panic!("{error}: {}", value["message"]),
        _ => value,
    }
}

/// The driver, with the browser as its child.
#[derive(Debug)]
struct Driver {
    leash: Child,
    port: u16,
}

impl Driver {
    async fn start(folder: &Path) -> Self {
        let said = folder.join("driver.log");
        let leash =
            spawn(folder, &said).unwrap_or_else(|error| panic!("can't start a browser: {error}"));
        let mut driver = Self { leash, port: 0 };
        let told = || std::fs::read_to_string(&said).unwrap_or_default();
        let port = until(START, async || {
            let text = told();
            let (_, after) = text.split_once(LISTENS)?;
            after.split_once('.')?.0.parse().ok()
        });
        driver.port = port.await.unwrap_or_else(|| {
            panic!("no driver for a browser: {} (make test installs both)", told())
        });
        driver
    }
}

/// Whatever the browser writes down goes into the folder: its caches and crash reports have places of their own.
fn spawn(folder: &Path, said: &Path) -> io::Result<Child> {
    let said = File::create(said)?;
    Command::new("sh")
        .args(["-c", LEASH, "sh", "chromedriver", "--port=0"])
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .stdin(Stdio::piped())
        .stdout(said.try_clone()?)
        .stderr(said)
        .process_group(0)
        .spawn()
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = self.leash.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // A failure means that all of them are gone already, which is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Where the browser keeps what it would remember.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("browser-{}", Uuid::new_v4().simple()));
        match std::fs::create_dir(&path) {
            Ok(()) => Self(path),
            Err(error) => panic!("can't make {}: {error}", path.display()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
