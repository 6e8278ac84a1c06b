//! The store is slow, gone, back, or not what it says: limits hold all the same, and nobody waits for it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::shared::{keyed, section, section_at, shares, two};
use super::{passing, soup};
use crate::stand::{Gate, Redis, Upstream, until};

const LOST: &str = "the store of limits can't be used";
const BACK: &str = "limits are counted together";

async fn says(gate: &Gate, words: &str, times: usize) {
    gate.errors.lines_that(words, times, |line| line.contains(words)).await;
}

#[tokio::test]
async fn a_store_that_is_gone_leaves_each_gateway_its_share() {
    let mut redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "principal", 10).await;
    // With every decision a gateway hears how many there are.
    assert_eq!((passing(&here, 1).await, passing(&there, 1).await), (1, 1));
    redis.kill().await;
    let (first, second) = tokio::join!(passing(&here, 30), passing(&there, 30));
    assert_eq!((first, second), (5, 5));
    assert_eq!(kitchen.seen().len(), 12);
    for gate in [&here, &there] {
        says(gate, LOST, 1).await;
    }

    redis.restart().await;
    for gate in [&here, &there] {
        says(gate, BACK, 2).await;
    }
    let (first, second) = tokio::join!(passing(&here, 30), passing(&there, 30));
    assert_eq!(first + second, 10, "together again: {first} and {second}");
    let lines = [here.errors.lines(), there.errors.lines()].concat();
    let lost = lines.iter().filter(|line| line.contains(LOST)).count();
    assert_eq!(lost, 2, "one line for each gateway: {lines:#?}");
}

/// Asks fifty times at once.
async fn slowest_of_fifty(gate: &Gate) -> Duration {
    let ask = || {
        let ask = soup(gate).into_future();
        tokio::spawn(async move {
            let began = Instant::now();
            (ask.await.status, began.elapsed())
        })
    };
    let asked: Vec<_> = std::iter::repeat_with(ask).take(50).collect();
    let mut slowest = Duration::ZERO;
    for asked in asked {
        let (status, took) = asked.await.unwrap();
        assert_eq!(status, 200);
        slowest = slowest.max(took);
    }
    slowest
}

#[tokio::test]
async fn nobody_waits_for_a_frozen_store_longer_than_once() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let section = section(&redis, "principal", 1_000);
    let gate = Gate::start(|config| keyed(config, &kitchen, &section)).await;
    shares(std::slice::from_ref(&gate), &redis).await;
    let before = slowest_of_fifty(&gate).await;
    redis.freeze();
    let during = slowest_of_fifty(&gate).await;
    // 50 ms, and what a busy machine adds to anything.
    let most = 2 * before + Duration::from_millis(50 + 150);
    assert!(during < most, "{during:?}, and {before:?} before");
    says(&gate, LOST, 1).await;
    // From now on nobody waits: the log says what the step took.
    for _ in 0..20 {
        let line = gate.line(&soup(&gate).await.is(200)).await;
        let took = line["steps_us"]["limit_principal"].as_u64().unwrap();
        assert!(took < 20_000, "{line}");
    }
    redis.thaw();
    says(&gate, BACK, 2).await;
    soup(&gate).await.is(200);
}

#[tokio::test]
async fn a_gateway_opens_without_its_store_and_finds_it_later() {
    let mut redis = Redis::start().await;
    redis.kill().await;
    let kitchen = Upstream::content().await;
    let section = section(&redis, "principal", 4);
    let gate = Gate::start(|config| keyed(config, &kitchen, &section)).await;
    says(&gate, LOST, 1).await;
    assert_eq!(passing(&gate, 9).await, 4);
    redis.restart().await;
    says(&gate, BACK, 1).await;
    assert_eq!(passing(&gate, 9).await, 4, "in the store nobody has asked yet");
    assert_eq!(kitchen.seen().len(), 8);
}

/// A server that says the same to every question about a limit. To what a client says of itself at the beginning it says
/// yes, and to a probe what it is told to.
struct Parrot {
    url: String,
    /// How many connections it has taken.
    visits: Arc<AtomicUsize>,
}

async fn parrot(probed: &'static [u8], answer: &'static [u8]) -> Parrot {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut piece = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut piece).await {
                    let asked = String::from_utf8_lossy(&piece[..length]).into_owned();
                    let commands = asked.matches('*').count().max(1);
                    let said = if asked.contains("gateway:limit:probe:") {
                        probed.to_vec()
                    } else if asked.contains("gateway:limit:") {
                        answer.to_vec()
                    } else if asked.contains("EVALSHA") {
                        b":1\r\n".to_vec()
                    } else {
                        b"+OK\r\n".repeat(commands)
                    };
                    if stream.write_all(&said).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    Parrot { url, visits }
}

/// What a store says to a probe when all is well.
const WELL: &[u8] = b"*3\r\n:1\r\n:1\r\n:0\r\n";

/// It takes the word of a gateway that it lives, and decides nothing: a Redis that may not run the script, or a cluster in
/// which its keys live on several nodes.
#[tokio::test]
async fn a_store_that_lives_and_does_not_decide_is_never_used() {
    for answer in [
        &b"-CROSSSLOT Keys in request don't hash to the same slot\r\n"[..],
        b"-NOPERM No permissions to access a key\r\n",
        b"*1\r\n:1\r\n",
    ] {
        let kitchen = Upstream::content().await;
        let parrot = parrot(answer, WELL).await;
        let limits = section_at(&parrot.url, "principal", 3);
        let gate = Gate::start(|config| keyed(config, &kitchen, &limits)).await;
        says(&gate, LOST, 1).await;
        assert_eq!(passing(&gate, 12).await, 3, "{}", answer.escape_ascii());
        until("it was tried again", async || parrot.visits.load(Ordering::Relaxed) >= 4).await;
        let lines = gate.errors.lines();
        assert!(!lines.iter().any(|line| line.contains(BACK)), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.contains(LOST)).count(), 1, "{lines:#?}");
        assert_eq!(kitchen.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_store_that_has_forgotten_everything_goes_on_deciding() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "principal", 4).await;
    assert_eq!(passing(&here, 9).await, 4);
    // Whoever asks between two beats finds no gateway in the set.
    for _ in 0..20 {
        redis.ask::<()>(&["FLUSHALL"]).await;
        assert_eq!((passing(&here, 1).await, passing(&there, 1).await), (1, 1));
    }
    for gate in [&here, &there] {
        assert!(!gate.errors.lines().iter().any(|line| line.contains(LOST)));
    }
}

#[tokio::test]
async fn a_gateway_that_reaches_its_store_by_another_name_is_still_one() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [mut here, there] = two(&redis, &kitchen, "principal", 4).await;
    let url = redis.url();
    let other = section(&redis, "principal", 4).replace(&url, &format!("{url}/0"));
    here.rewrite(|config| config.section("rate_limiting", &other));
    assert!(here.hang_up().await.contains("was read again"));
    says(&here, BACK, 2).await;
    // Whoever spoke by another name in the last three seconds would be a third.
    assert_eq!(passing(&there, 9).await, 4);
    let gateways: usize = redis.ask(&["ZCARD", "gateway:limits:gateways"]).await;
    assert_eq!(gateways, 2);
}

/// Whatever the store says that is no decision: each is decided here, none is a yes to everything.
#[tokio::test]
async fn an_answer_that_is_none_is_never_a_yes() {
    for answer in [
        &b"+OK\r\n"[..],
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*1\r\n:1\r\n",
        b"*2\r\n:1\r\n:1\r\n",
        b"*3\r\n:1\r\n:1\r\n:3\r\n",
        b"*3\r\n:1\r\n:1\r\n:-1\r\n",
        b"*3\r\n:0\r\n:1\r\n:1\r\n",
        b"*3\r\n:1\r\n:7\r\n:1\r\n",
        b"*3\r\n:1\r\n:0\r\n:0\r\n",
        b"*3\r\n:1\r\n:0\r\n:-9\r\n",
        b"*3\r\n:1\r\n:1\r\n$3\r\nyes\r\n",
        b"*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"-ERR unknown command 'EVALSHA'\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-READONLY You can't write against a read only replica\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
    ] {
        let kitchen = Upstream::content().await;
        let url = parrot(WELL, answer).await.url;
        let limits = section_at(&url, "principal", 3);
        let gate = Gate::start(|config| keyed(config, &kitchen, &limits)).await;
        says(&gate, BACK, 1).await;
        assert_eq!(passing(&gate, 12).await, 3, "{}", answer.escape_ascii());
        says(&gate, LOST, 1).await;
        assert_eq!(kitchen.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_password_in_the_address_is_in_no_log() {
    let kitchen = Upstream::content().await;
    let limits = "{ store: \"redis://gate:hunter2@127.0.0.1:1\", limits: {} }";
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", limits)).await;
    says(&gate, LOST, 1).await;
    let lines = gate.errors.lines();
    assert!(lines.iter().any(|line| line.contains("127.0.0.1:1")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:#?}");
}
