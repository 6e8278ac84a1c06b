//! What a failure says about the endpoint, and what it does not.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::json;
use tonic::Code;

use super::{gate, rude};
use crate::stand::{Answer, Gate, Upstream};

#[tokio::test]
async fn whoever_hangs_loses_its_traffic_although_it_says_that_it_is_well() {
    let (hangs, good) = (Upstream::answering(|_| Answer::never()).await, Upstream::content().await);
    let gate = Gate::start(|config| {
        let urls = [hangs.url(), good.url()];
        let config =
            config.upstream("kitchen", "kitchen.v1.Kitchen", &urls.each_ref().map(|url| &**url));
        config.section("resilience", "{ deadline: 300ms, breaker: { enabled: false } }")
    })
    .await;
    let cook = || gate.post("/v1/dishes/soup:cook", &json!({}));
    let mut waited = 0;
    for _ in 0..60 {
        waited += usize::from(cook().await.status == 504);
    }
    assert!(waited <= 6, "{waited} of 60 waited for it");
    assert!(good.seen().len() >= 54);
}

#[tokio::test]
async fn nobody_is_left_out_because_of_an_answer_that_is_too_large_for_us() {
    let headers =
        || Answer::error(Code::InvalidArgument, "no").header("x-much", &"m".repeat(20_000));
    let message = || Answer::wire(&vec![0; 4 * 1024 * 1024 + 1]);
    for answer in [headers as fn() -> Answer, message] {
        let (large, good) =
            (Upstream::answering(move |_| answer()).await, Upstream::content().await);
        let gate = Gate::start(|config| {
            let urls = [large.url(), good.url()];
            let urls = urls.each_ref().map(|url| &**url);
            let config = config.upstream("kitchen", "kitchen.v1.Kitchen", &urls);
            let settings = "{ algorithm: round_robin, ejection: { failures: 1, time: 30s } }";
            config.section("load_balancing", settings)
        })
        .await;
        for _ in 0..8 {
            let status = gate.get("/v1/dishes/soup").await.status;
            assert!(matches!(status, 200 | 502), "{status}");
        }
        assert_eq!((large.seen().len(), good.seen().len()), (4, 4));
    }
}

#[tokio::test]
async fn the_breaker_of_an_only_endpoint_that_hangs_opens() {
    let hangs = Upstream::answering(|_| Answer::never()).await;
    let settings = "{ deadline: 100ms, breaker: { failures: 3, open: 1m, max_open: 1m } }";
    let gate = gate(&[&hangs.url()], settings).await;
    for _ in 0..3 {
        gate.post("/v1/dishes/soup:cook", &json!({})).await.is(504);
    }
    let reply = gate.post("/v1/dishes/soup:cook", &json!({})).await.is(503);
    assert_eq!(reply.problem()["type"], "/problems/upstream-failing");
    assert_eq!(hangs.seen().len(), 3);
}

/// Begins an answer, and refuses the call when that is on its way: at once it would take the place of what waits.
fn refuse_after(mut respond: h2::server::SendResponse<Bytes>, data: &'static [u8]) {
    let head = Response::builder().header("content-type", "application/grpc");
    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
    body.send_data(Bytes::from_static(data), false).unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        body.send_reset(h2::Reason::REFUSED_STREAM);
    });
}

#[tokio::test]
async fn a_stream_that_is_refused_after_its_answer_began_was_looked_at() {
    let deal: [fn(h2::server::SendResponse<Bytes>); 2] =
        [|respond| refuse_after(respond, &[]), |respond| refuse_after(respond, &[0; 5])];
    for deal in deal {
        let (url, server) = rude(1, deal).await;
        let gate = gate(&[&url], "{}").await;
        let reply = gate.post("/v1/dishes/soup:cook", &json!({})).await.is(503);
        let line = gate.line(&reply).await;
        assert_eq!(line["tries"], 1, "{line}");
        server.abort();
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_for_us_is_no_sign_of_a_bad_endpoint() {
    let kitchen = Upstream::answering(|_| {
        Answer::error(Code::InvalidArgument, "no").header("x-much", &"m".repeat(20_000))
    })
    .await;
    let settings = "{ breaker: { failures: 1, volume: 1, rate: 1% } }";
    let gate = gate(&[&kitchen.url()], settings).await;
    for round in 1..=4 {
        let problem = gate.get("/v1/dishes/soup").await.is(502).problem();
        assert_eq!(problem["type"], "/problems/malformed-answer");
        assert_eq!(kitchen.seen().len(), round, "once each");
    }
}
