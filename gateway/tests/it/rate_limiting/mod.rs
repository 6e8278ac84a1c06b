//! Responsibility 4: how often who may ask, as clients and services see it.

mod credentials;
mod forwarded;
mod load;
mod outage;
mod shared;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::stand::{Answer, Ask, Config, Gate, Issuer, Key, Reply, Seen, Upstream};

/// A limit that does not fill again while a test runs.
fn slow(by: &str, burst: u32) -> String {
    format!("{{ limits: {{ slow: {{ by: {by}, rate: 1/1h, burst: {burst} }} }} }}")
}

/// Asks for the soup, with an API key. Where no keys are known that is asked by nobody in particular.
fn soup(gate: &Gate) -> Ask {
    gate.get("/v1/dishes/soup").header("x-api-key", credentials::TILL)
}

/// Asks so many times at once; answers how many passed, after checking that all others were refused as they should be.
async fn passing(gate: &Gate, times: usize) -> usize {
    let asked: Vec<_> = (0..times).map(|_| tokio::spawn(soup(gate).into_future())).collect();
    let mut passed = 0;
    for asked in asked {
        let reply = asked.await.unwrap();
        if reply.status == 200 {
            passed += 1;
        } else {
            is_refused(&reply);
        }
    }
    passed
}

fn is_refused(reply: &Reply) {
    assert_eq!(reply.status, 429, "{reply}");
    let problem = reply.problem();
    assert_eq!(
        (&problem["code"], &problem["type"], &problem["title"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("about:blank"), &json!("Too Many Requests"))
    );
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!(wait >= 1, "{reply}");
    assert!(reply.header("ratelimit").ends_with(&format!(";r=0;t={wait}")), "{reply}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.ends_with(&format!("lets the next one through in {wait} s")), "{detail}");
}

async fn gate(kitchen: &Upstream, issuer: &Issuer, limits: &str) -> Gate {
    let with = |config: &mut Config| {
        config.kitchen(kitchen).issuer(issuer).section("rate_limiting", limits).clone()
    };
    Gate::start(|config| {
        *config = with(config);
        config
    })
    .await
}

#[tokio::test]
async fn a_hundred_at_once_on_a_burst_of_ten_are_exactly_ten() {
    for by in ["address", "principal", "rpc"] {
        let kitchen = Upstream::content().await;
        let gate =
            Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", &slow(by, 10)))
                .await;
        assert_eq!(passing(&gate, 100).await, 10, "{by}");
        assert_eq!(kitchen.seen().len(), 10, "{by}: what is refused reaches no service");
    }
}

#[tokio::test]
async fn every_answer_of_a_limited_rpc_says_what_is_left() {
    let kitchen = Upstream::content().await;
    let limits = "{ limits: { near: { by: principal, rate: 600/1m, burst: 100 }, \
                  far: { by: address, rate: 1/1h, burst: 50, rpcs: [kitchen.v1.Kitchen/ListDishes] } } }";
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", limits)).await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(reply.header("ratelimit-policy"), "\"near\";q=100;w=10");
    assert_eq!(reply.header("ratelimit"), "\"near\";r=99;t=1");
    assert_eq!(reply.header("retry-after"), "");
    // Where several limits count, the tightest answers.
    let reply = gate.get("/v1/dishes").await.is(200);
    assert_eq!(reply.header("ratelimit-policy"), "\"far\";q=50;w=180000");
    assert_eq!(reply.header("ratelimit"), "\"far\";r=49;t=3600");
    // So does an answer that failed behind the limit, and one that never came to it says nothing.
    let reply = gate.get("/v1/dishes?pageSize=x").await.is(400);
    assert_eq!(reply.header("ratelimit"), "\"far\";r=48;t=3600");
    let line = gate.line(&reply).await;
    assert_eq!((&line["limit"], &line["limit_remaining"]), (&json!("far"), &json!(48)));
    assert_eq!(gate.get("/nowhere").await.is(404).header("ratelimit"), "");
}

#[tokio::test]
async fn what_a_service_says_of_limits_of_its_own_does_not_stand_beside_it() {
    let answer = |_: &Seen| Answer::dish(&json!({})).header("ratelimit", "\"mine\";r=0;t=9");
    let kitchen = Upstream::answering(answer).await;
    let gate = Gate::start(|config| {
        let config = config.kitchen(&kitchen).section("rate_limiting", &slow("address", 3));
        config.section("transcoding", "{ response_headers: [ratelimit] }")
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    let told: Vec<_> = reply.headers.get_all("ratelimit").iter().collect();
    assert_eq!(told, ["\"slow\";r=2;t=3600"]);
    kitchen.only_call();
}

#[tokio::test]
async fn who_waits_as_long_as_told_passes() {
    let kitchen = Upstream::content().await;
    let limits = "{ limits: { each: { by: principal, rate: 3/4s, burst: 2 } } }";
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", limits)).await;
    for _ in 0..2 {
        gate.get("/v1/dishes/soup").await.is(200);
    }
    for _ in 0..2 {
        let reply = gate.get("/v1/dishes/soup").await;
        is_refused(&reply);
        let wait = reply.header("retry-after").parse().unwrap();
        assert!(wait <= 2, "no longer than it takes: {wait}");
        // This is no waiting for something to happen: it is what the client was told to do.
        tokio::time::sleep(Duration::from_secs(wait)).await;
        gate.get("/v1/dishes/soup").await.is(200);
        while gate.get("/v1/dishes/soup").await.status == 200 {}
    }
}

#[tokio::test]
async fn a_client_of_grpc_is_told_the_same() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("rate_limiting", &slow("principal", 1))
    })
    .await;
    let client = gate.grpc().await;
    let answer = client.call("Whisper", Request::new(Bytes::new())).await.unwrap();
    assert_eq!(answer.metadata().get("ratelimit").unwrap(), "\"slow\";r=0;t=3600");
    let status = client.call("Whisper", Request::new(Bytes::new())).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().starts_with("too many requests: the limit `slow`"), "{status:?}");
    let header = |name: &str| status.metadata().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("ratelimit-policy"), "\"slow\";q=1;w=3600");
    assert_eq!(header("ratelimit"), format!("\"slow\";r=0;t={}", header("retry-after")));
    let told = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(told.as_secs().to_string(), header("retry-after"));
    assert_eq!(kitchen.seen().len(), 1);
    // A client of REST shares the count: one limit, whatever the dialect.
    is_refused(&gate.get("/v1/dishes/soup").await);
}

#[tokio::test]
async fn a_user_is_one_client_however_many_tokens_they_have() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = gate(&kitchen, &issuer, &slow("principal", 7)).await;
    let mut passed = 0;
    for number in 0..20 {
        let token = key.token(&json!({"jti": format!("token-{number}")}));
        passed += usize::from(gate.get("/v1/dishes/soup").token(&token).await.status == 200);
    }
    assert_eq!((passed, kitchen.seen().len()), (7, 7));
    // Somebody else, and nobody in particular, have theirs.
    let bob = key.token(&json!({"sub": "bob"}));
    gate.get("/v1/dishes/soup").token(&bob).await.is(200);
    gate.get("/v1/dishes/soup").await.is(200);
}

#[tokio::test]
async fn a_limit_by_address_stands_before_any_proof() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = gate(&kitchen, &issuer, &slow("address", 3)).await;
    for number in 0..6 {
        // Each is forged anew, so that no memory of tokens helps.
        let forged = Key::new("k1").token(&json!({"jti": number.to_string()}));
        let reply = gate.get("/v1/dishes/soup").token(&forged).await;
        assert_eq!(reply.status, if number < 3 { 401 } else { 429 }, "{number}");
        let line = gate.line(&reply).await;
        assert!(line["steps_us"]["limit_address"].is_u64(), "{line}");
    }
    is_refused(&gate.get("/v1/dishes/soup").token(&key.token(&json!({}))).await);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_limit_by_principal_stands_before_rights_and_body() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        let config = config.kitchen(&kitchen).issuer(&issuer).access("CreateDish", "role:cook");
        config.section("rate_limiting", &slow("principal", 2))
    })
    .await;
    let token = key.token(&json!({}));
    for status in [403, 403, 429, 429] {
        let reply = gate.ask(http::Method::POST, "/v1/dishes").token(&token).body("{").await;
        assert_eq!(reply.status, status, "{reply}");
    }
    // A credential that proves nothing is told that, and counts for nobody.
    gate.get("/v1/dishes/soup").token("nonsense").await.is(401);
    gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(kitchen.seen().len(), 1);
}

#[tokio::test]
async fn a_limit_that_only_counts_is_in_the_log_and_nowhere_else() {
    let kitchen = Upstream::content().await;
    let limits = "{ limits: { trial: { by: address, rate: 1/1h, dry_run: true } } }";
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", limits)).await;
    for number in 0..3 {
        let reply = gate.get("/v1/dishes/soup").await.is(200);
        assert_eq!((reply.header("ratelimit"), reply.header("ratelimit-policy")), ("", ""));
        let line = gate.line(&reply).await;
        let expected = if number == 0 { json!(null) } else { json!(["trial"]) };
        assert_eq!((&line["limits_overrun"], &line["limit"]), (&expected, &json!(null)));
    }
    assert_eq!(kitchen.seen().len(), 3);
}

#[tokio::test]
async fn a_reload_forgives_nobody_unless_the_limit_is_another() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("rate_limiting", &slow("principal", 3))
    })
    .await;
    assert_eq!(passing(&gate, 5).await, 3);
    gate.rewrite(|config| config.access("ListDishes", "internal"));
    assert!(gate.hang_up().await.contains("was read again"));
    assert_eq!(passing(&gate, 5).await, 0);
    gate.rewrite(|config| config.section("rate_limiting", &slow("principal", 4)));
    assert!(gate.hang_up().await.contains("was read again"));
    assert_eq!(passing(&gate, 5).await, 4);
}

#[tokio::test]
async fn a_flood_of_refusals_costs_no_service_and_little_time() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("rate_limiting", &slow("address", 1))
    })
    .await;
    gate.get("/v1/dishes/soup").await.is(200);
    let began = SystemTime::now();
    assert_eq!(passing(&gate, 300).await, 0);
    assert!(began.elapsed().unwrap() < Duration::from_secs(20));
    assert_eq!(kitchen.seen().len(), 1);
}
