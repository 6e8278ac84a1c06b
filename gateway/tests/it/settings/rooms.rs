use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use tonic::Request;

use crate::stand::{Answer, Gate, Issuer, Key, Upstream};

#[tokio::test]
async fn authentication_issuers() {
    let key = Key::new("k1");
    let mut issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let token = key.token(&json!({}));
    let status = async |gate: Gate| gate.get("/v1/dishes/soup").token(&token).await.status;

    let none = Gate::before(&kitchen).await;
    assert_eq!(status(none).await, 401);
    let right = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    assert_eq!(status(right).await, 200);
    let audience =
        Gate::start(|config| config.kitchen(&kitchen).issuer_with(&issuer, "other", "ES256")).await;
    assert_eq!(status(audience).await, 401);
    let algorithm =
        Gate::start(|config| config.kitchen(&kitchen).issuer_with(&issuer, "gateway", "ES384"))
            .await;
    assert_eq!(status(algorithm).await, 401);
    let jwks = Issuer::of(&Key::new("k1")).await;
    let jwks = Gate::start(|config| config.kitchen(&kitchen).issuer(&jwks)).await;
    assert_eq!(status(jwks).await, 401);
    "https://other.example".clone_into(&mut issuer.name);
    let name = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    assert_eq!(status(name).await, 401);
}

#[tokio::test]
async fn authorization_access() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let (guest, cook) = (key.token(&json!({})), key.token(&json!({"roles": ["cook"]})));
    // Anonymous, signed in, signed in with the role.
    for (access, expected) in [
        ("public", [200, 200, 200]),
        ("authenticated", [401, 200, 200]),
        ("role:cook", [401, 403, 200]),
        ("internal", [404, 404, 404]),
    ] {
        let gate = Gate::start(|config| {
            config.kitchen(&kitchen).issuer(&issuer).access("GetDish", access)
        })
        .await;
        let path = "/v1/dishes/soup";
        let answers = [
            gate.get(path).await.status,
            gate.get(path).token(&guest).await.status,
            gate.get(path).token(&cook).await.status,
        ];
        // DELETE has the same path, so what is hidden is a method that the path does not take.
        let expected = expected.map(|status| if status == 404 { 405 } else { status });
        assert_eq!(answers, expected, "{access}");
        let reached = expected.iter().filter(|status| **status == 200).count();
        assert_eq!(kitchen.seen().len(), reached, "{access}");
        if access != "internal" {
            let grpc = gate.grpc().await.call("GetDish", Request::new(Bytes::new())).await;
            assert_eq!(grpc.is_ok(), access == "public", "{access}: {grpc:?}");
        }
        kitchen.forget();
    }
}

#[tokio::test]
async fn authorization_rules() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let token = key.token(&json!({"sub": "ada"}));
    for (rule, expected) in
        [("claims.sub == request.id", [200, 403]), ("claims.sub != request.id", [403, 200])]
    {
        let gate = Gate::start(|config| {
            config.kitchen(&kitchen).issuer(&issuer).rule("r", rule).access("GetDish", "r")
        })
        .await;
        for (id, status) in ["ada", "bob"].into_iter().zip(expected) {
            gate.get(&format!("/v1/dishes/{id}")).token(&token).await.is(status);
        }
        gate.get("/v1/dishes/ada").await.is(401);
        kitchen.only_call();
    }
}

#[tokio::test]
async fn authorization_ownership_upstream() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    // The service decides, and its word is passed on as it is.
    let kitchen = Upstream::answering(|_| Answer::error(tonic::Code::NotFound, "not yours")).await;
    let gate = Gate::start(|config| {
        config
            .kitchen(&kitchen)
            .issuer(&issuer)
            .access("CookDish", "authenticated")
            .ownership_upstream("CookDish")
    })
    .await;
    let cook = || gate.post("/v1/dishes/soup:cook", &json!({}));
    cook().await.is(401);
    kitchen.saw_nothing();
    let refused = cook().token(&key.token(&json!({"sub": "ada"}))).await.is(404).problem();
    assert_eq!(refused["detail"], "not yours");
    assert_eq!(kitchen.only_call().header("x-principal-id"), Some("ada"));
}

#[tokio::test]
async fn resilience_deadline() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    for deadline in ["100ms", "900ms"] {
        let gate = Gate::start(|config| {
            config.kitchen(&kitchen).section("resilience", &format!("{{ deadline: {deadline} }}"))
        })
        .await;
        let asked = SystemTime::now();
        gate.get("/v1/dishes/soup").await.is(504);
        let waited = asked.elapsed().unwrap();
        let deadline = Duration::from_millis(deadline.trim_end_matches("ms").parse().unwrap());
        assert!(waited >= deadline && waited < deadline * 8, "{deadline:?}: {waited:?}");
    }
}

#[tokio::test]
async fn monitoring_log() {
    let kitchen = Upstream::content().await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("monitoring", "{ log: text }")).await;
    gate.get("/v1/dishes/soup").header("x-request-id", "r-1").await.is(200);
    let lines = gate.lines_that(1, |line| line.ends_with("(r-1)")).await;
    assert!(lines[0].contains(" GET \"/v1/dishes/soup\" -> 200 OK in "), "{lines:?}");
    let all = [gate.lines(), gate.errors.lines()].concat();
    assert!(all.iter().all(|line| !line.starts_with('{') && !line.contains('\u{1b}')), "{all:?}");

    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("monitoring", "{ log: json }")).await;
    gate.line(&gate.get("/v1/dishes/soup").await.is(200)).await;
    let all = [gate.lines(), gate.errors.lines()].concat();
    for line in all {
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }
}
