//! The service as a process: its exit codes, its one plain line, its end.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use proto::product::v1::{GetProductRequest, product_service_client::ProductServiceClient};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};
use tonic::transport::Channel;

fn product(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_product"));
    command.args(arguments).current_dir(folder.path()).stderr(Stdio::piped()).kill_on_drop(true);
    command.env_remove("RUST_LOG").env_remove("ADDRESS").env_remove("DATABASE");
    command
}

fn free_address() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

/// Runs to the end. The exit code, and standard error.
async fn run(command: &mut Command) -> (Option<i32>, String) {
    let output =
        tokio::time::timeout(Duration::from_secs(20), command.output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A service that has said that it serves.
async fn serving(folder: &TempDir, address: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = product(folder, &["--address", address]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("\"message\":\"serving\"") {
                return;
            }
        }
        panic!("it ended");
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.unwrap();
    (child, lines)
}

#[tokio::test]
async fn serves_until_it_is_told_to_stop_and_exits_0() {
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let (mut child, _lines) = serving(&folder, &address).await;
    assert!(folder.path().join(".shop/product.db").exists());
    assert_eq!(run(product(&folder, &["--probe"]).env("ADDRESS", &address)).await.0, Some(0));

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    let (code, line) = run(&mut product(&folder, &["--probe", "--address", &address])).await;
    assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
}

/// Calls until far more than a pipe holds would have been logged, and stops the service, which says goodbye with 0.
async fn lives_and_ends(mut child: Child, address: &str) {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let calls = async {
        for _ in 0..1000 {
            let request = GetProductRequest { id: "p-1".to_owned() };
            ProductServiceClient::new(channel.clone()).get_product(request).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_mins(1), calls).await.unwrap();
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended}");
}

#[tokio::test]
async fn goes_on_when_nobody_reads_its_log_any_more() {
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let (child, lines) = serving(&folder, &address).await;
    drop(lines);
    lives_and_ends(child, &address).await;
}

#[tokio::test]
async fn goes_on_when_the_reader_of_its_log_stalls() {
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let (child, _lines) = serving(&folder, &address).await;
    lives_and_ends(child, &address).await;
}

#[tokio::test]
async fn replicas_that_start_at_once_on_a_new_file_both_serve() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (free_address(), free_address());
    let (_one, _other) = tokio::join!(serving(&folder, &one), serving(&folder, &other));
    for address in [one, other] {
        let (code, line) = run(&mut product(&folder, &["--probe", "--address", &address])).await;
        assert_eq!(code, Some(0), "{line}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_plain_line() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, line) = run(&mut product(&folder, &["--address", &address])).await;
    assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
    assert!(
        line.starts_with(&format!("product: can't listen on {address}")) && line.contains("in use"),
        "{line}"
    );
    assert!(!folder.path().join(".shop").exists());
}

#[tokio::test]
async fn a_database_that_is_none_is_one_plain_line() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.txt"), "no database ".repeat(100)).unwrap();
    for path in ["a.txt", ".", "a.txt/b.db"] {
        let arguments = ["--address", &free_address(), "--database", path];
        let (code, line) = run(&mut product(&folder, &arguments)).await;
        assert_eq!((code, line.lines().count()), (Some(1), 1), "{line}");
        assert!(line.starts_with("product: can't "), "{line}");
    }
}

#[tokio::test]
async fn a_bad_command_line_exits_64() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["--what"][..], &["--address", "here"], &["extra"]] {
        assert_eq!(run(&mut product(&folder, arguments)).await.0, Some(64), "{arguments:?}");
    }
    assert_eq!(run(&mut product(&folder, &["--version"])).await.0, Some(0));
}
