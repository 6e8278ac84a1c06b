//! SIGTERM and SIGINT: no request falls, no line is lost.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::Instant;

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

/// Four hundred lines, and nobody reads them at all.
#[tokio::test]
async fn a_log_that_nobody_reads_is_no_reason_to_stay() {
    let kitchen = Upstream::content().await;
    let read = Latch::default();
    let mut gate = Gate::start_unread(|config| config.kitchen(&kitchen), &read).await;
    let asked = (0..400).map(|number| gate.get(&format!("/v1/dishes/{number}")).into_future());
    for reply in futures_util::future::join_all(asked).await {
        reply.is(200);
    }
    gate.signal(Signal::TERM);
    let words = gate.errors.all().await;
    assert!(words.last().unwrap().contains("its last lines are lost"), "{words:?}");
    read.open();
    let (status, lines) = gate.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(lines.len() < 400, "{}", lines.len());
}

#[tokio::test]
async fn requests_are_taken_while_the_word_spreads_that_none_should_come() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let mut idle = Wire::open(&gate).await;
    idle.send("GET /v1/dishes/a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.answer().await.is(200).header("connection"), "");
    gate.signal(Signal::TERM);
    until("the drain", async || gate.admin("/readyz").await.status == 503).await;
    idle.send("GET /v1/dishes/b HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.answer().await.is(200).header("connection"), "close");
    assert_eq!(idle.closed().await, "");
    let request = "GET /v1/dishes/c HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = Wire::talk(&gate, request).await;
    assert_eq!((answers.len(), answers[0].header("connection")), (1, "close"));
    let (status, lines) = gate.ended().await;
    assert_eq!((status.code(), lines.len()), (Some(0), 3));
}

#[tokio::test]
async fn a_second_signal_ends_the_wait() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let mut gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 60s }"))
            .await;
    let mut wire = Wire::open(&gate).await;
    wire.send("GET /v1/dishes/soup HTTP/1.1\r\nHost: a\r\n\r\n").await;
    kitchen.called(1).await;
    gate.signal(Signal::TERM);
    gate.errors.lines_that("the drain", 1, |line| line.contains("draining")).await;
    let told = Instant::now();
    gate.signal(Signal::INT);
    let (status, lines) = gate.ended().await;
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    assert_eq!((status.code(), lines.len()), (Some(0), 1));
    assert!(lines[0].contains("CANCELLED"), "{lines:?}");
}

#[tokio::test]
async fn an_operator_who_says_half_a_word_holds_nobody_up() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    let mut operator = Wire::open_at(gate.admin).await;
    operator.send("GET /heal").await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_gateway_without_requests_ends_soon() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    gate.signal(Signal::TERM);
    let (status, lines) = gate.ended().await;
    assert_eq!((status.code(), lines.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_and_has_its_line() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let mut gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("resilience", "{ deadline: 60s, attempts: 1 }")
    })
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
