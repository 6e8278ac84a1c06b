//! API keys as those that are counted: each key its own, and the principal behind them one.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use super::is_refused;
use crate::stand::{Gate, Issuer, Key, Reply, Upstream};

const LIMITS: &str = "{ limits: { key: { by: api_key, rate: 1/1h, burst: 2 }, \
                      holder: { by: principal, rate: 1/1h, burst: 5 } } }";

/// A key that is its own name.
pub(super) const TILL: &str = "till-1";

/// A file with one key, whose holder is nobody else's.
pub(super) fn one_key() -> String {
    format!("keys:\n{}", line(TILL, "ada"))
}

fn line(name: &str, principal: &str) -> String {
    let hash =
        digest(&SHA256, name.as_bytes()).as_ref().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
    format!("  - {{ name: {name}, sha256: {hash}, principal: {principal} }}\n")
}

/// A gateway that knows three machines of one holder, and two of another. Each key is its own name.
async fn gate(kitchen: &Upstream, issuer: &Issuer) -> Gate {
    let names = ["till-1", "till-2", "till-3"];
    let mut file = names.iter().fold("keys:\n".to_owned(), |file, name| file + &line(name, "ada"));
    file += &line("door", "bob");
    Gate::start(|config| {
        let config = config.kitchen(kitchen).issuer(issuer).access("GetDish", "authenticated");
        let config = config.file("keys.yaml", &file).api_keys("{ file: keys.yaml }");
        config.section("rate_limiting", LIMITS)
    })
    .await
}

async fn ask(gate: &Gate, key: &str) -> Reply {
    gate.get("/v1/dishes/soup").header("x-api-key", key).await
}

#[tokio::test]
async fn each_key_has_its_own_limit_and_their_holder_one_for_all() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = gate(&kitchen, &issuer).await;
    // The tightest is told: first that of the key, and where only the holder's is nearer, that.
    for (name, told) in [
        ("till-1", "\"key\";r=1;t=3600"),
        ("till-1", "\"key\";r=0;t=3600"),
        ("till-2", "\"key\";r=1;t=3600"),
        ("till-2", "\"key\";r=0;t=3600"),
    ] {
        assert_eq!(ask(&gate, name).await.is(200).header("ratelimit"), told, "{name}");
    }
    // A refusal by the key takes nothing from the holder.
    for name in ["till-1", "till-2", "till-1"] {
        let reply = ask(&gate, name).await;
        is_refused(&reply);
        assert!(reply.header("ratelimit").starts_with("\"key\";"), "{reply}");
        let line = gate.line(&reply).await;
        assert_eq!(
            (&line["api_key"], &line["principal"], &line["limit"]),
            (&json!(name), &json!("ada"), &json!("key"))
        );
    }
    assert_eq!(ask(&gate, "till-3").await.is(200).header("ratelimit"), "\"holder\";r=0;t=3600");
    let reply = ask(&gate, "till-3").await;
    is_refused(&reply);
    assert!(reply.header("ratelimit").starts_with("\"holder\";"), "{reply}");
    // A token of the same principal is the same holder, and no key: it is refused by that limit and no other.
    let token = key.token(&json!({}));
    let reply = gate.get("/v1/dishes/soup").token(&token).await;
    is_refused(&reply);
    assert!(reply.header("ratelimit").starts_with("\"holder\";"), "{reply}");
    // Another holder has all of theirs. Who comes with a token only is not counted by key.
    assert_eq!(ask(&gate, "door").await.is(200).header("ratelimit"), "\"key\";r=1;t=3600");
    let token = key.token(&json!({"sub": "eve"}));
    let reply = gate.get("/v1/dishes/soup").token(&token).await.is(200);
    assert_eq!(reply.header("ratelimit"), "\"holder\";r=4;t=3600");
    assert_eq!(kitchen.seen().len(), 7, "what is refused reaches no service");
}

#[tokio::test]
async fn a_key_that_is_not_known_counts_for_nobody() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = gate(&kitchen, &issuer).await;
    for _ in 0..4 {
        let reply = ask(&gate, "till-9").await.is(401);
        assert_eq!((reply.header("ratelimit"), reply.header("ratelimit-policy")), ("", ""));
    }
    kitchen.saw_nothing();
    ask(&gate, "till-1").await.is(200);
}
