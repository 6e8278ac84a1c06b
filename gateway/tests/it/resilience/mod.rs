//! What becomes of a call whose service fails: made again, not made again, not made at all.

mod blame;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::Code;

use crate::stand::{Answer, Gate, Latch, Upstream, answer_late, leave_at_the_second_call, until};

/// A kitchen of these endpoints, in turn.
async fn gate(urls: &[&str], resilience: &str) -> Gate {
    Gate::start(|config| {
        let config = config.upstream("kitchen", "kitchen.v1.Kitchen", urls);
        let config = config.section("load_balancing", "{ algorithm: round_robin }");
        config.section("resilience", resilience)
    })
    .await
}

/// A server of HTTP/2 that deals with a number of streams as it is told, and answers all others with an empty message.
async fn rude(count: usize, deal: fn(h2::server::SendResponse<Bytes>)) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(serve(listener, count, deal)))
}

async fn serve(listener: TcpListener, count: usize, deal: fn(h2::server::SendResponse<Bytes>)) {
    let left = Arc::new(AtomicUsize::new(count));
    while let Ok((stream, _)) = listener.accept().await {
        let left = Arc::clone(&left);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let health = request.uri().path().contains("Health");
                let head = Response::builder().header("content-type", "application/grpc");
                if health {
                    let head = head.header("grpc-status", "12").body(()).unwrap();
                    respond.send_response(head, true).unwrap();
                } else if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    deal(respond);
                } else {
                    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
                    let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                    body.send_trailers(trailers.into_iter().collect()).unwrap();
                }
            }
        });
    }
}

#[tokio::test]
async fn a_read_that_fails_is_made_again_at_another_endpoint_and_the_client_notices_nothing() {
    let bad = Upstream::answering(|_| Answer::error(Code::Unavailable, "closed")).await;
    let good = Upstream::content().await;
    let gate = gate(&[&bad.url(), &good.url()], "{ breaker: { enabled: false } }").await;
    for number in 1..=4 {
        let reply = gate.get("/v1/dishes/soup").await.is(200);
        let line = gate.line(&reply).await;
        assert_eq!(line["endpoint"], good.url());
        if line["tries"] == 2 {
            let tried = json!([{"endpoint": bad.url(), "code": "UNAVAILABLE", "then": "again"}]);
            assert_eq!(line["failed_tries"], tried);
        } else {
            assert_eq!(line["failed_tries"], Value::Null);
        }
        assert_eq!(good.seen().len(), number, "once each");
    }
    assert_eq!(bad.seen().len(), 2, "every second call began there");
    let attempts = |upstream: &Upstream| {
        let seen = upstream.seen();
        let told = |seen: &crate::stand::Seen| {
            seen.header("grpc-previous-rpc-attempts").map(ToOwned::to_owned)
        };
        seen.iter().filter_map(told).collect::<Vec<_>>()
    };
    assert_eq!((attempts(&bad), attempts(&good)), (vec![], vec!["1".to_owned(), "1".to_owned()]));
}

#[tokio::test]
async fn without_another_endpoint_the_same_is_asked_again() {
    let answers = AtomicUsize::new(0);
    let kitchen = Upstream::answering(move |_| match answers.fetch_add(1, Relaxed) {
        0 | 1 => Answer::error(Code::Unavailable, "closed"),
        _ => Answer::wire(b""),
    })
    .await;
    let gate = gate(&[&kitchen.url()], "{}").await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!((kitchen.seen().len(), &gate.line(&reply).await["tries"]), (3, &json!(3)));
}

#[tokio::test]
async fn no_other_code_is_tried_again() {
    for code in (1..=16).map(Code::from_i32).filter(|code| *code != Code::Unavailable) {
        let kitchen = Upstream::answering(move |_| Answer::error(code, "no")).await;
        let gate = gate(&[&kitchen.url()], "{}").await;
        let reply = gate.get("/v1/dishes/soup").await;
        assert_eq!(kitchen.seen().len(), 1, "{code:?}");
        assert_eq!(gate.line(&reply).await["failed_tries"], Value::Null);
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_costs_the_time_of_one_try() {
    let (hangs, good) = (Upstream::answering(|_| Answer::never()).await, Upstream::content().await);
    let gate = gate(&[&hangs.url(), &good.url()], "{ try_timeout: 200ms }").await;
    let mut tries = Vec::new();
    for _ in 0..2 {
        let began = SystemTime::now();
        let reply = gate.get("/v1/dishes/soup").await.is(200);
        assert!(began.elapsed().unwrap() < Duration::from_secs(3));
        let line = gate.line(&reply).await;
        tries.push(line["tries"].as_u64().unwrap());
        if line["tries"] == 2 {
            assert_eq!(line["failed_tries"][0]["code"], "DEADLINE_EXCEEDED", "{line}");
        }
    }
    tries.sort_unstable();
    assert_eq!(tries, [1, 2]);
    hangs.cancelled(1).await;
}

#[tokio::test]
async fn what_may_not_be_repeated_has_all_the_time_until_the_deadline() {
    let latch = Latch::default();
    let kitchen = {
        let latch = latch.clone();
        Upstream::answering(move |_| Answer::wire(b"").when(&latch)).await
    };
    let gate = gate(&[&kitchen.url()], "{ try_timeout: 50ms, deadline: 20s }").await;
    let cooked = tokio::spawn(gate.post("/v1/dishes/soup:cook", &json!({})).into_future());
    kitchen.called(1).await;
    // Meanwhile a read has used up its tries.
    gate.get("/v1/dishes/soup").await.is(504);
    latch.open();
    cooked.await.unwrap().is(200);
}

#[tokio::test]
async fn a_stream_that_was_refused_is_made_again_whatever_it_does() {
    let (url, server) = rude(2, |mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let gate = gate(&[&url], "{}").await;
    let reply = gate.post("/v1/dishes/soup:cook", &json!({})).await.is(200);
    let line = gate.line(&reply).await;
    assert_eq!(line["tries"], 3, "{line}");
    assert_eq!(line["failed_tries"][1]["then"], "again", "{line}");
    server.abort();
}

#[tokio::test]
async fn a_call_behind_the_last_that_was_looked_at_is_made_again_why_ever_the_service_left() {
    use h2::Reason;
    for reason in [Reason::NO_ERROR, Reason::ENHANCE_YOUR_CALM, Reason::INTERNAL_ERROR] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (first, _) = listener.accept().await.unwrap();
            leave_at_the_second_call(first, reason).await;
            serve(listener, 0, drop).await;
        });
        let gate = gate(&[&url], "{}").await;
        until("readiness", async || gate.admin("/readyz").await.status == 200).await;
        let reply = gate.post("/v1/dishes/soup:cook", &json!({})).await.is(200);
        let line = gate.line(&reply).await;
        assert_eq!(line["tries"], 2, "{reason:?} {line}");
        assert_eq!(line["failed_tries"][0]["then"], "again", "{reason:?} {line}");
        server.abort();
    }
}

#[tokio::test]
async fn a_stream_that_was_reset_may_have_been_acted_on() {
    for reason in [h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL, h2::Reason::NO_ERROR] {
        let deal: fn(h2::server::SendResponse<Bytes>) = match reason {
            h2::Reason::CANCEL => |mut respond| respond.send_reset(h2::Reason::CANCEL),
            h2::Reason::NO_ERROR => drop,
            _ => |mut respond| respond.send_reset(h2::Reason::INTERNAL_ERROR),
        };
        let (url, server) = rude(1, deal).await;
        let gate = gate(&[&url], "{}").await;
        let reply = gate.post("/v1/dishes/soup:cook", &json!({})).await.is(503);
        assert_eq!(reply.problem()["code"], "UNAVAILABLE");
        let line = gate.line(&reply).await;
        assert_eq!(
            (&line["tries"], &line["failed_tries"][0]["then"]),
            (&json!(1), &json!("unsafe"))
        );
        server.abort();
        let (url, server) = rude(1, deal).await;
        let gate = self::gate(&[&url], "{}").await;
        let reply = gate.get("/v1/dishes/soup").await.is(200);
        assert_eq!(gate.line(&reply).await["tries"], 2);
        server.abort();
    }
}

#[tokio::test]
async fn a_service_that_asks_for_no_retry_gets_none_and_one_that_asks_for_patience_gets_it() {
    for (told, tries, then) in [
        ("-1", 1, "pushback"),
        ("soon", 1, "pushback"),
        ("0", 3, "attempts"),
        ("60000", 1, "deadline"),
    ] {
        let kitchen = Upstream::answering(move |_| {
            Answer::error(Code::Unavailable, "closed").trailer("grpc-retry-pushback-ms", told)
        })
        .await;
        let gate = gate(&[&kitchen.url()], "{}").await;
        let began = SystemTime::now();
        let reply = gate.get("/v1/dishes/soup").await.is(503);
        assert!(began.elapsed().unwrap() < Duration::from_secs(4), "nobody waits for nothing");
        let line = gate.line(&reply).await;
        assert_eq!(kitchen.seen().len(), tries, "{told}");
        assert_eq!(line["failed_tries"].as_array().unwrap().last().unwrap()["then"], then);
    }
}

#[tokio::test]
async fn of_a_stream_only_the_beginning_is_tried_again() {
    let answers = AtomicUsize::new(0);
    let kitchen = Upstream::answering(move |_| match answers.fetch_add(1, Relaxed) {
        0 => Answer::error(Code::Unavailable, "closed"),
        _ => Answer::wire(b"").trailer("grpc-status", "14"),
    })
    .await;
    let gate = gate(&[&kitchen.url()], "{}").await;
    let watch = gate.get("/v1/dishes:watch").header("accept", "application/x-ndjson");
    let reply = watch.await.is(200);
    assert!(reply.text().starts_with("{}\n{\"error\":"), "{reply}");
    assert_eq!(kitchen.seen().len(), 2);
    let line = gate.line(&reply).await;
    assert_eq!((&line["tries"], &line["code"]), (&json!(2), &json!("UNAVAILABLE")));
}

#[tokio::test]
async fn an_open_breaker_answers_for_the_service_and_lets_one_probe_through_at_a_time() {
    let (well, latch) = (Latch::default(), Latch::default());
    let answers = AtomicUsize::new(0);
    let kitchen = {
        let (well, latch) = (well.clone(), latch.clone());
        Upstream::answering(move |_| match answers.fetch_add(1, Relaxed) {
            0..3 => Answer::error(Code::Unavailable, "closed"),
            3 => Answer::wire(b"").when(&latch),
            _ => Answer::wire(b"").when(&well),
        })
        .await
    };
    let breaker = "{ attempts: 1, breaker: { failures: 3, open: 1s, max_open: 1s } }";
    let gate = gate(&[&kitchen.url()], breaker).await;
    for _ in 0..3 {
        gate.get("/v1/dishes/soup").await.is(503);
    }
    let reply = gate.get("/v1/dishes/soup").await.is(503);
    let problem = reply.problem();
    assert_eq!(
        (&problem["type"], &problem["code"]),
        (&json!("/problems/upstream-failing"), &json!("UNAVAILABLE"))
    );
    assert_eq!(reply.header("retry-after"), "1");
    let line = gate.line(&reply).await;
    assert_eq!((&line["tries"], &line["origin"]), (&json!(0), &json!("upstream")));
    assert_eq!(kitchen.seen().len(), 3, "it is left alone");

    // When its time is over, the first request is the probe; as long as it has no answer, nobody else is let through.
    let probe = || gate.get("/v1/dishes/soup");
    until("a probe is let through", async || {
        let asked = tokio::spawn(probe().into_future());
        tokio::select! {
            () = kitchen.called(4) => true,
            reply = asked => { reply.unwrap().is(503); false }
        }
    })
    .await;
    for _ in 0..3 {
        gate.get("/v1/dishes/soup").await.is(503);
    }
    assert_eq!(kitchen.seen().len(), 4);
    latch.open();
    well.open();
    until("it is closed again", async || gate.get("/v1/dishes/soup").await.status == 200).await;
    gate.get("/v1/dishes/soup").await.is(200);
}

#[tokio::test]
async fn a_breaker_opens_for_the_endpoint_that_fails_and_for_no_other() {
    let bad = Upstream::answering(|_| Answer::error(Code::Unavailable, "closed")).await;
    let good = Upstream::content().await;
    let breaker = "{ breaker: { failures: 3, open: 1m, max_open: 1m }, retry_budget: 100% }";
    let gate = gate(&[&bad.url(), &good.url()], breaker).await;
    for _ in 0..20 {
        gate.get("/v1/dishes/soup").await.is(200);
    }
    assert_eq!((bad.seen().len(), good.seen().len()), (3, 20));
}

#[tokio::test]
async fn what_a_client_gets_wrong_opens_no_breaker() {
    let kitchen = Upstream::answering(|_| Answer::error(Code::NotFound, "none")).await;
    let gate = gate(&[&kitchen.url()], "{ breaker: { failures: 1, volume: 1, rate: 1% } }").await;
    for _ in 0..10 {
        gate.get("/v1/dishes/soup").await.is(404);
    }
    let hangs = Upstream::answering(|_| Answer::never()).await;
    let gate =
        self::gate(&[&hangs.url()], "{ breaker: { failures: 1, volume: 1, rate: 1% } }").await;
    for _ in 0..4 {
        gate.get("/v1/dishes/soup").header("grpc-timeout", "50m").await.is(504);
    }
    assert_eq!(hangs.seen().len(), 4, "a client that does not wait is no sign of a bad service");
}

#[tokio::test]
async fn calls_that_are_cancelled_leave_their_places() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate = gate(&[&kitchen.url()], "{ max_requests: 2, max_queue: 0 }").await;
    for round in 1..=3 {
        let asked = [(); 2].map(|()| tokio::spawn(gate.get("/v1/dishes/soup").into_future()));
        kitchen.called(2 * round).await;
        gate.get("/v1/dishes/soup").await.is(503);
        asked.iter().for_each(JoinHandle::abort);
        kitchen.cancelled(2 * round).await;
    }
}

#[tokio::test]
async fn answers_that_come_too_late_for_whoever_gave_up_cost_nobody_else_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = Arc::new(Notify::new());
    let server = tokio::spawn({
        let told = Arc::clone(&told);
        async move {
            let (first, _) = listener.accept().await.unwrap();
            answer_late(first, told).await;
        }
    });
    let gate = gate(&[&url], "{ attempts: 1, deadline: 30s }").await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let cooked = tokio::spawn(gate.post("/v1/dishes/soup:cook", &json!({})).into_future());
    let ask = || gate.get("/v1/dishes/soup").header("grpc-timeout", "50m").into_future();
    // More of them than the transport counts before it closes the connection: 1024.
    for _ in 0..20 {
        let given_up: Vec<_> = std::iter::repeat_with(|| tokio::spawn(ask())).take(80).collect();
        for given_up in given_up {
            let reply = given_up.await.unwrap();
            assert_eq!(reply.status, 504, "{}", gate.line(&reply).await);
        }
    }
    told.notify_one();
    let cooked = cooked.await.unwrap();
    assert_eq!(cooked.status, 200, "{}", gate.line(&cooked).await);
    server.abort();
}

#[tokio::test]
async fn a_reload_forgives_nobody() {
    let kitchen = Upstream::answering(|_| Answer::error(Code::Unavailable, "closed")).await;
    let breaker = "{ attempts: 2, breaker: { failures: 4, open: 1m, max_open: 1m } }";
    let mut gate = gate(&[&kitchen.url()], breaker).await;
    gate.get("/v1/dishes/soup").await.is(503);
    gate.get("/v1/dishes/soup").await.is(503);
    assert_eq!(kitchen.seen().len(), 4);
    gate.rewrite(|config| config.section("monitoring", "{ log: json }"));
    gate.hang_up().await;
    let problem = gate.get("/v1/dishes/soup").await.is(503).problem();
    assert_eq!(problem["type"], "/problems/upstream-failing");
    assert_eq!(kitchen.seen().len(), 4);
}
