//! The door for people: what they start and what they paste.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::bed::{Block, GATEWAY_YAML, take_ports};
use e2e::role::Ports;
use e2e::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// `demo run` on ports of its own, with a folder of its own.
struct Run {
    child: Child,
    folder: PathBuf,
    ports: Ports,
    _block: Block,
}

impl Run {
    fn start(name: &str) -> Self {
        let (block, ports) = take_ports();
        let folder = std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
        let child = Self::command(&folder, &ports).spawn().unwrap();
        Self { child, folder, ports, _block: block }
    }

    fn command(folder: &Path, ports: &Ports) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.args(["run", "--folder"]).arg(folder).current_dir(TOP);
        command.envs(ports.variables().into_iter().map(|(name, port)| (name, port.to_string())));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Reads what it prints until it says that it is open and how to close it.
    fn welcome(&mut self) -> String {
        let mut text = String::new();
        for line in BufReader::new(self.child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            text.push('\n');
            if line.starts_with("Ctrl-C") {
                return text;
            }
        }
        let mut complaint = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut complaint).unwrap();
        panic!("it never opened: {text}{complaint}");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    async fn ends(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let status = until(Duration::from_secs(30), async || child.try_wait().unwrap()).await;
        assert!(status.is_some(), "it ends when asked to");
        status.unwrap().code()
    }

    fn is_closed(&self) -> bool {
        self.ports
            .variables()
            .into_iter()
            .all(|(_, port)| TcpListener::bind(("127.0.0.1", port)).is_ok())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Pastes lines into one shell and answers what it prints.
fn paste(lines: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(lines).current_dir(TOP).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[tokio::test]
async fn the_lines_that_a_run_prints_work_as_pasted_and_ctrl_c_closes_everything() {
    let (mut run, welcome) = spawn_blocking(|| {
        let mut run = Run::start("run");
        let welcome = run.welcome();
        (run, welcome)
    })
    .await
    .unwrap();
    let lines: Vec<&str> =
        welcome.lines().map(str::trim).filter(|line| line.contains("curl ")).collect();
    assert_eq!(lines.len(), 6, "{welcome}");
    let said = paste(&lines.join("\n"));
    for word in ["ada@example.com", "p-1", "PAYMENT_STATUS_CAPTURED", "ORDER_STATUS_CONFIRMED"] {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }

    run.signal(Signal::INT);
    assert_eq!(run.ends().await, Some(0));
    assert!(run.is_closed(), "every part is gone");
    for name in ["user", "product", "product-2", "order", "payment", "gateway"] {
        assert!(run.folder.join(format!("log/{name}.log")).is_file(), "{name}");
    }
}

#[tokio::test]
async fn what_was_bought_is_still_there_after_a_restart_unless_one_starts_afresh() {
    let mut run = spawn_blocking(|| {
        let mut run = Run::start("again");
        run.welcome();
        run
    })
    .await
    .unwrap();
    let base = run.ports.base();
    let shop = e2e::shop::Shop::at(&base);
    let somebody = shop.newcomer().await;
    run.signal(Signal::TERM);
    assert_eq!(run.ends().await, Some(0));

    for (arguments, kept) in [(&[][..], true), (&["--fresh"][..], false)] {
        let mut command = Run::command(&run.folder, &run.ports);
        run.child = command.args(arguments).spawn().unwrap();
        run = spawn_blocking(move || {
            run.welcome();
            run
        })
        .await
        .unwrap();
        let body = serde_json::json!({"email": somebody.email, "password": e2e::shop::PASSWORD});
        let login = e2e::shop::Shop::at(&base).post("/api/auth/login").json(&body).await;
        assert_eq!(login.status == 200, kept, "{arguments:?}: {}", login.text);
        run.signal(Signal::TERM);
        assert_eq!(run.ends().await, Some(0));
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_plain_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for variable in ["GATEWAY_PORT", "CONSOLE_PORT", "ORDER_PORT"] {
        // All other ports are free ones, so that no shop on the usual ports is in the way.
        let free: Vec<TcpListener> = Ports::usual()
            .variables()
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<String> =
            free.iter().map(|free| free.local_addr().unwrap().port().to_string()).collect();
        drop(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command
            .arg("run")
            .current_dir(TOP)
            .envs(Ports::usual().variables().into_iter().map(|(name, _)| name).zip(ports))
            .env(variable, port.to_string());
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains(&format!("port {port} is in use")) && said.contains(variable),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_part_that_dies_closes_the_shop_with_one_line_about_it() {
    let mut run = spawn_blocking(|| {
        let mut run = Run::start("dies");
        run.welcome();
        run
    })
    .await
    .unwrap();
    let victim = child_named(run.child.id(), "payment");
    kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
    assert_eq!(run.ends().await, Some(1));
    let mut said = String::new();
    run.child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("payment ended by itself"), "{said}");
    assert!(run.is_closed(), "every part is gone");
}

#[tokio::test]
async fn no_part_outlives_a_run_that_is_killed() {
    let mut run = spawn_blocking(|| {
        let mut run = Run::start("killed");
        run.welcome();
        run
    })
    .await
    .unwrap();
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let closed = until(Duration::from_secs(10), async || run.is_closed().then_some(())).await;
    assert!(closed.is_some(), "somebody still listens on {:?}", run.ports);
}

/// The process id of the part of that name that `parent` started.
fn child_named(parent: u32, name: &str) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
        .unwrap_or_default();
    let mut pids: Vec<i32> =
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    if pids.is_empty() {
        // A child belongs to the thread that started it.
        let threads = std::fs::read_dir(format!("/proc/{parent}/task")).unwrap();
        let lists = threads.filter_map(|thread| {
            std::fs::read_to_string(thread.ok()?.path().join("children")).ok()
        });
        pids = lists
            .flat_map(|list| {
                list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
            })
            .collect();
    }
    let is_it = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == name.as_bytes())
    };
    pids.into_iter().find(is_it).unwrap()
}

#[tokio::test]
async fn a_configuration_with_mistakes_opens_nothing_and_all_of_them_are_told() {
    let (_block, ports) = take_ports();
    let folder = std::env::temp_dir().join(format!("mistakes-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    let config = folder.join("mistakes.yaml");
    std::fs::write(&config, GATEWAY_YAML.replace(": public", ": everybody")).unwrap();
    let output = Run::command(&folder, &ports).arg("--config").arg(&config).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.matches("everybody").count() > 5, "{said}");
}
