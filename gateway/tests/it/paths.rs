//! A path means one thing, to the gateway and to everything behind it.

use serde_json::json;

use crate::stand::{Gate, Issuer, Key, Upstream, Wire};

#[tokio::test]
async fn paths_with_two_readings_are_refused_at_once() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for path in [
        "/v1/dishes/../dishes/soup",
        "/v1/dishes/./soup",
        "/v1/dishes/..",
        "/v1/dishes/.",
        "/../v1/dishes/soup",
        "/v1/dishes/%2e%2e/dishes/soup",
        "/v1/dishes/%2E%2e/x",
        "/v1/dishes/.%2e/x",
        "/v1/dishes/..%2fdishes/soup",
        "/v1/dishes/a%2f..%2fb",
        "/v1/dishes/..;x=1/dishes",
        "/v1/dishes/..;/dishes",
        "/v1/dishes/..:cook",
        "/v1/files/..",
        "/v1/files/a/%2e%2e/b",
        "//v1/dishes/soup",
        "/v1//dishes/soup",
        "/v1/dishes//",
        "/v1/dishes\\soup",
        "/v1/dishes/..\\soup",
        "/v1/dishes/..%5csoup",
        "/v1/dishes/a%5Cb",
        "/v1/dishes/a%00b",
        "/v1/dishes/a%0d%0ab",
        "/v1/dishes/a%7fb",
        "/v1/dishes/%",
        "/v1/dishes/%2",
        "/v1/dishes/%zz",
        "/v1/dishes/%u002e",
        "/v1/dishes/%ff",
        "/v1/dishes/%c0%ae%c0%ae",
        "/v1/dishes/%ed%a0%80",
        "/v1/dishes?pageToken=%",
    ] {
        let reply = Wire::ask(&gate, &format!("GET {path}")).await;
        assert_eq!(reply.status, 400, "{path}: {reply}");
        let line = gate.line(&reply).await;
        assert_eq!(
            (line.get("route"), &line["code"]),
            (None, &json!("INVALID_ARGUMENT")),
            "{path}"
        );
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_resource_has_one_spelling() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for path in [
        "/v1/dishes/soup/",
        "/v1/dishes/",
        "/V1/dishes",
        "/v1/Dishes",
        "/v1/dishes/soup/photo/",
        "/v1",
        "/",
        "/v1/dishes:Watch",
        "/v1/files/a/",
    ] {
        let reply = Wire::ask(&gate, &format!("GET {path}")).await;
        assert_eq!(reply.status, 404, "{path}: {reply}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn what_is_encoded_in_a_path_is_data() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (path, id) in [
        ("/v1/dishes/a%2Fb", "a/b"),
        ("/v1/dishes/a%2fb", "a/b"),
        ("/v1/dishes/a%252Fb", "a%2Fb"),
        ("/v1/dishes/a+b", "a+b"),
        ("/v1/dishes/a%20b", "a b"),
        ("/v1/dishes/a%2Bb", "a+b"),
        ("/v1/dishes/caf%C3%A9", "café"),
        ("/v1/dishes/a%3Fb%23c", "a?b#c"),
        ("/v1/dishes/a;b=1", "a;b=1"),
        ("/v1/dishes/a:b", "a:b"),
        ("/v1/dishes/a%3Acook", "a:cook"),
        ("/v1/dishes/...", "..."),
        ("/v1/dishes/soup?", "soup"),
        ("/v1/dish%65s/soup", "soup"),
    ] {
        let reply = Wire::ask(&gate, &format!("GET {path}")).await;
        assert_eq!(reply.status, 200, "{path}: {reply}");
        assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": id}), "{path}");
    }
}

#[tokio::test]
async fn a_variable_of_several_segments_keeps_its_slashes_apart() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (path, rpc, name) in [
        ("/v1/files/a", "ReadFile", "files/a"),
        ("/v1/files/a/b/c", "ReadFile", "files/a/b/c"),
        ("/v1/files/a%2Fb/c%20d", "ReadFile", "files/a%2Fb/c d"),
        ("/v1/files/a:b", "ReadFile", "files/a:b"),
        ("/v1/files", "ReadFile", "files"),
        ("/v1/shelves/1/books/2:read", "ReadBook", "shelves/1/books/2"),
        ("/v1/shelves/a%2Fb/books/2:read", "ReadBook", "shelves/a%2Fb/books/2"),
    ] {
        let reply = Wire::ask(&gate, &format!("GET {path}")).await;
        assert_eq!(reply.status, 200, "{path}: {reply}");
        let seen = kitchen.only_call();
        assert_eq!(seen.rpc, format!("kitchen.v1.Kitchen/{rpc}"), "{path}");
        assert_eq!(seen.json("ReadRequest"), json!({"name": name}), "{path}");
    }
    for path in ["/v1/shelves/1/books/2", "/v1/shelves/1/books/2:write", "/v1/shelves/1/2:read"] {
        assert_eq!(Wire::ask(&gate, &format!("GET {path}")).await.status, 404, "{path}");
    }
}

/// No spelling of a public path leads to what is not public, and the other way round.
#[tokio::test]
async fn no_spelling_goes_around_the_access_line() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        let config = config.kitchen(&kitchen).issuer(&issuer);
        config
            .access("GetDish", "role:cook")
            .access("DeleteDish", "role:cook")
            .access("CountDishes", "role:cook")
    })
    .await;
    for line in [
        "GET /v1/dishes/soup",
        "GET /v1/menus/m/dishes/soup",
        "HEAD /v1/dishes/soup",
        "DELETE /v1/dishes/soup",
        "HEAD /v1/count",
        "GET /v1/dishes/soup?/v1/dishes",
        "GET /v1/dishes/soup?next=/v1/dishes",
        "GET /v1/dishes/%73oup",
        "GET /v1/dishes/soup%3Fx",
        "GET /v1/dishes/soup;public",
        "GET /v1/dish%65s/soup",
    ] {
        assert_eq!(Wire::ask(&gate, line).await.status, 401, "{line}");
    }
    for header in [
        "X-HTTP-Method-Override: GET",
        "X-HTTP-Method: GET",
        "X-Method-Override: GET",
        "X-Original-URL: /v1/dishes",
        "X-Rewrite-URL: /v1/dishes",
        "X-Forwarded-Prefix: /v1/dishes",
    ] {
        let reply = Wire::ask_with(&gate, "DELETE /v1/dishes/soup", &format!("{header}\r\n")).await;
        assert_eq!(reply.status, 401, "{header}");
    }
    kitchen.saw_nothing();
    Wire::ask(&gate, "GET /v1/dishes?pageToken=/v1/dishes/soup").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/ListDishes");
}

#[tokio::test]
async fn the_doors_of_operators_are_not_on_the_public_side() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/admin",
        "/console/",
        "/debug/pprof",
        "/actuator",
        "/openapi.json",
    ] {
        assert_eq!(Wire::ask(&gate, &format!("GET {path}")).await.status, 404, "{path}");
    }
    assert_eq!(gate.admin("/v1/dishes/soup").await.status, 404);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let kitchen = Upstream::answering(|_| crate::stand::Answer::dish(&json!({"id": "soup"}))).await;
    let gate = Gate::before(&kitchen).await;
    let body = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish");
    let head = gate.ask(http::Method::HEAD, "/v1/dishes/soup").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish");
    assert!(head.body.is_empty());
    for header in ["content-type", "content-length"] {
        assert_eq!(head.header(header), body.header(header));
    }
    let line = gate.line(&head).await;
    assert_eq!((&line["sent"], &line["code"]), (&json!(0), &json!("OK")), "{line}");
    let head = gate.ask(http::Method::HEAD, "/v2").await.is(404);
    assert!(head.body.is_empty() && head.header("content-type") == "application/problem+json");
    // A route of its own goes first; a path without GET has no HEAD.
    gate.ask(http::Method::HEAD, "/v1/count").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/CountDishes");
    gate.ask(http::Method::HEAD, "/v1/dishes/soup:cook").await.is(405);
    // Nothing of a body is left on the connection.
    let mut wire = Wire::open(&gate).await;
    wire.send("HEAD /v1/dishes/soup HTTP/1.1\r\nHost: a\r\n\r\n").await;
    wire.send("HEAD /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let said = wire.closed().await;
    let heads: Vec<&str> = said.split_inclusive(r"\r\n\r\n").map(|head| &head[..12]).collect();
    assert_eq!(heads, ["HTTP/1.1 200", "HTTP/1.1 404"], "{said}");
}

#[tokio::test]
async fn head_has_no_body_over_http2_either() {
    let kitchen = Upstream::answering(|_| crate::stand::Answer::dish(&json!({"id": "soup"}))).await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    let body = gate.get("/v1/dishes/soup").await.is(200);
    let head = gate.ask(http::Method::HEAD, "/v1/dishes/soup").await.is(200);
    assert_eq!(head.header("content-length"), body.body.len().to_string());
    let line = gate.line(&head).await;
    assert_eq!((&line["sent"], &line["code"]), (&json!(0), &json!("OK")), "{line}");
}

#[tokio::test]
async fn options_tells_what_a_path_takes() {
    let kitchen = Upstream::content().await;
    let issuer = Issuer::of(&Key::new("k1")).await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("GetDish", "role:cook")
    })
    .await;
    for (path, status, allow) in [
        ("/v1/dishes", 204, "GET, HEAD, OPTIONS, POST"),
        ("/v1/dishes/soup", 204, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/v1/dishes/soup:cook", 204, "OPTIONS, POST"),
        ("/v1/count", 204, "HEAD, OPTIONS"),
        ("/v2", 404, ""),
    ] {
        let reply = gate.ask(http::Method::OPTIONS, path).await;
        assert_eq!((reply.status, reply.header("allow")), (status, allow), "{path}");
        assert_eq!(reply.body.is_empty(), status == 204);
    }
    kitchen.saw_nothing();
    // A route for every method takes OPTIONS too.
    gate.ask(http::Method::OPTIONS, "/v1/taste").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/Taste");
}
