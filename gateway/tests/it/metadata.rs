//! What a service learns beside the message, and what a client learns beside the answer.

use bytes::Bytes;
use serde_json::json;
use tonic::Request;
use tonic::metadata::MetadataValue;

use crate::stand::{Answer, Gate, Issuer, Key, Upstream, Wire};

#[tokio::test]
async fn a_service_learns_who_asks_from_the_token_alone() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    let spoofed = [
        ("X-Principal-Id", "root"),
        ("x-principal-id", "root"),
        ("X-PRINCIPAL-ROLES", "admin"),
        ("x-principal-name", "root"),
        ("x_principal_id", "root"),
        ("x.principal.id", "root"),
        ("x-principal-id-bin", "cm9vdA"),
        ("grpc-metadata-x-principal-id", "root"),
        ("grpcgateway-x-principal-id", "root"),
        ("x-user-id", "root"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-user", "root"),
        ("forwarded", "for=10.0.0.1"),
        ("cookie", "session=root"),
        ("x-anything", "root"),
    ];
    let token = key.token(&json!({"sub": "ada", "roles": ["cook", "waiter"]}));
    for signed_in in [true, false] {
        let mut ask = gate.get("/v1/dishes/soup");
        for (name, value) in spoofed {
            ask = ask.header(name, value);
        }
        if signed_in {
            ask = ask.token(&token);
        }
        ask.await.is(200);
        let call = kitchen.only_call();
        let expected = if signed_in { (Some("ada"), Some("cook,waiter")) } else { (None, None) };
        assert_eq!((call.header("x-principal-id"), call.header("x-principal-roles")), expected);
        let names: Vec<&str> = call.headers.keys().map(http::HeaderName::as_str).collect();
        let known = [
            "content-type",
            "grpc-timeout",
            "te",
            "traceparent",
            "user-agent",
            "x-principal-id",
            "x-principal-roles",
            "x-request-id",
        ];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
        assert!(!format!("{:?}", call.headers).contains("root"), "{:?}", call.headers);
    }
}

#[tokio::test]
async fn native_grpc_can_not_say_who_asks_either() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("x-principal-id", MetadataValue::from_static("root"));
    request.metadata_mut().append("x-principal-id", MetadataValue::from_static("admin"));
    request.metadata_mut().insert("x-principal-roles", MetadataValue::from_static("admin"));
    request.metadata_mut().insert_bin("x-principal-id-bin", MetadataValue::from_bytes(b"root"));
    gate.grpc().await.call("Whisper", request).await.unwrap();
    let call = kitchen.only_call();
    let named = call.headers.keys().filter(|name| name.as_str().starts_with("x-principal")).count();
    assert_eq!(named, 0, "{:?}", call.headers);
}

#[tokio::test]
async fn a_request_id_is_taken_over_when_it_can_do_no_harm() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let long = "a".repeat(65);
    for (sent, kept) in [
        ("r-1", true),
        ("0123456789-abcdef-ABCDEF", true),
        (&"a".repeat(64), true),
        (&long, false),
        ("a b", false),
        ("a\tb", false),
        ("{\"level\":\"error\"}", false),
        ("a_b", false),
        ("../../etc", false),
        ("", false),
    ] {
        let reply = gate.get("/v1/dishes/soup").header("x-request-id", sent).await.is(200);
        let id = reply.request_id();
        assert_eq!(id == sent, kept, "{sent:?}: {id}");
        assert_eq!(kitchen.only_call().header("x-request-id"), Some(id));
        assert_eq!(gate.line(&reply).await["request_id"], id);
    }
    let (one, two) = (gate.get("/v1/dishes/a").await, gate.get("/v1/dishes/b").await);
    assert_ne!(one.request_id(), two.request_id());
    // Failures have one too, and say the same in their body.
    let reply = gate.get("/v2").header("x-request-id", "r-2").await.is(404);
    assert_eq!((reply.request_id(), &reply.problem()["requestId"]), ("r-2", &json!("r-2")));
}

#[tokio::test]
async fn a_trace_goes_on_behind_the_door() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let sent = format!("00-{trace}-b7ad6b7169203331-01");
    let reply = gate.get("/v1/dishes/soup").header("traceparent", &sent).await.is(200);
    let call = kitchen.only_call();
    let told = call.header("traceparent").unwrap();
    assert!(told.starts_with(&format!("00-{trace}-")) && told.ends_with("-01"), "{told}");
    assert!(!told.contains("b7ad6b7169203331"), "{told}");
    assert_eq!(gate.line(&reply).await["trace_id"], trace);

    let reply = gate.get("/v1/dishes/soup").header("traceparent", "nonsense").await.is(200);
    let line = gate.line(&reply).await;
    let call = kitchen.only_call();
    let told: Vec<&str> = call.header("traceparent").unwrap().split('-').collect();
    assert_eq!((told.len(), told[1]), (4, line["trace_id"].as_str().unwrap()));
}

/// What is left, in microseconds.
fn left(call: &crate::stand::Seen) -> u64 {
    call.header("grpc-timeout").unwrap().strip_suffix('u').unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_service_learns_how_long_it_has() {
    let kitchen = Upstream::content().await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 8s }"))
            .await;
    gate.get("/v1/dishes/soup").await.is(200);
    let whole = left(&kitchen.only_call());
    assert!(whole < 8_000_000 && whole > 1_000_000, "{whole}");
    gate.get("/v1/dishes/soup").header("grpc-timeout", "3S").await.is(200);
    let asked = left(&kitchen.only_call());
    assert!(asked < 3_000_000 && asked > 100_000, "{asked}");
    gate.get("/v1/dishes/soup").header("grpc-timeout", "1H").await.is(200);
    let long = left(&kitchen.only_call());
    assert!(
        long < 8_000_000 && long > 1_000_000,
        "no client gets more than the gateway gives: {long}"
    );
    for wrong in ["", "3", "3s", "-3S", "123456789S", "3S3S"] {
        gate.get("/v1/dishes/soup").header("grpc-timeout", wrong).await.is(400);
    }
    gate.get("/v1/dishes/soup")
        .header("grpc-timeout", "1S")
        .header("grpc-timeout", "2S")
        .await
        .is(400);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn an_idempotency_key_is_passed_on_bare_or_refused() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let (fits, long) = ("k".repeat(255), "k".repeat(256));
    for (sent, passed) in [
        ("k1", Some("k1")),
        ("\"k1\"", Some("k1")),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
        (&fits, Some(fits.as_str())),
        (&long, None),
        ("", None),
        ("\"\"", None),
        ("a b", None),
        ("\"a", None),
        ("\"a\\\"b\"", None),
        ("k\u{e9}", None),
    ] {
        let reply = gate.post("/v1/dishes", &json!({})).header("idempotency-key", sent).await;
        if let Some(passed) = passed {
            assert_eq!(reply.status, 200, "{sent}: {reply}");
            assert_eq!(kitchen.only_call().header("idempotency-key"), Some(passed));
        } else {
            assert_eq!(reply.is(400).problem()["type"], "/problems/invalid-header", "{sent}");
            kitchen.saw_nothing();
        }
    }
    let twice = gate.post("/v1/dishes", &json!({})).header("idempotency-key", "a");
    twice.header("idempotency-key", "a").await.is(400);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn metadata_of_an_answer_stays_inside_unless_it_is_named() {
    let kitchen = Upstream::answering(|_| {
        Answer::dish(&json!({"id": "soup"}))
            .header("set-cookie", "session=root")
            .header("server", "kitchen/1.0")
            .header("x-internal-host", "10.0.0.7")
            .header("x-request-id", "forged")
            .header("x-table", "7")
            .header("x-table", "8")
            .header("content-security-policy", "none")
            .header("access-control-allow-origin", "*")
            .trailer("x-trailer", "1")
            .trailer("location", "http://evil.example")
    })
    .await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("transcoding", "{ response_headers: [x-table] }")
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    let mut names: Vec<&str> = reply.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "content-length",
        "content-type",
        "date",
        "x-content-type-options",
        "x-request-id",
        "x-table",
    ];
    assert_eq!(names, expected, "{reply}");
    let tables: Vec<_> = reply.headers.get_all("x-table").iter().collect();
    assert_eq!(tables, ["7", "8"]);
    assert_ne!(reply.request_id(), "forged");

    let answer = gate.grpc().await.call("Whisper", Request::new(Bytes::new())).await.unwrap();
    let metadata = answer.metadata();
    assert!(
        metadata.contains_key("x-table") && metadata.contains_key("x-request-id"),
        "{metadata:?}"
    );
    for inside in ["set-cookie", "server", "x-internal-host", "x-trailer", "location"] {
        assert!(!metadata.contains_key(inside), "{metadata:?}");
    }
}

#[tokio::test]
async fn named_request_headers_pass_with_all_their_values() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config
            .kitchen(&kitchen)
            .section("transcoding", "{ request_headers: [x-tenant, accept-language] }")
    })
    .await;
    let headers = "X-Tenant: a\r\nx-tenant: b\r\nAccept-Language: fr\r\nX-Other: c\r\nConnection: x-tenant\r\n";
    Wire::ask_with(&gate, "GET /v1/dishes/soup", headers).await.is(200);
    let call = kitchen.only_call();
    let tenants: Vec<_> = call.headers.get_all("x-tenant").iter().collect();
    assert_eq!(tenants, ["a", "b"]);
    assert_eq!((call.header("accept-language"), call.header("x-other")), (Some("fr"), None));
    assert_eq!(call.header("connection"), None);
}
