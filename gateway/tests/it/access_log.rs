//! One line for each request, and nothing in it that should not be there.

use serde_json::{Value, json};

use crate::stand::{Answer, Gate, Issuer, Key, Upstream, Wire, now};

#[tokio::test]
async fn a_line_tells_who_asked_what_and_what_became_of_it() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "soup"}))).await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    let reply = gate.get("/v1/menus/lunch/dishes/soup").token(&key.token(&json!({}))).await.is(200);
    let line = gate.line(&reply).await;
    for (member, expected) in [
        ("request_id", json!(reply.request_id())),
        ("client", json!("127.0.0.1")),
        ("principal", json!("ada")),
        ("method", json!("GET")),
        ("path", json!("/v1/menus/lunch/dishes/soup")),
        ("route", json!("/v1/menus/{menu}/dishes/{id}")),
        ("rpc", json!("kitchen.v1.Kitchen/GetDish")),
        ("endpoint", json!(kitchen.url())),
        ("tries", json!(1)),
        ("status", json!(200)),
        ("code", json!("OK")),
        ("sent", json!(reply.body.len())),
        ("complete", json!(true)),
        ("origin", Value::Null),
        ("cause", Value::Null),
    ] {
        assert_eq!(line[member], expected, "{member}: {line}");
    }
    line["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let steps = line["steps_us"].as_object().unwrap();
    for step in ["route", "authenticate", "admit", "read", "call", "render"] {
        assert!(steps[step].is_u64(), "{step}: {line}");
    }
    let sum: u64 = steps.values().filter_map(Value::as_u64).sum();
    assert!(sum <= line["duration_us"].as_u64().unwrap(), "{line}");
}

#[tokio::test]
async fn a_line_ends_where_the_request_ended() {
    let kitchen = Upstream::content().await;
    let issuer = Issuer::of(&Key::new("k1")).await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("CookDish", "authenticated")
    })
    .await;
    for (reply, steps) in [
        (gate.get("/v2").await, [].as_slice()),
        (gate.post("/v1/dishes/soup:cook", &json!({})).await, &["route", "authenticate"]),
        (gate.get("/v1/dishes?pageSize=x").await, &["route", "authenticate", "admit"]),
        (gate.ask(http::Method::OPTIONS, "/v1/dishes").await, &[]),
    ] {
        let line = gate.line(&reply).await;
        let mut taken: Vec<&str> =
            line["steps_us"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = steps.to_vec();
        taken.sort_unstable();
        expected.sort_unstable();
        assert_eq!(taken, expected, "{line}");
        assert_eq!(line["status"], reply.status);
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn each_request_has_exactly_one_line() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let mut ids = Vec::new();
    for (line, _) in [
        ("GET /v1/dishes/soup", 200),
        ("GET /v2", 404),
        ("PUT /v1/dishes", 405),
        ("GET /v1//dishes", 400),
        ("HEAD /v1/dishes", 200),
        ("OPTIONS /v1/dishes", 204),
        ("FOO /v1/dishes", 501),
        ("GET /v1/dishes?x=1", 400),
    ] {
        ids.push(Wire::ask(&gate, line).await.request_id().to_owned());
    }
    for id in &ids {
        gate.line_with_id(id).await;
    }
    assert_eq!(gate.lines().len(), ids.len());
    for line in gate.lines() {
        assert!(serde_json::from_str::<Value>(&line).unwrap().is_object(), "{line}");
    }
}

#[tokio::test]
async fn no_secret_is_written_down() {
    let kitchen = Upstream::content().await;
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let gate = Gate::start(|config| {
        let config = config.kitchen(&kitchen).issuer(&issuer).environment("RUST_LOG", "info");
        config.section("transcoding", "{ request_headers: [x-api-key] }")
    })
    .await;
    let token = key.token(&json!({"exp": now() - 100}));
    let requests = [
        gate.get("/v1/dishes?pageToken=hush-query").await,
        gate.get("/v1/dishes?secret=hush-query").await,
        gate.get("/v1/dishes?access_token=hush-query&pageSize=x").await,
        gate.post("/v1/dishes", &json!({"secret": "hush-body"})).await,
        gate.post("/v1/dishes", &json!({"secret": ["hush-body"]})).await,
        gate.get("/v1/dishes").header("x-api-key", "hush-header").await,
        gate.get("/v1/dishes").header("cookie", "hush-cookie").await,
        gate.get("/v1/dishes").token(&token).await,
        gate.get("/v1/dishes").token("hush-token").await,
        gate.get("/v1/dishes").header("authorization", "Basic hush-basic").await,
    ];
    for reply in &requests {
        gate.line(reply).await;
    }
    let all = [gate.lines(), gate.errors.lines()].concat().join("\n");
    let signature = token.rsplit('.').next().unwrap();
    for secret in ["hush", signature] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[tokio::test]
async fn nothing_a_client_sends_begins_a_line() {
    let kitchen =
        Upstream::answering(|_| Answer::error(tonic::Code::NotFound, "a%0A{%22level%22:1}%1B[31m"))
            .await;
    let gate = Gate::before(&kitchen).await;
    let evil = "%7B%22level%22%3A%22error%22%7D";
    let replies = [
        Wire::ask(&gate, &format!("GET /v1/dishes/{evil}")).await,
        Wire::ask(&gate, "GET /v1/dishes/{\"level\":\"error\"}").await,
        Wire::ask_with(
            &gate,
            "GET /v1/dishes/soup",
            "User-Agent: {\"level\":\"error\"}\r\nX-Request-Id: {\"a\":1}\r\n",
        )
        .await,
        Wire::ask(&gate, "GET /v1/dishes?pageSize=%0A%1B[31m").await,
    ];
    for reply in &replies {
        gate.line(reply).await;
    }
    assert_eq!(gate.lines().len(), replies.len());
    for line in gate.lines() {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line.get("level"), None, "{line}");
    }
    assert!(gate.lines().iter().all(|line| !line.contains('\u{1b}')));
}

/// What it says about itself at level trace is far more than a pipe holds.
#[tokio::test]
async fn a_gateway_that_nobody_listens_to_still_answers() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start_unheard(|config| config.kitchen(&kitchen)).await;
    for number in 0..200 {
        gate.get(&format!("/v1/dishes/{number}")).await.is(200);
    }
    gate.admin("/readyz").await.is(200);
}
