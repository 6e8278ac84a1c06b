//! What a body may be, and what becomes of it.

use http::Method;
use serde_json::json;

use crate::stand::{Gate, Upstream, Wire, until};

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (content_type, status) in [
        ("application/json", 200),
        ("Application/JSON", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json;charset=\"UTF-8\"", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=latin1", 415),
        ("text/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=a", 415),
        ("application/jsonp", 415),
        ("application/problem+json", 415),
        ("application/protobuf", 415),
        ("", 415),
    ] {
        let ask = gate.ask(Method::POST, "/v1/dishes").header("content-type", content_type);
        let reply = ask.body(r#"{"id":"soup"}"#).await;
        assert_eq!(reply.status, status, "{content_type:?}: {reply}");
        assert_eq!(kitchen.seen().len(), usize::from(status == 200), "{content_type:?}");
        kitchen.forget();
    }
    gate.ask(Method::POST, "/v1/dishes").body(r#"{"id":"soup"}"#).await.is(415);
    let twice = gate.ask(Method::POST, "/v1/dishes").header("content-type", "application/json");
    twice.header("content-type", "application/json").body("{}").await.is(415);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    gate.ask(Method::POST, "/v1/dishes").await.is(200);
    assert_eq!(kitchen.only_call().message, "");
    gate.ask(Method::POST, "/v1/dishes/soup:cook").await.is(200);
    assert_eq!(kitchen.only_call().json("CookDishRequest"), json!({"id": "soup"}));
    gate.ask(Method::PATCH, "/v1/dishes/soup?updateMask=name").await.is(200);
    let expected = json!({"dish": {"id": "soup"}, "updateMask": "name"});
    assert_eq!(kitchen.only_call().json("UpdateDishRequest"), expected);
    // Chunks without content are no body either.
    let request = "POST /v1/dishes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    assert_eq!(Wire::talk(&gate, request).await[0].status, 200);
    assert_eq!(kitchen.only_call().message, "");
}

#[tokio::test]
async fn a_body_that_comes_in_pieces_is_one_body() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let mut wire = Wire::open(&gate).await;
    wire.send("POST /v1/dishes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for piece in
        ["2\r\n{\"\r\n", "3;note=x\r\nid\"\r\n", "8\r\n:\"soup\"}\r\n", "0\r\nX-Trailer: 1\r\n\r\n"]
    {
        wire.send(piece).await;
    }
    wire.answer().await.is(200);
    let seen = kitchen.only_call();
    assert_eq!(seen.json("Dish"), json!({"id": "soup"}));
    assert_eq!(seen.header("x-trailer"), None);
}

/// Nobody has to send four megabytes to learn that they are not wanted.
#[tokio::test]
async fn a_body_that_is_refused_anyway_is_not_read() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (line, status) in [
        ("POST /v1/dishes HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 9", 415),
        ("POST /v1/dishes HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue", 415),
        ("POST /v1/dishes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{", 415),
        ("GET /v1/dishes/soup HTTP/1.1\r\nContent-Length: 9", 400),
        ("GET /v1/dishes/soup HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{", 400),
    ] {
        // The rest of the body never comes.
        let mut wire = Wire::open(&gate).await;
        let (first, rest) = line.split_once("\r\n\r\n").unwrap_or((line, ""));
        wire.send(format!("{first}\r\nHost: a\r\n\r\n{rest}\r\n")).await;
        wire.answer().await.is(status);
    }
    kitchen.saw_nothing();
    // Chunks without content are no body on a route without one either.
    let request = "GET /v1/dishes/soup HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    assert_eq!(Wire::talk(&gate, request).await[0].status, 200);
}

#[tokio::test]
async fn who_asks_first_is_told_to_go_on() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let mut wire = Wire::open(&gate).await;
    wire.send("POST /v1/dishes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(wire.answer().await.status, 100);
    wire.send("{}").await;
    wire.answer().await.is(200);
    assert_eq!(kitchen.only_call().message, "");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    gate.ask(Method::POST, "/v1/dishes")
        .header("content-type", "application/json")
        .body(padded(4 << 20))
        .await
        .is(200);
    assert_eq!(kitchen.only_call().message, "");
}

#[tokio::test]
async fn json_that_is_not_the_message_is_refused_with_its_place() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"notes":{}{}}}"#, r#"{"a":"#.repeat(10_000), "1");
    for (what, body, field) in [
        ("not JSON", "soup", ""),
        ("a list", "[]", ""),
        ("null", "null", ""),
        ("half", r#"{"id":"soup""#, ""),
        ("something behind", r#"{"id":"soup"} {}"#, ""),
        ("a comma too much", r#"{"id":"soup",}"#, ""),
        ("an unknown field", r#"{"chef":{"age":1}}"#, "chef.age"),
        ("a key twice", r#"{"id":"a","id":"b"}"#, "id"),
        ("a field in two spellings", r#"{"chef":{},"name":"a","name":"b"}"#, "name"),
        ("two members of a oneof", r#"{"plate":"a","bowl":1}"#, "bowl"),
        ("a text for a number", r#"{"price":"much"}"#, "price"),
        ("a fraction for an integer", r#"{"price":1.5}"#, "price"),
        ("a number out of range", r#"{"chef":{"stars":2147483648}}"#, "chef.stars"),
        ("a 64-bit number out of range", r#"{"price":"9223372036854775808"}"#, "price"),
        ("an unknown enum value", r#"{"taste":"TASTE_BITTER"}"#, "taste"),
        ("a number for a text", r#"{"id":7}"#, "id"),
        ("bad base64", r#"{"photo":"?"}"#, "photo"),
        ("a lone surrogate", r#"{"id":"\ud800"}"#, "id"),
        ("a bad duration", r#"{"time":"soon"}"#, "time"),
        ("an element of a list", r#"{"tags":["a",1]}"#, "tags[1]"),
        ("a value of a map", r#"{"parts":{"a":"x"}}"#, "parts"),
        ("an any of an unknown type", r#"{"extra":{"@type":"a/b.C"}}"#, "extra"),
        ("brackets without end", &deep, ""),
        ("nesting without end", &nested, "notes"),
    ] {
        let ask = gate.ask(Method::POST, "/v1/dishes").header("content-type", "application/json");
        let reply = ask.body(body.to_owned()).await;
        let problem = reply.clone().is(400).problem();
        assert_eq!(problem["type"], "/problems/invalid-body", "{what}");
        let violation = &problem["details"][0]["fieldViolations"][0];
        let named = violation.get("field").and_then(|field| field.as_str()).unwrap_or_default();
        assert!(named.starts_with(field), "{what}: {problem}");
        assert!(reply.body.len() < 4096, "{what}: {reply}");
    }
    kitchen.saw_nothing();
    gate.get("/v1/dishes/alive").await.is(200);
}

#[tokio::test]
async fn a_secret_in_a_body_is_not_repeated() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.post("/v1/dishes", &json!({"secret": 12_345_678})).await;
    let line = gate.line(&reply).await;
    assert!(!reply.clone().is(400).text().contains("12345678"), "{reply}");
    assert!(!line.to_string().contains("12345678"), "{line}");
}

/// Clients that begin large bodies and do not end them fill the room, until they go or their deadline comes.
#[tokio::test]
async fn bodies_that_find_no_room_are_refused_at_once_and_small_ones_pass() {
    let kitchen = Upstream::content().await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 60s }"))
            .await;
    let large = async || {
        let mut wire = Wire::open(&gate).await;
        wire.send("POST /v1/dishes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\nExpect: 100-continue\r\n\r\n")
            .await;
        wire.answer().await
    };
    large().await.is(100);
    let mut hoarders = Vec::new();
    for _ in 0..8 {
        let mut wire = Wire::open(&gate).await;
        wire.send("POST /v1/dishes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4194304\r\n\r\n")
            .await;
        wire.send(vec![b' '; (4 << 20) - 1]).await;
        hoarders.push(wire);
    }
    until("the room is full", async || large().await.status == 503).await;
    let refused = large().await.is(503);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.problem()["type"], "/problems/overloaded");
    let small = gate.ask(Method::POST, "/v1/dishes").header("content-type", "application/json");
    small.body("{}").await.is(200);
    drop(hoarders);
    until("there is room again", async || large().await.status == 100).await;
}
