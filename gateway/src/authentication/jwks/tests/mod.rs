//! When the keys of an issuer are asked for, which answers count, and for how long. All over a scripted issuer and
//! the paused clock; the real sockets are in `outages`.

mod outages;
mod script;
mod usable;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::advance;

pub(in crate::authentication) use self::script::{Answer, Script};
use super::*;
use crate::authentication::tests::Signer;

fn signer(kid: &'static str) -> Signer {
    Signer::new(kid, Algorithm::Es256)
}

fn issuer(kids: &[&'static str]) -> (Arc<Script>, KeySet) {
    let script = Script::new(Answer::keys(kids.iter().map(|kid| signer(kid).jwk())));
    let keys = script.key_set(Algorithm::Es256);
    (script, keys)
}

/// What came of looking for a key.
async fn look(keys: &KeySet, kid: &str) -> &'static str {
    match keys.key(Some(kid)).await {
        Ok(_) => "found",
        Err(Error::UnknownKey) => "unknown",
        Err(Error::KeysUnavailable { .. }) => "unavailable",
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_at_once_are_one_fetch() {
    let (script, keys) = issuer(&["k1"]);
    let Answer::Body(body) = script.current() else { unreachable!() };
    script.answer(Answer::After(Duration::from_secs(2), body));
    let found = join_all((0..100).map(|_| look(&keys, "k1"))).await;
    assert_eq!(found, ["found"; 100]);
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_does_not_interrupt_the_fetch() {
    let (script, keys) = issuer(&["k1"]);
    let Answer::Body(body) = script.current() else { unreachable!() };
    script.answer(Answer::After(Duration::from_secs(2), body));
    let hasty = timeout(Duration::from_millis(10), look(&keys, "k1")).await;
    assert!(hasty.is_err());
    assert_eq!(look(&keys, "k1").await, "found");
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn invented_key_ids_cause_one_fetch_per_cooldown() {
    let (script, keys) = issuer(&["k1"]);
    assert_eq!(look(&keys, "k1").await, "found");
    for number in 0..1_000 {
        assert_eq!(look(&keys, &format!("invented-{number}")).await, "unknown");
        assert_eq!(look(&keys, "k1").await, "found");
        advance(Duration::from_millis(100)).await;
    }
    assert_eq!(script.asked(), 4, "at 0, 30, 60 and 90 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_counts_for_the_cooldown_too() {
    let (script, keys) = issuer(&["k1"]);
    assert_eq!(look(&keys, "k1").await, "found");
    script.answer(Answer::Status(500));
    advance(COOLDOWN).await;
    for _ in 0..100 {
        assert_eq!(look(&keys, "k2").await, "unknown");
        advance(Duration::from_millis(200)).await;
    }
    assert_eq!(script.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_keys_the_issuer_is_asked_once_a_second_at_most() {
    let (script, keys) = issuer(&["k1"]);
    script.answer(Answer::Status(500));
    for _ in 0..1_000 {
        assert_eq!(look(&keys, "k1").await, "unavailable");
        advance(Duration::from_millis(20)).await;
    }
    assert!((10..=24).contains(&script.asked()), "{} times in 20 s", script.asked());
}

#[tokio::test(start_paused = true)]
async fn without_keys_and_without_requests_the_pauses_grow_to_a_few_seconds() {
    let (script, keys) = issuer(&["k1"]);
    script.answer(Answer::Status(500));
    keys.warm();
    sleep(Duration::from_mins(2)).await;
    assert!((20..=40).contains(&script.asked()), "{} times in 2 min", script.asked());
    script.answer(Answer::keys([signer("k1").jwk()]));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(keys.snapshot().usable, 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_work_within_a_second_of_an_issuer_that_starts_late() {
    for late in [0, 300, 1_000, 3_000, 10_000, 60_000] {
        let (script, keys) = issuer(&["k1"]);
        let good = script.current();
        script.answer(Answer::Status(502));
        keys.warm();
        sleep(Duration::from_millis(late)).await;
        script.answer(good);
        let up = Instant::now();
        while look(&keys, "k1").await != "found" {
            sleep(Duration::from_millis(50)).await;
        }
        assert!(up.elapsed() <= Duration::from_millis(1_100), "{late}: {:?}", up.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_first_answer_but_not_for_ever() {
    let (script, keys) = issuer(&["k1"]);
    script.answer(Answer::Hang(Duration::from_hours(1)));
    let begun = Instant::now();
    assert_eq!(look(&keys, "k1").await, "unavailable");
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_usable_key_replaces_nothing() {
    let good = signer("k1");
    for bad in [
        Answer::Status(500),
        Answer::Status(404),
        Answer::Body("{\"keys\":[]}".to_owned()),
        Answer::Body("{}".to_owned()),
        Answer::Body("[]".to_owned()),
        Answer::Body(format!("[[{}]]", signer("k1").jwk())),
        Answer::Body("null".to_owned()),
        Answer::Body(String::new()),
        Answer::Body("<html>".to_owned()),
        Answer::Body("{\"keys\":null}".to_owned()),
        Answer::Body("{\"keys\":[{}]}".to_owned()),
        Answer::Body("{\"keys\":[7,null,\"k1\"]}".to_owned()),
        Answer::keys([Signer::new("k1", Algorithm::EdDsa).jwk()]),
        Answer::keys([signer("k1").jwk(), signer("k1").jwk()]),
    ] {
        let script = Script::new(Answer::keys([good.jwk()]));
        let keys = script.key_set(Algorithm::Es256);
        let before = keys.key(Some("k1")).await.unwrap();
        script.answer(bad);
        advance(COOLDOWN).await;
        assert_eq!(look(&keys, "other").await, "unknown");
        assert_eq!(script.asked(), 2);
        assert!(keys.snapshot().failure.is_some());
        assert!(keys.holds(&before));
        assert_eq!(look(&keys, "k1").await, "found");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_within_a_cooldown() {
    let (script, keys) = issuer(&["k1"]);
    assert_eq!(look(&keys, "k1").await, "found");
    script.answer(Answer::keys([signer("k1").jwk(), signer("k2").jwk()]));
    assert_eq!(look(&keys, "k2").await, "unknown");
    advance(COOLDOWN).await;
    assert_eq!(look(&keys, "k2").await, "found");
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_disappears_without_being_asked_for() {
    let (script, keys) = issuer(&["k1", "k2"]);
    let withdrawn = keys.key(Some("k1")).await.unwrap();
    script.answer(Answer::keys([signer("k2").jwk()]));
    sleep(Duration::from_mins(3)).await;
    assert!(keys.holds(&withdrawn));
    sleep(Duration::from_mins(3)).await;
    assert!(!keys.holds(&withdrawn));
    assert_eq!(look(&keys, "k1").await, "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_stays_is_the_very_same_after_a_refresh() {
    let (one, two) = (signer("k1"), signer("k2"));
    let script = Script::new(Answer::keys([one.jwk()]));
    let keys = script.key_set(Algorithm::Es256);
    let before = keys.key(Some("k1")).await.unwrap();
    script.answer(Answer::keys([two.jwk(), one.jwk()]));
    sleep(Duration::from_mins(6)).await;
    assert_eq!(look(&keys, "k2").await, "found");
    assert!(keys.holds(&before));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_keys_serve_for_a_day_and_not_longer() {
    let (script, keys) = issuer(&["k1"]);
    let good = script.current();
    let held = keys.key(Some("k1")).await.unwrap();
    script.answer(Answer::Status(500));
    sleep(Duration::from_secs(24 * 60 * 60 - 1)).await;
    assert!(keys.holds(&held));
    assert_eq!(look(&keys, "k1").await, "found");
    sleep(Duration::from_secs(1)).await;
    assert!(!keys.holds(&held));
    assert_eq!(look(&keys, "k1").await, "unavailable");
    script.answer(good);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(look(&keys, "k1").await, "found");
    assert!(keys.holds(&held));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_answered_with_a_flood() {
    let (script, keys) = issuer(&["k1"]);
    assert_eq!(look(&keys, "k1").await, "found");
    script.answer(Answer::Status(500));
    sleep(Duration::from_hours(1)).await;
    assert!((10..=20).contains(&script.asked()), "{} times in an hour", script.asked());
}

#[tokio::test(start_paused = true)]
async fn tells_whether_an_attempt_has_ended_well_or_badly() {
    for answer in [Answer::Status(500), Answer::keys([signer("k1").jwk()])] {
        let script = Script::new(answer);
        let keys = script.key_set(Algorithm::Es256);
        assert!(!keys.tried());
        keys.warm();
        assert!(!keys.tried());
        sleep(Duration::from_millis(1)).await;
        assert!(keys.tried());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_for_a_set_that_was_dropped() {
    let (script, keys) = issuer(&["k1"]);
    keys.warm();
    keys.warm();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(script.asked(), 1);
    drop(keys);
    sleep(Duration::from_hours(2)).await;
    assert_eq!(script.asked(), 1);
    assert_eq!(Arc::strong_count(&script), 1);
}

#[test]
fn the_jitter_stays_within_a_fifth() {
    let pauses: Vec<_> =
        (0..1_000).map(|_| jittered(Duration::from_secs(100)).as_secs_f64()).collect();
    assert!(pauses.iter().all(|pause| (79.9..=120.1).contains(pause)));
    assert!(pauses.iter().any(|&pause| pause < 90.0) && pauses.iter().any(|&pause| pause > 110.0));
}
