//! The ways in which a real issuer on a real socket fails, before and after its keys were fetched.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::authentication::tests::{Door, accepted, claims};

#[derive(Clone)]
enum Behavior {
    Respond(String),
    Hang,
    Reset,
    /// A body of that many bytes, in chunks.
    Flood(usize),
}

struct Server {
    url: Url,
    behavior: Arc<Mutex<Behavior>>,
    connections: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Server {
    async fn start(behavior: Behavior) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
        let behavior = Arc::new(Mutex::new(behavior));
        let (connections, sent) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (by, count, bytes) =
            (Arc::clone(&behavior), Arc::clone(&connections), Arc::clone(&sent));
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let behavior = by.lock().unwrap().clone();
                tokio::spawn(serve(socket, behavior, Arc::clone(&bytes)));
            }
        });
        Self { url, behavior, connections, sent, task: task.abort_handle() }
    }

    fn behave(&self, behavior: Behavior) {
        *self.behavior.lock().unwrap() = behavior;
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut socket: TcpStream, behavior: Behavior, sent: Arc<AtomicUsize>) {
    if matches!(behavior, Behavior::Reset) {
        // Closing with unread bytes makes the kernel send a reset.
        socket.readable().await.unwrap();
        return;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    match behavior {
        Behavior::Respond(response) => socket.write_all(response.as_bytes()).await.unwrap(),
        Behavior::Flood(size) => {
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let chunk = format!("10000\r\n{}\r\n", "[".repeat(0x10000));
            while sent.load(Ordering::Relaxed) < size
                && socket.write_all(chunk.as_bytes()).await.is_ok()
            {
                sent.fetch_add(0x10000, Ordering::Relaxed);
            }
        }
        Behavior::Hang | Behavior::Reset => sleep(Duration::from_hours(1)).await,
    }
}

fn response(status: &str, body: &str) -> Behavior {
    let length = body.len();
    Behavior::Respond(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

fn ok(keys: &[&Signer]) -> Behavior {
    let Answer::Body(body) = Answer::keys(keys.iter().map(|key| key.jwk())) else { unreachable!() };
    response("200 OK", &body)
}

fn key_set(server: &Server) -> KeySet {
    KeySet::new(server.url.clone(), Algorithm::Es256).unwrap()
}

/// Lets the next unknown key cause an attempt, as if the cooldown had passed.
fn cool_down(keys: &KeySet) {
    keys.shared.progress.send_modify(|progress| progress.last_begun = None);
}

/// Waits until no attempt runs: a request may give up an instant before the attempt does.
async fn settle(keys: &KeySet) {
    let mut progress = keys.shared.progress.subscribe();
    let ended = progress.wait_for(|progress| progress.begun == progress.ended);
    timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
}

async fn survives(behavior: Behavior) {
    let one = signer("k1");
    let server = Server::start(behavior.clone()).await;
    let keys = key_set(&server);
    assert_eq!(look(&keys, "k1").await, "unavailable", "before");
    settle(&keys).await;
    assert!(keys.tried());
    assert!(keys.snapshot().failure.is_some());

    server.behave(ok(&[&one]));
    cool_down(&keys);
    assert_eq!(look(&keys, "k1").await, "found");
    assert!(keys.snapshot().failure.is_none());

    server.behave(behavior);
    cool_down(&keys);
    let asked = server.connections();
    assert_eq!(look(&keys, "k2").await, "unknown", "after");
    settle(&keys).await;
    assert_eq!(server.connections(), asked + 1);
    assert!(keys.snapshot().failure.is_some());
    assert_eq!(look(&keys, "k1").await, "found", "after");
}

#[tokio::test]
async fn survives_statuses_other_than_200() {
    let (one, two) = (signer("k1"), signer("k2"));
    let Answer::Body(body) = Answer::keys([one.jwk(), two.jwk()]) else { unreachable!() };
    for status in [
        "500 Internal Server Error",
        "404 Not Found",
        "403 Forbidden",
        "201 Created",
        "203 Other",
        "429 Slow",
    ] {
        survives(response(status, &body)).await;
    }
    survives(response("204 No Content", "")).await;
}

#[tokio::test]
async fn survives_an_issuer_that_hangs() {
    let begun = Instant::now();
    survives(Behavior::Hang).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn survives_an_issuer_that_stops_in_the_middle() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\":[";
    survives(Behavior::Respond(head.to_owned())).await;
}

#[tokio::test]
async fn survives_connections_that_are_reset() {
    survives(Behavior::Reset).await;
}

#[tokio::test]
async fn survives_what_is_not_http() {
    survives(Behavior::Respond("220 mail.example ESMTP\r\n".to_owned())).await;
    survives(Behavior::Respond(String::new())).await;
}

#[tokio::test]
async fn survives_bodies_that_are_no_keys() {
    for body in [
        "{\"keys\":[]}",
        "<!doctype html><title>Sign in</title>",
        "",
        "{}",
        "null",
        "[]",
        "\u{0}",
        "{\"keys\":",
    ] {
        survives(response("200 OK", body)).await;
    }
    survives(response("200 OK", &"[".repeat(100_000))).await;
}

#[tokio::test]
async fn survives_a_flood_and_reads_little_of_it() {
    let server = Server::start(Behavior::Flood(50 << 20)).await;
    let keys = key_set(&server);
    assert_eq!(look(&keys, "k1").await, "unavailable");
    let failure = keys.snapshot().failure.unwrap();
    assert!(matches!(*failure, FetchError::TooLarge), "{failure:?}");
    let sent = server.sent.load(Ordering::Relaxed);
    assert!(sent < 16 << 20, "{sent} bytes were taken");
    survives(Behavior::Flood(50 << 20)).await;
}

#[tokio::test]
async fn does_not_follow_where_it_is_sent() {
    let trap = Server::start(ok(&[&signer("k1")])).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location =
            format!("HTTP/1.1 {status}\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", trap.url);
        survives(Behavior::Respond(location)).await;
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn survives_an_issuer_that_is_not_there() {
    let server = Server::start(Behavior::Hang).await;
    let keys = key_set(&server);
    drop(server);
    tokio::task::yield_now().await;
    assert_eq!(look(&keys, "k1").await, "unavailable");
    let failure = keys.snapshot().failure.unwrap();
    assert!(matches!(*failure, FetchError::Request(_)), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_requests_at_once_are_one_connection() {
    let server = Server::start(ok(&[&signer("k1")])).await;
    let keys = Arc::new(key_set(&server));
    let ask = |_| {
        let keys = Arc::clone(&keys);
        tokio::spawn(async move { look(&keys, "k1").await })
    };
    let found: Vec<_> = join_all((0..100).map(ask)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, ["found"; 100]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_of_a_real_issuer_are_proven_with_one_fetch() {
    let one = signer("k1");
    let server = Server::start(ok(&[&one])).await;
    let door = Arc::new(Door::over(Algorithm::Es256, Arc::new(key_set(&server))));
    let ask = |number: u32| {
        let mut claims = claims();
        claims["sub"] = json!(number.to_string());
        let token = one.sign(&one.header(), &claims);
        let door = Arc::clone(&door);
        tokio::spawn(async move { accepted(door.ask(&token).await).id.clone() })
    };
    let ids: Vec<_> = join_all((0..100).map(ask)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_thousand_invented_key_ids_are_one_connection() {
    let server = Server::start(ok(&[&signer("k1")])).await;
    let keys = key_set(&server);
    assert_eq!(look(&keys, "k1").await, "found");
    cool_down(&keys);
    let kids: Vec<_> = (0..1_000).map(|number| format!("invented-{number}")).collect();
    let answers = join_all(kids.iter().map(|kid| look(&keys, kid))).await;
    assert_eq!(answers, vec!["unknown"; 1_000]);
    assert_eq!(server.connections(), 2);
}
