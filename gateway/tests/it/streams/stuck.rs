//! Clients that leave their streams open and read nothing of them.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::Instant;

use super::flow::standstill;
use super::{ARRAY, EVENTS, WATCH};
use crate::stand::{Answer, Feed, Gate, Upstream, soon};

async fn kitchen() -> (Feed, Upstream) {
    let message = [&b"\x12\x80\xf4\x03"[..], &vec![b'x'; 64_000]].concat();
    let feed = Feed::repeating(&message, 10_000);
    let kitchen = {
        let feed = feed.clone();
        Upstream::answering(move |_| Answer::fed(&feed)).await
    };
    (feed, kitchen)
}

#[tokio::test]
async fn who_does_not_read_keeps_no_stream_beyond_its_age() {
    for http2 in [false, true] {
        let (feed, kitchen) = kitchen().await;
        let gate = Gate::start(|config| {
            config.kitchen(&kitchen).section("resilience", "{ stream_age: 2s }")
        })
        .await;
        let gate = if http2 { gate.speaking_http2() } else { gate };
        let open = gate.get(WATCH).header("accept", EVENTS).open().await;
        soon("a standstill", standstill(&feed)).await;
        kitchen.cancelled(1).await;
        let id = open.request_id();
        let (body, clean) = open.rest().await;
        assert!(clean && body.contains("event: error\ndata: {"), "{clean}");
        let line = gate.line_with_id(&id).await;
        assert_eq!((&line["code"], &line["origin"]), (&json!("UNAVAILABLE"), &json!("gateway")));
    }
}

#[tokio::test]
async fn who_does_not_read_does_not_hold_the_service_when_the_gateway_stops() {
    let (feed, kitchen) = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let _open = gate.get(WATCH).header("accept", ARRAY).open().await;
    soon("a standstill", standstill(&feed)).await;
    let told = Instant::now();
    gate.signal(Signal::TERM);
    kitchen.cancelled(1).await;
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}
