//! One limit, several gateways.

use serde_json::json;

use super::credentials::one_key;
use super::{passing, soup};
use crate::stand::{Config, Gate, Issuer, Key, Redis, Upstream, until};

/// A limit in a store that does not fill again while a test runs.
pub(super) fn section(redis: &Redis, by: &str, burst: u32) -> String {
    section_at(&redis.url(), by, burst)
}

/// The same in whatever answers there.
pub(super) fn section_at(url: &str, by: &str, burst: u32) -> String {
    format!(
        "{{ store: \"{url}\", limits: {{ slow: {{ by: {by}, rate: 1/1h, burst: {burst} }} }} }}"
    )
}

/// A gateway with such limits before a kitchen. It knows one API key: who comes without a credential is counted by address,
/// and that is no matter of the store.
pub(super) fn keyed<'c>(
    config: &'c mut Config,
    kitchen: &Upstream,
    limits: &str,
) -> &'c mut Config {
    let config = config.kitchen(kitchen).file("keys.yaml", &one_key());
    config.api_keys("{ file: keys.yaml }").section("rate_limiting", limits)
}

/// Two gateways before one kitchen, which know of each other.
pub(super) async fn two(redis: &Redis, kitchen: &Upstream, by: &str, burst: u32) -> [Gate; 2] {
    let section = section(redis, by, burst);
    let start = || Gate::start(|config| keyed(config, kitchen, &section));
    let gates = [start().await, start().await];
    shares(&gates, redis).await;
    gates
}

/// Waits until the gateways count together.
pub(super) async fn shares(gates: &[Gate], redis: &Redis) {
    for gate in gates {
        until("the gateway is ready", async || gate.admin("/readyz").await.status == 200).await;
    }
    until("all gateways have said that they live", async || {
        redis.ask::<usize>(&["ZCARD", "gateway:limits:gateways"]).await == gates.len()
    })
    .await;
}

#[tokio::test]
async fn a_hundred_at_once_at_two_doors_are_exactly_ten() {
    for by in ["principal", "rpc"] {
        let redis = Redis::start().await;
        let kitchen = Upstream::content().await;
        let [here, there] = two(&redis, &kitchen, by, 10).await;
        let (first, second) = tokio::join!(passing(&here, 50), passing(&there, 50));
        assert_eq!(first + second, 10, "{by}: {first} and {second}");
        assert_eq!(kitchen.seen().len(), 10, "{by}");
    }
}

#[tokio::test]
async fn a_limit_by_address_counts_at_each_door() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "address", 3).await;
    assert_eq!((passing(&here, 10).await, passing(&there, 10).await), (3, 3));
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    assert_eq!(keys, ["gateway:limits:gateways"]);
}

#[tokio::test]
async fn who_is_counted_by_address_for_want_of_a_principal_counts_at_each_door() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "principal", 3).await;
    for gate in [&here, &there] {
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(gate.get("/v1/dishes/soup").await.status);
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
    }
    let keys: Vec<String> = redis.ask(&["KEYS", "gateway:limit:*"]).await;
    assert_eq!(keys, [""; 0]);
    // Whoever has a principal is counted together all the same.
    let (first, second) = tokio::join!(passing(&here, 5), passing(&there, 5));
    assert_eq!((first + second, kitchen.seen().len()), (3, 9));
}

#[tokio::test]
async fn what_one_half_refuses_takes_nothing_from_the_other() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let limits = format!(
        "{{ store: \"{}\", limits: {{ each: {{ by: principal, rate: 1/1h, burst: 2 }}, all: {{ by: rpc, rate: 1/1h, burst: 3 }}, \
         tried: {{ by: principal, rate: 1/1h, burst: 1, dry_run: true }}, rare: {{ by: rpc, rate: 1/1h, burst: 1, dry_run: true }} }} }}",
        redis.url()
    );
    let gate = Gate::start(|config| keyed(config, &kitchen, &limits)).await;
    shares(std::slice::from_ref(&gate), &redis).await;
    let ask = async |known: bool| {
        let reply = if known { soup(&gate).await } else { gate.get("/v1/dishes/soup").await };
        let line = gate.line(&reply).await;
        let name = line["limit"].as_str().unwrap_or_default().to_owned();
        (reply.status, name, line["limits_overrun"].clone())
    };
    let told = |status, limit: &str, overrun| (status, limit.to_owned(), overrun);
    assert_eq!(ask(false).await, told(200, "each", json!(null)));
    assert_eq!(ask(false).await, told(200, "each", json!(["tried", "rare"])));
    // Refused here: the store is not asked, and has one left.
    for _ in 0..3 {
        assert_eq!(ask(false).await, told(429, "each", json!(["tried"])));
    }
    assert_eq!(ask(true).await, told(200, "all", json!(["rare"])));
    assert_eq!(ask(true).await, told(429, "all", json!(["rare", "tried"])));
    assert_eq!(kitchen.seen().len(), 3);
}

#[tokio::test]
async fn what_the_store_refuses_takes_nothing_here() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let limits = format!(
        "{{ store: \"{}\", limits: {{ each: {{ by: principal, rate: 1/1h, burst: 2 }}, \
         all: {{ by: rpc, rate: 1/1h, burst: 1, rpcs: [kitchen.v1.Kitchen/GetDish] }} }} }}",
        redis.url()
    );
    let gate = Gate::start(|config| keyed(config, &kitchen, &limits)).await;
    shares(std::slice::from_ref(&gate), &redis).await;
    gate.get("/v1/dishes/soup").await.is(200);
    for _ in 0..3 {
        let reply = gate.get("/v1/dishes/soup").await;
        super::is_refused(&reply);
        assert!(reply.header("ratelimit").starts_with("\"all\""), "{reply}");
    }
    let reply = gate.get("/v1/dishes").await.is(200);
    assert_eq!(reply.header("ratelimit"), "\"each\";r=0;t=3600");
    assert_eq!(gate.get("/v1/dishes").await.status, 429);
    assert_eq!(kitchen.seen().len(), 2);
}

#[tokio::test]
async fn what_is_left_is_told_by_either_door() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "principal", 3).await;
    for (gate, left) in [(&here, 2), (&there, 1), (&here, 0)] {
        let reply = soup(gate).await.is(200);
        assert_eq!(reply.header("ratelimit"), format!("\"slow\";r={left};t=3600"));
        assert_eq!(reply.header("ratelimit-policy"), "\"slow\";q=3;w=10800");
    }
    let reply = soup(&there).await;
    super::is_refused(&reply);
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn nothing_in_the_store_says_who_it_is_about_and_nothing_stays() {
    let redis = Redis::start().await;
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let limits = format!(
        "{{ store: \"{}\", limits: {{ quick: {{ by: principal, rate: 10/1s, burst: 2 }} }} }}",
        redis.url()
    );
    let gate = super::gate(&kitchen, &issuer, &limits).await;
    shares(std::slice::from_ref(&gate), &redis).await;
    gate.get("/v1/dishes/soup").token(&key.token(&json!({"sub": "ada@example.com"}))).await.is(200);
    let keys = async || -> Vec<String> { redis.ask(&["KEYS", "gateway:limit:*"]).await };
    if let Some(name) = keys().await.first() {
        assert!(name.starts_with("gateway:limit:quick:"), "{name}");
        assert!(!name.contains("ada"), "{name}");
        assert_eq!(name.len(), "gateway:limit:quick:".len() + 32, "{name}");
    }
    until("the store has forgotten", async || keys().await.is_empty()).await;
}

#[tokio::test]
async fn several_limits_are_one_question_and_a_refusal_takes_nothing_from_the_others() {
    let redis = Redis::start().await;
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let limits = format!(
        "{{ store: \"{}\", limits: {{ all: {{ by: rpc, rate: 1/1h, burst: 5 }}, each: {{ by: principal, rate: 1/1h, burst: 2 }}, \
         trial: {{ by: principal, rate: 1/1h, dry_run: true }} }} }}",
        redis.url()
    );
    let gate = super::gate(&kitchen, &issuer, &limits).await;
    shares(std::slice::from_ref(&gate), &redis).await;
    let passed = async |sub: &str| {
        let token = key.token(&json!({"sub": sub}));
        let mut passed = 0;
        for _ in 0..6 {
            passed += u32::from(gate.get("/v1/dishes/soup").token(&token).await.status == 200);
        }
        passed
    };
    assert_eq!((passed("ada").await, passed("bob").await, passed("eve").await), (2, 2, 1));
    let calls: String = redis.ask(&["INFO", "commandstats"]).await;
    let evaluated = calls.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    let count: u32 =
        evaluated.split_once("calls=").unwrap().1.split(',').next().unwrap().parse().unwrap();
    let beats = 40;
    assert!((18..18 + beats).contains(&count), "one call for each of 18 requests: {evaluated}");
}

#[tokio::test]
async fn a_script_that_was_forgotten_is_given_again() {
    let redis = Redis::start().await;
    let kitchen = Upstream::content().await;
    let [here, there] = two(&redis, &kitchen, "principal", 10).await;
    assert_eq!(passing(&here, 4).await, 4);
    redis.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    assert_eq!((passing(&there, 4).await, passing(&here, 4).await), (4, 2));
    assert!(!here.errors.lines().iter().any(|line| line.contains("can't be used")));
}
