//! SIGTERM and SIGINT: no request falls, no line is lost.

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::stand::{Answer, Gate, Latch, Upstream, Wire, until};

#[tokio::test]
async fn requests_under_way_end_and_so_does_the_process() {
    for signal in [Signal::TERM, Signal::INT] {
        let latch = Latch::default();
        let kitchen = {
            let latch = latch.clone();
            Upstream::answering(move |_| Answer::dish(&json!({"id": "soup"})).when(&latch)).await
        };
        let mut gate = Gate::before(&kitchen).await;
        let mut idle = Wire::open(&gate).await;
        idle.send("GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        idle.answer().await.is(404);
        let asked = tokio::spawn(gate.get("/v1/dishes/soup").into_future());
        kitchen.called(1).await;

        gate.signal(signal);
        let address = gate.address;
        until("the door is shut", async || TcpStream::connect(address).await.is_err()).await;
        assert_eq!(idle.closed().await, "", "an idle connection is closed");
        latch.open();
        let reply = asked.await.unwrap().is(200);
        assert_eq!(reply.json()["id"], "soup");
        let (status, lines) = gate.ended().await;
        assert_eq!(status.code(), Some(0));
        let ids: Vec<_> = lines.iter().filter(|line| line.contains(reply.request_id())).collect();
        assert_eq!((ids.len(), lines.len()), (1, 2), "{lines:?}");
        assert_eq!(
            gate.errors.all().await.iter().filter(|line| line.contains("draining")).count(),
            1
        );
    }
}

/// Four hundred lines are more than a pipe holds, so most of them still wait when the end comes.
#[tokio::test]
async fn every_line_is_written_before_the_end() {
    let kitchen = Upstream::content().await;
    let read = Latch::default();
    let mut gate = Gate::start_unread(|config| config.kitchen(&kitchen), &read).await;
    let asked = (0..400).map(|number| gate.get(&format!("/v1/dishes/{number}")).into_future());
    for reply in futures_util::future::join_all(asked).await {
        reply.is(200);
    }
    gate.signal(Signal::TERM);
    let address = gate.admin;
    until("the end", async || TcpStream::connect(address).await.is_err()).await;
    read.open();
    let (status, lines) = gate.ended().await;
    assert_eq!((status.code(), lines.len()), (Some(0), 400));
}

#[tokio::test]
async fn a_gateway_without_requests_ends_at_once() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    gate.signal(Signal::TERM);
    let (status, lines) = gate.ended().await;
    assert_eq!((status.code(), lines.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_and_has_its_line() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let mut gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 60s }"))
            .await;
    let mut wire = Wire::open(&gate).await;
    wire.send("GET /v1/dishes/soup HTTP/1.1\r\nHost: a\r\nX-Request-Id: cut-1\r\n\r\n").await;
    kitchen.called(1).await;
    gate.signal(Signal::TERM);
    let (status, lines) = gate.ended().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(lines.iter().filter(|line| line.contains("cut-1")).count(), 1, "{lines:?}");
    assert!(lines[0].contains("CANCELLED"), "{lines:?}");
    kitchen.cancelled(1).await;
    assert_eq!(wire.closed().await, "");
}
