//! The failure table, row by row: what the client reads, what the log says, and that no service hears of it.

use http::Method;
use serde_json::{Value, json};

use crate::stand::{Answer, Gate, Issuer, Key, Latch, Reply, Upstream, Wire, encode, now};

/// What a failure must look like.
struct Row<'a> {
    status: u16,
    /// The last part of the problem's type; nothing for `about:blank`.
    kind: &'a str,
    title: &'a str,
    code: &'a str,
    origin: &'a str,
    /// Part of the detail.
    detail: &'a str,
}

async fn check(gate: &Gate, reply: Reply, row: &Row<'_>) -> Value {
    let problem = reply.clone().is(row.status).problem();
    let kind = if row.kind.is_empty() {
        "about:blank".to_owned()
    } else {
        format!("/problems/{}", row.kind)
    };
    assert_eq!(problem["type"], kind, "{reply}");
    assert_eq!(problem["title"], row.title, "{reply}");
    assert_eq!(problem["code"], row.code, "{reply}");
    assert!(problem["detail"].as_str().unwrap().contains(row.detail), "{reply}");
    let line = gate.line(&reply).await;
    assert_eq!(line["status"], row.status, "{line}");
    assert_eq!(line["code"], row.code, "{line}");
    assert_eq!(line["origin"], row.origin, "{line}");
    assert!(!line["cause"].as_str().unwrap().is_empty(), "{line}");
    problem
}

/// A row that the client is to blame for.
fn client<'a>(
    status: u16,
    kind: &'a str,
    title: &'a str,
    code: &'a str,
    detail: &'a str,
) -> Row<'a> {
    Row { status, kind, title, code, origin: "client", detail }
}

#[tokio::test]
async fn requests_that_are_not_sane() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let allow = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
    for (line, row, allowed) in [
        (
            "GET /v1//dishes",
            client(400, "", "Bad Request", "INVALID_ARGUMENT", "empty segment"),
            "",
        ),
        (
            "TRACE /v1/dishes",
            client(405, "", "Method Not Allowed", "UNIMPLEMENTED", "CONNECT and TRACE"),
            allow,
        ),
        (
            "CONNECT gate:443",
            client(405, "", "Method Not Allowed", "UNIMPLEMENTED", "CONNECT and TRACE"),
            allow,
        ),
        (
            "FOO /v1/dishes",
            client(501, "", "Not Implemented", "UNIMPLEMENTED", "method is not known"),
            "",
        ),
    ] {
        let reply = Wire::ask(&gate, line).await;
        assert_eq!(reply.header("allow"), allowed, "{line}");
        check(&gate, reply, &row).await;
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn requests_without_a_route() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v2/dishes").await;
    check(&gate, reply, &client(404, "", "Not Found", "NOT_FOUND", "no route matches")).await;
    let reply = gate.ask(Method::PUT, "/v1/dishes").await;
    assert_eq!(reply.header("allow"), "GET, HEAD, OPTIONS, POST");
    let row = client(405, "", "Method Not Allowed", "UNIMPLEMENTED", "GET, HEAD, OPTIONS, POST");
    check(&gate, reply, &row).await;
    kitchen.saw_nothing();
}

#[tokio::test]
async fn credentials_that_prove_nothing() {
    let kitchen = Upstream::content().await;
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("GetDish", "role:cook")
    })
    .await;
    let path = "/v1/dishes/soup";
    let unauthenticated = |kind, title, detail| client(401, kind, title, "UNAUTHENTICATED", detail);

    let reply = gate.get(path).await;
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    check(&gate, reply, &unauthenticated("", "Unauthorized", "needs a signed-in client")).await;

    for (credential, row, challenge) in [
        (
            format!("Bearer {}", key.token(&json!({"exp": now() - 60}))),
            unauthenticated("token-expired", "Token expired", "expired"),
            "Bearer error=\"invalid_token\", error_description=\"the token has expired: sign in again\"",
        ),
        (
            format!("Bearer {}", key.token(&json!({"nbf": now() + 60}))),
            unauthenticated("token-not-yet-valid", "Token not yet valid", "not valid yet"),
            "Bearer error=\"invalid_token\"",
        ),
        (
            format!("Bearer {}", key.token(&json!({"aud": "other"}))),
            unauthenticated("invalid-token", "Invalid token", "another audience"),
            "Bearer error=\"invalid_token\"",
        ),
        (
            "Bearer nonsense".to_owned(),
            unauthenticated("invalid-token", "Invalid token", "three parts"),
            "Bearer error=\"invalid_token\"",
        ),
        (
            "Basic YTpi".to_owned(),
            unauthenticated("invalid-credential", "Invalid credential", "not a Bearer token"),
            "Bearer",
        ),
    ] {
        let reply = gate.get(path).header("authorization", &credential).await;
        assert!(reply.header("www-authenticate").starts_with(challenge), "{reply}");
        check(&gate, reply, &row).await;
    }
    let reply =
        gate.get(path).header("authorization", "Bearer a").header("authorization", "Bearer a");
    let row = unauthenticated("invalid-credential", "Invalid credential", "several Authorization");
    check(&gate, reply.await, &row).await;

    let reply = gate.get(path).token(&key.token(&json!({"roles": ["waiter"]}))).await;
    assert_eq!(reply.header("www-authenticate"), "");
    check(&gate, reply, &client(403, "", "Forbidden", "PERMISSION_DENIED", "not allowed")).await;
    kitchen.saw_nothing();
}

#[tokio::test]
async fn keys_that_can_not_be_had() {
    let kitchen = Upstream::content().await;
    let issuer = Issuer::answering(500, "", None).await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    let reply = gate.get("/v1/dishes/soup").token(&Key::new("k1").token(&json!({}))).await;
    assert_eq!((reply.header("retry-after"), reply.header("www-authenticate")), ("1", ""));
    let row = Row {
        status: 503,
        kind: "keys-unavailable",
        title: "Keys unavailable",
        code: "UNAVAILABLE",
        origin: "upstream",
        detail: "keys of its issuer are not available",
    };
    check(&gate, reply, &row).await;
    kitchen.saw_nothing();
}

#[tokio::test]
async fn requests_that_are_no_message() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let bad = |kind, title, detail| client(400, kind, title, "INVALID_ARGUMENT", detail);

    let reply = gate.get("/v1/dishes/soup").header("grpc-timeout", "soon").await;
    check(&gate, reply, &bad("invalid-timeout", "Invalid timeout", "grpc-timeout")).await;
    let reply = gate.get("/v1/dishes/soup").header("idempotency-key", "a b").await;
    check(&gate, reply, &bad("invalid-header", "Invalid header", "idempotency-key")).await;
    let reply = gate.get("/v1/dishes/soup").json(&json!({})).await;
    check(&gate, reply, &bad("unexpected-body", "Unexpected body", "takes no body")).await;

    let reply = gate.get("/v1/dishes?pageSize=many").await;
    let problem = check(&gate, reply, &bad("invalid-field", "Invalid field", "`pageSize`")).await;
    assert_eq!(problem["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(problem["details"][0]["fieldViolations"][0]["field"], "pageSize");

    let reply = gate.post("/v1/dishes", &json!({"chef": {"stars": "many"}})).await;
    let problem = check(&gate, reply, &bad("invalid-body", "Invalid body", "chef.stars")).await;
    assert_eq!(problem["details"][0]["fieldViolations"][0]["field"], "chef.stars");
    assert!(problem["detail"].as_str().unwrap().contains("line 1, column"), "{problem}");

    let reply =
        gate.ask(Method::POST, "/v1/dishes").header("content-type", "text/plain").body("{}");
    let row = client(415, "", "Unsupported Media Type", "INVALID_ARGUMENT", "--json");
    check(&gate, reply.await, &row).await;
    kitchen.saw_nothing();
}

#[tokio::test]
async fn bodies_that_do_not_come_to_their_end() {
    let kitchen = Upstream::content().await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 300ms }"))
            .await;
    let head = "POST /v1/dishes HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n";

    let mut wire = Wire::open(&gate).await;
    wire.send(format!("{head}Content-Length: 10\r\n\r\n{{")).await;
    let reply = wire.answer().await;
    let row = client(
        408,
        "",
        "Request Timeout",
        "DEADLINE_EXCEEDED",
        "did not arrive before the deadline",
    );
    check(&gate, reply, &row).await;
    assert_eq!(wire.closed().await, "", "the rest of the body is not taken for a request");

    let mut wire = Wire::open(&gate).await;
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")).await;
    let reply = wire.answer().await;
    let row = client(400, "invalid-body", "Invalid body", "INVALID_ARGUMENT", "could not be read");
    check(&gate, reply, &row).await;
    assert_eq!(wire.closed().await, "");
    kitchen.saw_nothing();
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let head = "POST /v1/dishes HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n";
    let row =
        client(413, "", "Payload Too Large", "RESOURCE_EXHAUSTED", "larger than 4194304 bytes");

    let mut wire = Wire::open(&gate).await;
    wire.send(format!("{head}Content-Length: 3221225472\r\n\r\n")).await;
    let reply = wire.answer().await;
    check(&gate, reply, &row).await;
    assert_eq!(wire.closed().await, "", "nothing of the body is read");

    let mut wire = Wire::open(&gate).await;
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    for _ in 0..5 {
        wire.send(&chunk).await;
    }
    let reply = wire.answer().await;
    check(&gate, reply, &row).await;
    kitchen.saw_nothing();
}

#[tokio::test]
async fn answers_that_can_not_be_rendered() {
    let upstream = |kind, title, code, status, detail| Row {
        status,
        kind,
        title,
        code,
        origin: "upstream",
        detail,
    };
    let kitchen = Upstream::answering(|_| Answer::wire(b"\xff\xff\xff")).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/dishes/soup").await;
    let row = upstream("malformed-answer", "Malformed answer", "INTERNAL", 502, "not its message");
    check(&gate, reply, &row).await;
    let reply = gate.get("/v1/dishes:watch").await;
    check(&gate, reply, &row).await;
}

#[tokio::test]
async fn services_that_do_not_answer() {
    let unreachable = Row {
        status: 503,
        kind: "upstream-unreachable",
        title: "Upstream unreachable",
        code: "UNAVAILABLE",
        origin: "upstream",
        detail: "can't be reached at the moment",
    };
    let late = Row {
        status: 504,
        kind: "",
        title: "Gateway Timeout",
        code: "DEADLINE_EXCEEDED",
        origin: "upstream",
        detail: "no answer before the deadline",
    };
    let gone = Upstream::content().await.url();
    let latch = Latch::default();
    let slow =
        Upstream::answering(move |_| Answer::wire(&encode("Dish", &json!({}))).when(&latch)).await;
    let gate = Gate::start(|config| {
        config
            .upstream("kitchen", "kitchen.v1.Kitchen", &[&gone])
            .upstream("cellar", "kitchen.v1.Cellar", &[&slow.url()])
            .access("kitchen.v1.Cellar/GetWine", "public")
            .section("resilience", "{ deadline: 500ms }")
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await;
    assert_eq!(reply.header("retry-after"), "1");
    let problem = check(&gate, reply, &unreachable).await;
    let address = gone.trim_start_matches("http://");
    assert!(!problem.to_string().contains(address), "{problem}");
    let reply = gate.get("/v1/wines/red").await;
    assert_eq!(reply.header("retry-after"), "");
    check(&gate, reply, &late).await;
}
