use serde_json::json;

use crate::stand::{Gate, Issuer, Key, Redis, Upstream, until};

/// The statuses of some requests after each other: without a token, with one of ada's, with one of the admin's.
async fn statuses(gate: &Gate, key: &Key) -> [Vec<u16>; 3] {
    let tokens = [None, Some(json!({})), Some(json!({"sub": "root", "roles": ["admin"]}))];
    let mut all = [const { Vec::new() }; 3];
    for (statuses, claims) in all.iter_mut().zip(tokens) {
        for _ in 0..3 {
            let mut ask = gate.get("/v1/dishes/soup");
            if let Some(claims) = &claims {
                ask = ask.token(&key.token(claims));
            }
            statuses.push(ask.await.status);
        }
    }
    all
}

#[tokio::test]
async fn rate_limiting_limits() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let (all, one, two, none) =
        (vec![200; 3], vec![200, 429, 429], vec![200, 200, 429], vec![429; 3]);
    let other = "rpcs: [kitchen.v1.Kitchen/ListDishes]";
    let this = "rpcs: [kitchen.v1.Kitchen/GetDish]";
    for (limit, expected) in [
        ("by: principal, rate: 1/1h", [&one, &one, &one]),
        // by
        ("by: address, rate: 1/1h", [&one, &none, &none]),
        ("by: rpc, rate: 1/1h", [&one, &none, &none]),
        ("by: api_key, rate: 1/1h", [&all, &all, &all]),
        // rate: before the second request there is time for another
        ("by: principal, rate: 1000000/1s", [&all, &all, &all]),
        // burst
        ("by: principal, rate: 1/1h, burst: 2", [&two, &two, &two]),
        // rpcs
        (&format!("by: principal, rate: 1/1h, {other}"), [&all, &all, &all]),
        (&format!("by: principal, rate: 1/1h, {this}"), [&one, &one, &one]),
        // class
        ("by: principal, rate: 1/1h, class: anonymous", [&one, &all, &all]),
        ("by: principal, rate: 1/1h, class: user", [&all, &one, &all]),
        ("by: principal, rate: 1/1h, class: admin", [&all, &all, &one]),
        // dry_run
        ("by: principal, rate: 1/1h, dry_run: true", [&all, &all, &all]),
        ("by: principal, rate: 1/1h, dry_run: false", [&one, &one, &one]),
    ] {
        let limits = format!("{{ limits: {{ a: {{ {limit} }} }} }}");
        let gate = Gate::start(|config| {
            let config = config.kitchen(&kitchen).issuer(&issuer).file("keys.yaml", "keys: []");
            config.api_keys("{ file: keys.yaml }").section("rate_limiting", &limits)
        })
        .await;
        let seen = statuses(&gate, &key).await;
        assert_eq!(seen.each_ref(), expected, "{limit}");
        let reached = seen.iter().flatten().filter(|status| **status == 200).count();
        assert_eq!(kitchen.seen().len(), reached, "{limit}");
        kitchen.forget();
    }
}

#[tokio::test]
async fn rate_limiting_classes() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    for (classes, expected) in
        [("[]", [200, 200, 200]), ("[{ class: staff, roles: [admin] }]", [200, 429, 429])]
    {
        let class = if classes == "[]" { "user" } else { "staff" };
        let limits = format!(
            "{{ classes: {classes}, limits: {{ a: {{ by: principal, rate: 1/1h, class: {class} }} }} }}"
        );
        let gate = Gate::start(|config| {
            config.kitchen(&kitchen).issuer(&issuer).section("rate_limiting", &limits)
        })
        .await;
        assert_eq!(statuses(&gate, &key).await[2], expected, "{classes}");
    }
}

#[tokio::test]
async fn rate_limiting_store() {
    let kitchen = Upstream::content().await;
    let redis = Redis::start().await;
    for (store, expected) in [(String::new(), [200, 200]), (redis.url(), [200, 429])] {
        let limits =
            format!("{{ store: \"{store}\", limits: {{ a: {{ by: rpc, rate: 1/1h }} }} }}");
        let start =
            || Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", &limits));
        let gates = [start().await, start().await];
        let mut statuses = Vec::new();
        for gate in &gates {
            until("it is ready", async || gate.admin("/readyz").await.status == 200).await;
            statuses.push(gate.get("/v1/dishes/soup").await.status);
        }
        assert_eq!(statuses, expected, "{store}");
    }
}

#[tokio::test]
async fn rate_limiting_store_key() {
    let kitchen = Upstream::content().await;
    for (keys, expected) in [
        (["", ""], [200, 429]),
        (["one of our secrets", "one of our secrets"], [200, 429]),
        (["one of our secrets", "one of our secrets!"], [200, 200]),
        (["one of our secrets", ""], [200, 200]),
    ] {
        let redis = Redis::start().await;
        let mut statuses = Vec::new();
        for key in keys {
            let limits = format!(
                "{{ store: \"{}\", store_key: \"{key}\", limits: {{ a: {{ by: rpc, rate: 1/1h }} }} }}",
                redis.url()
            );
            let gate =
                Gate::start(|config| config.kitchen(&kitchen).section("rate_limiting", &limits))
                    .await;
            until("it is ready", async || gate.admin("/readyz").await.status == 200).await;
            statuses.push(gate.get("/v1/dishes/soup").await.status);
        }
        assert_eq!(statuses, expected, "{keys:?}");
    }
}

#[tokio::test]
async fn listener_trusted_hops() {
    let kitchen = Upstream::content().await;
    for (hops, expected) in [(0, "127.0.0.1"), (1, "192.0.2.3"), (2, "192.0.2.2")] {
        let listener = format!("{{ address: \"127.0.0.1:0\", trusted_hops: {hops} }}");
        let gate =
            Gate::start(|config| config.kitchen(&kitchen).section("listener", &listener)).await;
        let ask = gate.get("/v1/dishes/soup");
        let reply = ask.header("x-forwarded-for", "192.0.2.1, 192.0.2.2, 192.0.2.3").await.is(200);
        assert_eq!(gate.line(&reply).await["client"], expected);
    }
}
