use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tonic::Code;

use crate::stand::{Answer, Gate, Reply, Upstream};

async fn unavailable() -> Upstream {
    Upstream::answering(|_| Answer::error(Code::Unavailable, "closed")).await
}

async fn silent() -> Upstream {
    Upstream::answering(|_| Answer::never()).await
}

async fn gate(kitchen: &Upstream, resilience: &str) -> Gate {
    Gate::start(|config| config.kitchen(kitchen).section("resilience", resilience)).await
}

/// Why there was no further try.
async fn end(gate: &Gate, reply: &Reply) -> Value {
    let line = gate.line(reply).await;
    line["failed_tries"].as_array().unwrap().last().unwrap()["then"].clone()
}

#[tokio::test]
async fn resilience_attempts() {
    for attempts in [1, 2, 5] {
        let kitchen = unavailable().await;
        let gate = gate(&kitchen, &format!("{{ attempts: {attempts}, retry_budget: 100% }}")).await;
        let reply = gate.get("/v1/dishes/soup").await.is(503);
        assert_eq!(kitchen.seen().len(), attempts.min(4), "{attempts}");
        let expected = if attempts == 5 { "budget" } else { "attempts" };
        assert_eq!(end(&gate, &reply).await, expected);
    }
}

#[tokio::test]
async fn resilience_try_timeout() {
    for (limit, tries) in [("100ms", 3), ("20s", 1)] {
        let kitchen = silent().await;
        let resilience =
            format!("{{ deadline: 20s, try_timeout: {limit}, attempts: 3, backoff: 1ms }}");
        let gate = gate(&kitchen, &resilience).await;
        let ask = gate.get("/v1/dishes/soup").header("grpc-timeout", "2S");
        let began = SystemTime::now();
        ask.await.is(504);
        let took = began.elapsed().unwrap();
        assert_eq!(kitchen.seen().len(), tries, "{limit}");
        assert_eq!(took < Duration::from_secs(2), tries == 3, "{took:?}");
        kitchen.cancelled(tries).await;
    }
}

#[tokio::test]
async fn resilience_backoff_and_max_backoff() {
    // The wait is any up to the longest: of a day, it is hardly ever one that ends before the deadline.
    for (resilience, tries, then) in [
        ("{ attempts: 4, backoff: 1ms, max_backoff: 1ms }", 4, "attempts"),
        ("{ attempts: 4, backoff: 1ms, max_backoff: 24h }", 4, "attempts"),
        ("{ attempts: 4, backoff: 24h, max_backoff: 24h }", 1, "deadline"),
    ] {
        let kitchen = unavailable().await;
        let gate = gate(&kitchen, resilience).await;
        let reply = gate.get("/v1/dishes/soup").await.is(503);
        assert_eq!(kitchen.seen().len(), tries, "{resilience}");
        assert_eq!(end(&gate, &reply).await, then, "{resilience}");
    }
}

#[tokio::test]
async fn resilience_retry_budget() {
    for (share, most) in [("0%", 23), ("50%", 30), ("100%", 40)] {
        let kitchen = unavailable().await;
        let resilience = format!(
            "{{ retry_budget: {share}, attempts: 2, backoff: 1ms, breaker: {{ enabled: false }} }}"
        );
        let gate = gate(&kitchen, &resilience).await;
        let mut ends = Vec::new();
        for _ in 0..20 {
            let reply = gate.get("/v1/dishes/soup").await.is(503);
            ends.push(end(&gate, &reply).await);
        }
        assert_eq!(kitchen.seen().len(), most, "{share}");
        let refused = ends.iter().filter(|end| **end == "budget").count();
        assert_eq!(refused, 40 - most, "{share}: {ends:?}");
    }
}

/// The statuses of so many requests at once to a kitchen that answers none of them, and what reached it.
async fn crowd(resilience: &str, count: usize) -> (Vec<(u16, Duration)>, usize) {
    let kitchen = silent().await;
    let gate = gate(&kitchen, resilience).await;
    let asked = (0..count).map(|_| {
        let ask = gate.get("/v1/dishes/soup").into_future();
        tokio::spawn(async move {
            let began = SystemTime::now();
            let reply = ask.await;
            if reply.status == 503 {
                assert_eq!(reply.problem()["type"], "/problems/overloaded");
                assert_eq!(reply.header("retry-after"), "1");
            }
            (reply.status, began.elapsed().unwrap())
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await.unwrap());
    }
    replies.sort_unstable();
    (replies, kitchen.seen().len())
}

#[tokio::test]
async fn resilience_max_requests() {
    for requests in [1, 3] {
        let resilience = format!("{{ max_requests: {requests}, max_queue: 0, deadline: 1s }}");
        let (replies, reached) = crowd(&resilience, 5).await;
        let shed = replies.iter().filter(|(status, _)| *status == 503).count();
        assert_eq!((shed, reached), (5 - requests, requests), "{replies:?}");
        assert!(replies[0].1 < Duration::from_millis(500), "at once: {replies:?}");
    }
}

#[tokio::test]
async fn resilience_max_queue_and_queue_timeout() {
    for (queue, timeout) in [(0, "800ms"), (2, "800ms"), (2, "100ms")] {
        let resilience = format!(
            "{{ max_requests: 1, max_queue: {queue}, queue_timeout: {timeout}, deadline: 2s }}"
        );
        let (replies, reached) = crowd(&resilience, 5).await;
        let waited: Vec<_> = { &replies }
            .iter()
            .filter(|(status, took)| *status == 503 && *took >= Duration::from_millis(100))
            .collect();
        assert_eq!((waited.len(), reached), (queue, 1), "{replies:?}");
        let patient = waited.iter().filter(|(_, took)| *took >= Duration::from_millis(800)).count();
        assert_eq!(patient, if timeout == "800ms" { queue } else { 0 }, "{replies:?}");
    }
}

#[tokio::test]
async fn resilience_breaker() {
    for (breaker, reached) in [
        ("{ enabled: false }", 10),
        ("{ failures: 3 }", 3),
        ("{ failures: 7 }", 7),
        ("{ failures: 99, volume: 4, rate: 100% }", 4),
        ("{ failures: 99, volume: 6, rate: 50% }", 6),
        ("{ failures: 99, volume: 20 }", 10),
    ] {
        let kitchen = unavailable().await;
        let resilience = format!("{{ attempts: 1, breaker: {breaker} }}");
        let gate = gate(&kitchen, &resilience).await;
        for number in 0..10 {
            let problem = gate.get("/v1/dishes/soup").await.is(503).problem();
            let open = problem["type"] == "/problems/upstream-failing";
            assert_eq!(open, number >= reached, "{breaker}: {problem}");
        }
        assert_eq!(kitchen.seen().len(), reached, "{breaker}");
    }
}

#[tokio::test]
async fn resilience_idempotency_key() {
    for (named, key, tries) in [
        ("", None, 1),
        ("", Some("k"), 1),
        ("kitchen.v1.Kitchen/CookDish", None, 1),
        ("kitchen.v1.Kitchen/CookDish", Some("k"), 3),
        ("kitchen.v1.Kitchen/CreateDish", Some("k"), 1),
    ] {
        let kitchen = unavailable().await;
        let gate = gate(&kitchen, &format!("{{ idempotency_key: [{named}] }}")).await;
        let mut ask = gate.post("/v1/dishes/soup:cook", &json!({}));
        if let Some(key) = key {
            ask = ask.header("idempotency-key", key);
        }
        let reply = ask.await.is(503);
        let seen = kitchen.seen();
        assert_eq!(seen.len(), tries, "{named} {key:?}");
        assert!(seen.iter().all(|seen| seen.header("idempotency-key") == key));
        let expected = if tries == 1 { "unsafe" } else { "attempts" };
        assert_eq!(end(&gate, &reply).await, expected);
    }
}

#[tokio::test]
async fn resilience_upstreams_and_rpcs() {
    // Wide to near: of everything, of the upstream, of the RPC.
    for (resilience, dish, dishes) in [
        ("{ attempts: 2 }", 2, 2),
        ("{ attempts: 2, upstreams: { kitchen: { attempts: 1 } } }", 1, 1),
        ("{ attempts: 2, upstreams: { cellar: { attempts: 1 } } }", 2, 2),
        ("{ attempts: 2, rpcs: { kitchen.v1.Kitchen/GetDish: { attempts: 3 } } }", 3, 2),
        (
            "{ upstreams: { kitchen: { attempts: 1 } }, rpcs: { kitchen.v1.Kitchen/GetDish: { attempts: 3 } } }",
            3,
            1,
        ),
    ] {
        let kitchen = unavailable().await;
        let gate = Gate::start(|config| {
            let config = config.upstream("cellar", "kitchen.v1.Cellar", &[&kitchen.url()]);
            let config = config.access("kitchen.v1.Cellar/GetWine", "public");
            config.kitchen(&kitchen).section("resilience", resilience)
        })
        .await;
        gate.get("/v1/dishes/soup").await.is(503);
        assert_eq!(kitchen.seen().len(), dish, "{resilience}");
        kitchen.forget();
        let watch = gate.get("/v1/dishes:watch").header("accept", "application/x-ndjson");
        watch.await.is(503);
        assert_eq!(kitchen.seen().len(), dishes, "{resilience}");
    }
    // The deadline is known before the RPC is called.
    for (resilience, late) in [
        ("{ deadline: 20s, upstreams: { kitchen: { deadline: 200ms } } }", true),
        ("{ deadline: 200ms, rpcs: { kitchen.v1.Kitchen/GetDish: { deadline: 20s } } }", false),
    ] {
        let kitchen = silent().await;
        let gate = gate(&kitchen, resilience).await;
        let began = SystemTime::now();
        gate.get("/v1/dishes/soup").header("grpc-timeout", "1S").await.is(504);
        assert_eq!(began.elapsed().unwrap() < Duration::from_millis(900), late, "{resilience}");
    }
}
