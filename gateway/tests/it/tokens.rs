//! Tokens from end to end. What a token may look like is tried out where they are read; here it is about the way there.

use serde_json::{Value, json};

use crate::stand::{Gate, Issuer, Key, Latch, Upstream, now, until};

#[tokio::test]
async fn a_valid_token_signs_in_and_any_other_does_not() {
    let (key, stranger) = (Key::new("k1"), Key::new("k1"));
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("GetDish", "authenticated")
    })
    .await;
    let valid = key.token(&json!({}));
    let mut flipped = valid.clone().into_bytes();
    let middle = flipped.len() - 20;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    for (what, token, status) in [
        ("valid", valid.clone(), 200),
        ("valid with a list of audiences", key.token(&json!({"aud": ["a", "gateway"]})), 200),
        ("expired within the leeway", key.token(&json!({"exp": now() - 2})), 200),
        ("expired", key.token(&json!({"exp": now() - 30})), 401),
        ("not yet valid", key.token(&json!({"nbf": now() + 60})), 401),
        ("for another audience", key.token(&json!({"aud": "shop"})), 401),
        ("by another issuer", key.token(&json!({"iss": "https://evil.example"})), 401),
        ("without subject", key.token(&json!({"sub": Value::Null})), 401),
        ("without end", key.token(&json!({"exp": Value::Null})), 401),
        ("signed by another key of the same name", stranger.token(&json!({})), 401),
        ("signed by an unknown key", Key::new("k9").token(&json!({})), 401),
        ("with one bit changed", String::from_utf8(flipped).unwrap(), 401),
        ("padded", format!("{valid}="), 401),
        ("with a fourth part", format!("{valid}.a"), 401),
        ("too long", "a".repeat(9000), 401),
    ] {
        let reply = gate.get("/v1/dishes/soup").token(&token).await;
        assert_eq!(reply.status, status, "{what}: {reply}");
        assert_eq!(kitchen.seen().len(), usize::from(status == 200), "{what}");
        kitchen.forget();
        assert!(!reply.text().contains(&token), "{what}: {reply}");
    }
    // A token counts nowhere but in its header.
    gate.get(&format!("/v1/dishes/soup?access_token={valid}")).await.is(401);
    gate.get("/v1/dishes/soup").header("cookie", format!("token={valid}")).await.is(401);
    gate.get("/v1/dishes/soup").header("x-authorization", format!("Bearer {valid}")).await.is(401);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_bad_token_is_refused_where_none_is_needed() {
    let issuer = Issuer::of(&Key::new("k1")).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    gate.get("/v1/dishes/soup").await.is(200);
    kitchen.forget();
    gate.get("/v1/dishes/soup").token("nonsense").await.is(401);
    gate.get("/v1/dishes/soup").token("").await.is(401);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_hundred_clients_at_once_ask_for_the_keys_once() {
    let (key, latch) = (Key::new("k1"), Latch::default());
    let issuer = Issuer::slow(&key, &latch).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    let asked: Vec<_> = (0..100)
        .map(|number| {
            let token = key.token(&json!({"sub": format!("user-{number}")}));
            tokio::spawn(gate.get("/v1/dishes/soup").token(&token).into_future())
        })
        .collect();
    until("the keys are asked for", async || issuer.asked() > 0).await;
    latch.open();
    for asked in asked {
        asked.await.unwrap().is(200);
    }
    assert_eq!(issuer.asked(), 1);
    // Keys that nobody publishes do not make anybody ask again so soon.
    for _ in 0..20 {
        gate.get("/v1/dishes/soup").token(&Key::new("k9").token(&json!({}))).await.is(401);
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn without_keys_only_tokens_fail_and_never_into_welcome() {
    let kitchen = Upstream::content().await;
    let long = " ".repeat(1 << 20);
    for (status, body) in
        [(500, ""), (200, "{\"keys\":[]}"), (200, "<html>"), (302, ""), (200, long.as_str())]
    {
        let issuer = Issuer::answering(status, body, None).await;
        let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
        let reply =
            gate.get("/v1/dishes/soup").token(&Key::new("k1").token(&json!({}))).await.is(503);
        assert_eq!(reply.problem()["type"], "/problems/keys-unavailable");
        let said = |line: &str| line.contains("the issuer's keys can't be had yet");
        gate.errors.lines_that("a warning for the operator", 1, said).await;
        assert!(!reply.text().contains("127.0.0.1"), "{reply}");
        kitchen.saw_nothing();
        gate.get("/v1/dishes/soup").await.is(200);
        assert_eq!(kitchen.only_call().header("x-principal-id"), None);
    }
}

#[tokio::test]
async fn each_issuer_signs_for_itself() {
    let (one, two) = (Key::new("k1"), Key::new("k1"));
    let first = Issuer::of(&one).await;
    let mut second = Issuer::of(&two).await;
    "https://second.example".clone_into(&mut second.name);
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&first).issuer(&second)).await;
    let of_second = json!({"iss": "https://second.example"});
    for (token, status) in [
        (one.token(&json!({})), 200),
        (two.token(&of_second), 200),
        (one.token(&of_second), 401),
        (two.token(&json!({})), 401),
    ] {
        assert_eq!(gate.get("/v1/dishes/soup").token(&token).await.status, status);
    }
}
