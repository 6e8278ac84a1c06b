//! Endpoints that are not well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tonic::Code;

use super::ask;
use crate::stand::{Answer, Gate, Upstream, until};

const SERVING: &[u8] = b"\x08\x01";
const NOT_SERVING: &[u8] = b"\x08\x02";

async fn over(upstreams: &[&Upstream], settings: &str) -> Gate {
    let urls: Vec<String> = upstreams.iter().map(|upstream| upstream.url()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    Gate::start(|config| {
        config
            .upstream("kitchen", "kitchen.v1.Kitchen", &urls)
            .section("load_balancing", &format!("{{ {settings} }}"))
    })
    .await
}

#[tokio::test]
async fn who_says_that_it_is_not_well_gets_no_calls_until_it_is() {
    for (bad, good) in [
        (Answer::wire(NOT_SERVING), Answer::wire(SERVING)),
        (Answer::error(Code::NotFound, "no such service"), Answer::wire(SERVING)),
        (Answer::never(), Answer::error(Code::Unimplemented, "")),
    ] {
        let (sick, well) = (Upstream::content().await, Upstream::content().await);
        sick.is_as_well_as(bad);
        let gate = over(
            &[&sick, &well],
            "algorithm: round_robin, health_check: { interval: 250ms, timeout: 250ms }",
        )
        .await;
        until("it is left out", async || {
            sick.forget();
            ask(&gate, 4).await;
            sick.seen().is_empty()
        })
        .await;
        sick.is_as_well_as(good);
        until("it is back", async || {
            ask(&gate, 1).await;
            !sick.seen().is_empty()
        })
        .await;
        let line =
            |text: &str| gate.errors.lines().iter().filter(|line| line.contains(text)).count();
        until("both are told", async || {
            line("an endpoint is left out") >= 1 && line("an endpoint is back") >= 1
        })
        .await;
    }
}

#[tokio::test]
async fn when_all_say_that_they_are_not_well_they_are_called_nevertheless() {
    let (one, two) = (Upstream::content().await, Upstream::content().await);
    one.is_as_well_as(Answer::wire(NOT_SERVING));
    two.is_as_well_as(Answer::wire(NOT_SERVING));
    let gate = over(&[&one, &two], "algorithm: round_robin").await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    ask(&gate, 4).await;
    assert_eq!((one.seen().len(), two.seen().len()), (2, 2));
}

#[tokio::test]
async fn who_does_not_know_the_question_is_asked_once() {
    let (plain, other) = (Upstream::content().await, Upstream::content().await);
    other.is_as_well_as(Answer::wire(SERVING));
    let gate = over(&[&plain, &other], "health_check: { interval: 10ms }").await;
    until("the other is asked often", async || other.checks().len() > 10).await;
    assert_eq!(plain.checks().len(), 1);
    ask(&gate, 1).await;
}

/// 200 calls a second over three endpoints with the usual settings. One dies and comes back.
#[tokio::test]
async fn a_killed_one_of_three_is_left_out_within_a_second_and_back_within_five() {
    for healthy in [Answer::wire(SERVING), Answer::error(Code::Unimplemented, "")] {
        let mut endpoints = Vec::new();
        for _ in 0..3 {
            let endpoint = Upstream::content().await;
            endpoint.is_as_well_as(healthy.clone());
            endpoints.push(endpoint);
        }
        let gate = Arc::new(over(&endpoints.iter().collect::<Vec<_>>(), "").await);
        until("readiness", async || gate.admin("/readyz").await.status == 200).await;
        let errors = Arc::new(AtomicUsize::new(0));
        let load = {
            let (gate, errors) = (Arc::clone(&gate), Arc::clone(&errors));
            tokio::spawn(async move {
                let mut pace = tokio::time::interval(Duration::from_millis(5));
                loop {
                    pace.tick().await;
                    let (asked, errors) = (gate.get("/v1/dishes/soup"), Arc::clone(&errors));
                    tokio::spawn(async move {
                        if asked.await.status != 200 {
                            errors.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            })
        };
        let killed = endpoints.pop().unwrap();
        killed.called(100).await;
        let address = killed.url().trim_start_matches("http://").to_owned();
        let told = |text: &str| gate.errors.lines().iter().any(|line| line.contains(text));
        let at = SystemTime::now();
        drop(killed);
        until("it is left out", async || told("an endpoint is left out")).await;
        let out = at.elapsed().unwrap();
        assert!(out < Duration::from_secs(1), "{out:?}");
        let at = SystemTime::now();
        let back = Upstream::at(&address, |_| Answer::wire(b"")).await;
        back.is_as_well_as(healthy.clone());
        back.called(20).await;
        let waited = at.elapsed().unwrap();
        assert!(waited < Duration::from_secs(5), "{waited:?}");
        load.abort();
        // What was under way when it died is lost, and nothing after that.
        let errors = errors.load(Ordering::Relaxed);
        assert!(errors <= 3, "{errors} errors");
    }
}

#[tokio::test]
async fn more_calls_at_once_than_one_connection_takes_have_others() {
    let latch = crate::stand::Latch::default();
    let kitchen = {
        let latch = latch.clone();
        Upstream::answering(move |_| Answer::wire(b"").when(&latch)).await
    };
    let gate = Arc::new(over(&[&kitchen], "").await);
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    assert_eq!(kitchen.connections(), 1);
    let calls: Vec<_> =
        (0..250).map(|_| tokio::spawn(gate.get("/v1/dishes/soup").into_future())).collect();
    kitchen.called(250).await;
    assert_eq!(kitchen.connections(), 3);
    latch.open();
    for call in calls {
        call.await.unwrap().is(200);
    }
    ask(&gate, 10).await;
    assert_eq!(kitchen.connections(), 3);
}
