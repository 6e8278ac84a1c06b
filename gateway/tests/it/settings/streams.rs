use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::stand::{Answer, Gate, Upstream};

/// How the stream ends that says one message and nothing more, and how long that takes.
async fn end_of_stream(resilience: &str) -> (String, Duration) {
    let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", resilience)).await;
    let began = SystemTime::now();
    let reply = gate.get("/v1/dishes:watch").header("accept", "application/x-ndjson").await.is(200);
    kitchen.cancelled(1).await;
    assert_eq!(gate.line(&reply).await["origin"], "gateway");
    (reply.text(), began.elapsed().unwrap())
}

#[tokio::test]
async fn resilience_stream_idle() {
    let (said, waited) = end_of_stream("{ stream_idle: 1s }").await;
    assert!(said.starts_with("{}\n{\"error\":") && said.contains("sent nothing"), "{said}");
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test]
async fn resilience_stream_age() {
    let (said, waited) = end_of_stream("{ stream_age: 1s }").await;
    assert!(said.starts_with("{}\n{\"error\":") && said.contains("greatest age"), "{said}");
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited:?}");
}

/// What a client of events gets.
async fn events(kitchen: &Upstream, options: &str, headers: &[(&str, &str)]) -> String {
    let gate = Gate::start(|config| config.kitchen(kitchen).section("transcoding", options)).await;
    let ask = gate.get("/v1/dishes:watch").header("accept", "text/event-stream");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).await.is(200).text()
}

#[tokio::test]
async fn transcoding_event_id() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "a", "price": "7"}))).await;
    let rpc =
        |options: &str| format!("{{ rpcs: {{ kitchen.v1.Kitchen/WatchDishes: {options} }} }}");
    for (options, id) in
        [("{}", "\ndata"), ("{ event_id: id }", "\nid: a\n"), ("{ event_id: price }", "\nid: 7\n")]
    {
        let said = events(&kitchen, &rpc(options), &[]).await;
        assert!(said.starts_with(&format!("event: message{id}")), "{options}: {said}");
    }
}

#[tokio::test]
async fn transcoding_last_event_id() {
    let kitchen = Upstream::content().await;
    for (options, request) in [
        ("{}", json!({})),
        ("{ last_event_id: pageSize }", json!({"pageSize": 7})),
        ("{ last_event_id: filter.chef }", json!({"filter": {"chef": "7"}})),
    ] {
        let options = format!("{{ rpcs: {{ kitchen.v1.Kitchen/WatchDishes: {options} }} }}");
        events(&kitchen, &options, &[("last-event-id", "7")]).await;
        assert_eq!(kitchen.only_call().json("ListDishesRequest"), request, "{options}");
    }
}

#[tokio::test]
async fn transcoding_heartbeat() {
    for (heartbeat, beats) in [("1h", false), ("50ms", true)] {
        let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
        let gate = Gate::start(|config| {
            let config = config.kitchen(&kitchen).section("resilience", "{ stream_idle: 1s }");
            config.section("transcoding", &format!("{{ heartbeat: {heartbeat} }}"))
        })
        .await;
        let reply =
            gate.get("/v1/dishes:watch").header("accept", "text/event-stream").await.is(200);
        assert_eq!(reply.text().contains("\n\n:\n\n"), beats, "{heartbeat}: {}", reply.text());
    }
}
