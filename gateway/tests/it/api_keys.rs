//! Keys of machine clients, from the file to the service.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Request};

use crate::stand::{Config, Gate, Issuer, Key, Upstream};

const KEY: &str = "k-7f3a9c51e2d84b06a1";
const OLD: &str = "k-0000000000000000ff";

fn hash(key: &str) -> String {
    digest(&SHA256, key.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn file() -> String {
    format!(
        "keys:\n  - {{ name: nightly, sha256: {}, principal: batch-1, roles: [cook], expires: 2100-01-01T00:00:00Z }}\n  - {{ name: old, sha256: {}, principal: batch-1, expires: 2020-01-01T00:00:00Z }}\n",
        hash(KEY),
        hash(OLD)
    )
}

fn with_keys(config: &mut Config) -> &mut Config {
    config.file("keys.yaml", &file()).api_keys("{ file: keys.yaml }")
}

#[tokio::test]
async fn a_key_lets_its_holder_in_and_stays_at_the_door() {
    let kitchen = Upstream::content().await;
    let gate =
        Gate::start(|config| with_keys(config.kitchen(&kitchen)).access("GetDish", "role:cook"))
            .await;
    let path = "/v1/dishes/soup";
    let reply = gate.get(path).header("x-api-key", KEY).await.is(200);
    let seen = kitchen.only_call();
    assert_eq!(seen.header("x-principal-id"), Some("batch-1"));
    assert_eq!(seen.header("x-principal-roles"), Some("cook"));
    assert_eq!(seen.header("x-api-key"), None);
    assert!(seen.headers.values().all(|value| value != KEY), "{seen:?}");
    let line = gate.line(&reply).await;
    assert_eq!(
        (&line["principal"], &line["api_key"]),
        (&json!("batch-1"), &json!("nightly")),
        "{line}"
    );

    for (key, kind, said) in [
        ("k-unknown", "/problems/invalid-api-key", "not known here"),
        ("", "/problems/invalid-api-key", "not known here"),
        (OLD, "/problems/api-key-expired", "has expired"),
    ] {
        let reply = gate.get(path).header("x-api-key", key).await.is(401);
        let problem = reply.problem();
        assert_eq!((&problem["type"], &problem["code"]), (&json!(kind), &json!("UNAUTHENTICATED")));
        assert!(problem["detail"].as_str().unwrap().contains(said), "{reply}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(key.is_empty() || !reply.text().contains(key), "{reply}");
        // Where nobody has to be known, too.
        gate.get("/v1/dishes").header("x-api-key", key).await.is(401);
    }
    gate.get(path).await.is(401);
    kitchen.saw_nothing();

    let client = gate.grpc().await;
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("x-api-key", KEY.parse().unwrap());
    client.call("GetDish", request).await.unwrap();
    assert_eq!(kitchen.only_call().header("x-api-key"), None);
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("x-api-key", OLD.parse().unwrap());
    let refused = client.call("GetDish", request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    gate.line(&gate.get("/v1/dishes").header("x-request-id", "last").await).await;
    let said = [gate.lines(), gate.errors.lines()].concat();
    for secret in [KEY, OLD, &hash(KEY)] {
        assert!(said.iter().all(|line| !line.contains(secret)), "{secret}");
    }
}

#[tokio::test]
async fn a_key_and_a_token_are_one_credential_too_many() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        with_keys(config.kitchen(&kitchen).issuer(&issuer)).access("GetDish", "authenticated")
    })
    .await;
    let token = key.token(&json!({}));
    let ask = || gate.get("/v1/dishes/soup");
    for both in [
        ask().token(&token).header("x-api-key", KEY),
        ask().token(&token).header("x-api-key", "unknown"),
        ask().header("authorization", "Basic YTpi").header("x-api-key", KEY),
        ask().header("x-api-key", KEY).header("x-api-key", KEY),
    ] {
        let problem = both.await.is(401).problem();
        assert_eq!(problem["type"], "/problems/invalid-credential");
    }
    kitchen.saw_nothing();
    ask().token(&token).await.is(200);
    assert_eq!(kitchen.only_call().header("x-principal-id"), Some("ada"));
    ask().header("x-api-key", KEY).await.is(200);
    assert_eq!(kitchen.only_call().header("x-principal-id"), Some("batch-1"));
}

#[tokio::test]
async fn who_comes_without_a_credential_is_told_which_are_taken() {
    let issuer = Issuer::of(&Key::new("k1")).await;
    let kitchen = Upstream::content().await;
    let keys = "{ file: keys.yaml, header: X-Machine }";
    for (tokens, machines, expected) in [
        (true, false, "sign in and send the token as `Authorization: Bearer`"),
        (false, true, "send an API key as `x-machine`"),
        (
            true,
            true,
            "sign in and send the token as `Authorization: Bearer`, or send an API key as `x-machine`",
        ),
    ] {
        let gate = Gate::start(|config| {
            let mut config = config.kitchen(&kitchen).access("GetDish", "authenticated");
            if tokens {
                config = config.issuer(&issuer);
            }
            if machines { config.file("keys.yaml", &file()).api_keys(keys) } else { config }
        })
        .await;
        let expected = format!("this needs a signed-in client: {expected}");
        let reply = gate.get("/v1/dishes/soup").await.is(401);
        let problem = reply.problem();
        assert_eq!(
            (&problem["type"], &problem["detail"]),
            (&json!("about:blank"), &json!(expected))
        );
        // No scheme is registered for API keys, and a 401 has to name one (RFC 9110, section 15.5.2).
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert_eq!(gate.line(&reply).await["cause"], expected);
        let refused = gate.grpc().await.call("GetDish", Request::new(Bytes::new())).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, &*expected));
        kitchen.saw_nothing();
    }
}

#[tokio::test]
async fn a_key_that_was_taken_out_of_the_file_is_unknown_after_a_reload() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::start(|config| with_keys(config.kitchen(&kitchen))).await;
    gate.get("/v1/dishes/soup").header("x-api-key", KEY).await.is(200);
    kitchen.forget();
    gate.rewrite(|config| config.file("keys.yaml", "keys: [{}]"));
    let said = gate.hang_up().await;
    assert!(said.contains("was not taken over") && said.contains("keys.yaml`, 1:"), "{said}");
    gate.get("/v1/dishes/soup").header("x-api-key", KEY).await.is(200);
    gate.rewrite(|config| config.file("keys.yaml", "keys: []"));
    gate.hang_up().await;
    kitchen.forget();
    gate.get("/v1/dishes/soup").header("x-api-key", KEY).await.is(401);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn every_mistake_about_keys_is_told_before_the_door_opens() {
    let base = "schema: { file: schema.binpb }\nlistener: { address: \"127.0.0.1:0\" }\nadmin: { address: \"127.0.0.1:0\" }\n\
                upstreams:\n  cellar: { services: [kitchen.v1.Cellar], endpoints: [\"http://127.0.0.1:1\"] }\n\
                authorization:\n  access:\n    kitchen.v1.Cellar/GetWine: authenticated\n";
    let at = "gateway.yaml:10:";
    for (keys, more, expected) in [
        (
            "{ file: none.yaml }",
            "",
            format!(
                "{at}21: authentication.api_keys.file: `none.yaml` can't be read (No such file or directory (os error 2))\n"
            ),
        ),
        (
            "{ file: gateway.yaml }",
            "",
            format!(
                "{at}21: authentication.api_keys.file: `gateway.yaml`, 1:1: unknown field `schema`, expected one of keys\n"
            ),
        ),
        (
            "{ file: schema.binpb, header: Authorization }",
            "",
            format!(
                "{at}43: authentication.api_keys.header: `Authorization` can't be the header of API keys: write the name of one that means nothing else, such as x-api-key\n\
                     {at}21: authentication.api_keys.file: `schema.binpb` can't be read (it is not UTF-8)\n"
            ),
        ),
        (
            "{ files: a }",
            "",
            format!(
                "{at}15: authentication: unknown field `files`, expected one of file, header\n"
            ),
        ),
        (
            "{ file: none.yaml, header: x-machine }",
            "transcoding: { request_headers: [X_Machine] }\n",
            format!(
                "{at}21: authentication.api_keys.file: `none.yaml` can't be read (No such file or directory (os error 2))\n\
                     gateway.yaml:11:34: transcoding.request_headers: `X_Machine` carries API keys, and they stay at the door: remove it\n"
            ),
        ),
    ] {
        let text = format!("{base}authentication:\n  api_keys: {keys}\n{more}");
        let exit = crate::mistakes::check_text(&text).await;
        let mut said: Vec<&str> = exit.errors.lines().collect();
        let mut lines: Vec<&str> = expected.lines().collect();
        said.sort_unstable();
        lines.sort_unstable();
        assert_eq!((said, exit.code), (lines, Some(78)), "{keys}");
    }
}

#[tokio::test]
async fn the_keys_may_come_in_another_header() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config
            .kitchen(&kitchen)
            .file("keys.yaml", &file())
            .api_keys("{ file: keys.yaml, header: X-Machine }")
            .access("GetDish", "authenticated")
    })
    .await;
    gate.get("/v1/dishes/soup").header("x-machine", KEY).await.is(200);
    assert_eq!(kitchen.only_call().header("x-machine"), None);
    gate.get("/v1/dishes/soup").header("x-api-key", KEY).await.is(401);
    kitchen.saw_nothing();
}
