//! When the gateway says that requests may come.

use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::stand::{Answer, Gate, Issuer, Key, Latch, Upstream, until};

#[tokio::test]
async fn ready_when_everything_was_tried_even_if_nothing_answers() {
    let gate = Gate::start(|config| {
        config.upstream("kitchen", "kitchen.v1.Kitchen", &["http://127.0.0.1:9"])
    })
    .await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    assert_eq!(gate.admin("/readyz").await.text(), "ready\n");
    gate.get("/v1/dishes/soup").await.is(503);
}

#[tokio::test]
async fn not_ready_before_the_keys_were_tried() {
    let latch = Latch::default();
    let issuer = Issuer::slow(&Key::new("k1"), &latch).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    until("the keys are asked for", async || issuer.asked() == 1).await;
    assert_eq!(gate.admin("/readyz").await.is(503).text(), "not ready\n");
    gate.admin("/healthz").await.is(200);
    gate.get("/v1/dishes/soup").await.is(200);
    latch.open();
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
}

#[tokio::test]
async fn an_upstream_that_swallows_everything_delays_readiness_for_five_seconds_at_most() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hole.local_addr().unwrap());
    let gate =
        Gate::start(|config| config.upstream("kitchen", "kitchen.v1.Kitchen", &[&url])).await;
    let opened = SystemTime::now();
    assert_eq!(gate.admin("/readyz").await.status, 503);
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let waited = opened.elapsed().unwrap();
    assert!(waited < Duration::from_millis(7500), "{waited:?}");
}

#[tokio::test]
async fn not_ready_while_it_drains() {
    let latch = Latch::default();
    let kitchen = {
        let latch = latch.clone();
        Upstream::answering(move |_| Answer::wire(b"").when(&latch)).await
    };
    let gate = Gate::before(&kitchen).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let asked = tokio::spawn(gate.get("/v1/dishes/soup").into_future());
    kitchen.called(1).await;
    gate.signal(Signal::TERM);
    until("the drain", async || gate.admin("/readyz").await.status == 503).await;
    gate.admin("/healthz").await.is(200);
    latch.open();
    asked.await.unwrap().is(200);
}
