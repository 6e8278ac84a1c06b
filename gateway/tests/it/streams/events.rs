use serde_json::json;

use super::{ARRAY, EVENTS, LINES, WATCH, dishes, watched};
use crate::stand::Gate;

const OPTIONS: &str =
    "{ rpcs: { kitchen.v1.Kitchen/WatchDishes: { event_id: price, last_event_id: pageSize } } }";

#[tokio::test]
async fn events_have_the_id_that_the_configuration_names() {
    let kitchen =
        dishes(vec![json!({"id": "a", "price": "7"}), json!({"id": "b"}), json!({"price": "9"})])
            .await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).section("transcoding", OPTIONS)).await;
    let reply = gate.get(WATCH).header("accept", EVENTS).await.is(200);
    assert_eq!(
        reply.text(),
        "event: message\nid: 7\ndata: {\"id\":\"a\",\"price\":\"7\"}\n\n\
         event: message\ndata: {\"id\":\"b\"}\n\n\
         event: message\nid: 9\ndata: {\"price\":\"9\"}\n\n\
         event: end\nid: :end\ndata: {}\n\n"
    );
    let lines = gate.get(WATCH).header("accept", LINES).await.is(200);
    assert!(!lines.text().contains("id: "), "only events have ids: {}", lines.text());
}

#[tokio::test]
async fn a_client_goes_on_behind_the_last_event_it_has_seen() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).section("transcoding", OPTIONS)).await;
    // A browser repeats the query as it was at first.
    let again = gate.get(&format!("{WATCH}?pageSize=1&pageToken=t")).header("accept", EVENTS);
    again.header("last-event-id", "41").await.is(200);
    let seen = kitchen.only_call();
    assert_eq!(seen.json("ListDishesRequest"), json!({"pageSize": 41, "pageToken": "t"}));
    assert_eq!(seen.header("last-event-id"), Some("41"));

    for (header, value) in [("last-event-id", ""), ("x-nothing", "1")] {
        let ask = gate.get(&format!("{WATCH}?pageSize=1")).header("accept", EVENTS);
        ask.header(header, value).await.is(200);
        let seen = kitchen.only_call();
        assert_eq!(seen.json("ListDishesRequest"), json!({"pageSize": 1}));
        assert_eq!(seen.header("last-event-id"), None);
    }
    for accept in [ARRAY, LINES] {
        let ask = gate.get(WATCH).header("accept", accept).header("last-event-id", "41");
        ask.await.is(200);
        let seen = kitchen.only_call();
        assert_eq!(seen.json("ListDishesRequest"), json!({}), "only events have ids");
        assert_eq!(seen.header("last-event-id"), None);
    }
}

#[tokio::test]
async fn a_last_event_that_is_none_is_refused() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).section("transcoding", OPTIONS)).await;
    for wrong in [&b"x"[..], b"1.5", b"\xff"] {
        let ask = gate.get(WATCH).header("accept", EVENTS).header("last-event-id", wrong);
        let problem = ask.await.is(400).problem();
        assert_eq!(problem["type"], "/problems/invalid-field");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("the header `last-event-id`: "), "{detail}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_last_event_longer_than_any_is_no_trouble_of_the_service() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::before(&kitchen).await;
    let again = |length: usize| {
        gate.get(WATCH).header("accept", EVENTS).header("last-event-id", vec![b'x'; length])
    };
    again(1024).await.is(200);
    assert_eq!(kitchen.only_call().header("last-event-id").map(str::len), Some(1024));
    for length in [1025, 30_000] {
        let problem = again(length).await.is(400).problem();
        assert_eq!(problem["type"], "/problems/invalid-field");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("longer than 1024 bytes"), "{detail}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn who_has_seen_the_end_is_told_to_stop() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::before(&kitchen).await;
    let ask = gate.get(WATCH).header("accept", EVENTS).header("last-event-id", ":end");
    let reply = ask.await.is(204);
    assert_eq!(reply.text(), "");
    kitchen.saw_nothing();
    gate.get(WATCH).header("accept", ARRAY).header("last-event-id", ":end").await.is(200);
}

#[tokio::test]
async fn an_end_is_told_only_to_those_who_may_listen() {
    let kitchen = dishes(vec![]).await;
    let key = crate::stand::Key::new("k1");
    let issuer = crate::stand::Issuer::of(&key).await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("WatchDishes", "authenticated")
    })
    .await;
    let ask = gate.get(WATCH).header("accept", EVENTS).header("last-event-id", ":end");
    ask.await.is(401);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn silence_is_broken_by_heartbeats_that_no_client_sees() {
    let feed = crate::stand::Feed::new();
    let kitchen = {
        let feed = feed.clone();
        crate::stand::Upstream::answering(move |_| crate::stand::Answer::fed(&feed)).await
    };
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("transcoding", "{ heartbeat: 50ms }")
    })
    .await;
    feed.dish(&json!({"id": "1"}));
    let mut open = gate.get(WATCH).header("accept", EVENTS).open().await;
    let message = "event: message\ndata: {\"id\":\"1\"}\n\n";
    assert_eq!(open.up_to(message).await, message);
    for _ in 0..3 {
        assert_eq!(open.up_to("\n\n").await, ":\n\n");
    }
    feed.dish(&json!({"id": "2"}));
    let rest = open.up_to("}\n\n").await;
    assert!(rest.ends_with("event: message\ndata: {\"id\":\"2\"}\n\n"), "{rest}");
}

#[tokio::test]
async fn without_a_word_about_heartbeats_they_are_rare() {
    let (feed, _kitchen, gate) = watched().await;
    feed.dish(&json!({"id": "1"}));
    let mut open = gate.get(WATCH).header("accept", EVENTS).open().await;
    open.up_to("}\n\n").await;
    let silent = tokio::time::timeout(std::time::Duration::from_secs(1), open.up_to("\n")).await;
    assert!(silent.is_err(), "{silent:?}");
}
