//! SIGHUP: another configuration without another process.

use rustix::process::Signal;
use serde_json::json;

use crate::stand::{Answer, Gate, Issuer, Key, Latch, Upstream, until};

const TAKEN: &str = "the configuration was read again";
const REFUSED: &str = "the configuration was not taken over";

#[tokio::test]
async fn what_is_added_is_there_and_what_is_taken_away_is_gone() {
    let (kitchen, cellar) = (Upstream::content().await, Upstream::content().await);
    let issuer = Issuer::of(&Key::new("k1")).await;
    let mut gate = Gate::start(|config| config.kitchen(&kitchen).issuer(&issuer)).await;
    gate.get("/v1/dishes/soup").await.is(200);
    gate.get("/v1/wines/red").await.is(404);
    gate.rewrite(|config| {
        let config = config.upstream("cellar", "kitchen.v1.Cellar", &[&cellar.url()]);
        config.access("kitchen.v1.Cellar/GetWine", "public").access("GetDish", "internal")
    });
    assert_eq!(gate.get("/v1/wines/red").await.status, 404, "nothing changes before it is told to");
    assert!(gate.hang_up().await.contains(TAKEN));
    gate.get("/v1/wines/red").await.is(200);
    assert_eq!(cellar.only_call().rpc, "kitchen.v1.Cellar/GetWine");
    gate.get("/v1/dishes/soup").await.is(405);
    gate.rewrite(|config| config.access("GetDish", "authenticated"));
    assert!(gate.hang_up().await.contains(TAKEN));
    gate.get("/v1/dishes/soup").await.is(401);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_so() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    for (change, complaint) in
        [("{ log: xml }", ": monitoring: unknown variant `xml`"), ("[", ": (file): ")]
    {
        gate.rewrite(|config| config.access("GetDish", "internal").section("monitoring", change));
        let said = gate.hang_up().await;
        assert!(said.contains(REFUSED) && said.contains(complaint), "{said}");
        assert!(said.contains("gateway.yaml:"), "{said}");
        gate.get("/v1/dishes/soup").await.is(200);
    }
    gate.rewrite(|config| {
        config.section("monitoring", "{ log: json }").access("GetDish", "nobody")
    });
    let said = gate.hang_up().await;
    assert!(said.contains(REFUSED) && said.contains("`nobody` is not an access"), "{said}");
    gate.get("/v1/dishes/soup").await.is(200);
    gate.rewrite(|config| config.access("GetDish", "internal"));
    assert!(gate.hang_up().await.contains(TAKEN));
    gate.get("/v1/dishes/soup").await.is(405);
}

#[tokio::test]
async fn what_only_a_start_can_change_is_said() {
    let kitchen = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    assert!(gate.hang_up().await.contains(TAKEN));
    let warnings = |gate: &Gate| {
        let lines = gate.errors.lines().into_iter();
        lines
            .filter(|line| line.contains("takes effect at the next start only"))
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(&gate), [""; 0]);
    gate.rewrite(|config| {
        config
            .section("listener", "{ address: \"127.0.0.1:1\" }")
            .section("admin", "{ address: \"127.0.0.1:2\" }")
            .section("monitoring", "{ log: text }")
    });
    assert!(gate.hang_up().await.contains(TAKEN));
    let warnings = warnings(&gate);
    assert_eq!(warnings.len(), 3);
    for (warning, setting) in
        warnings.iter().zip(["listener.address", "admin.address", "monitoring.log"])
    {
        assert!(warning.contains(setting), "{warning}");
    }
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(gate.line(&reply).await["status"], 200);
}

#[tokio::test]
async fn a_request_under_way_ends_as_it_began() {
    let latch = Latch::default();
    let kitchen = {
        let latch = latch.clone();
        Upstream::answering(move |_| Answer::dish(&json!({"id": "soup"})).when(&latch)).await
    };
    let other = Upstream::content().await;
    let mut gate = Gate::before(&kitchen).await;
    let asked = tokio::spawn(gate.get("/v1/dishes/soup").into_future());
    kitchen.called(1).await;
    gate.rewrite(|config| config.kitchen(&other).access("GetDish", "internal"));
    assert!(gate.hang_up().await.contains(TAKEN));
    gate.get("/v1/dishes/soup").await.is(405);
    gate.get("/v1/dishes").await.is(200);
    assert_eq!(other.only_call().rpc, "kitchen.v1.Kitchen/ListDishes");
    latch.open();
    assert_eq!(asked.await.unwrap().is(200).json()["id"], "soup");
}

#[tokio::test]
async fn keys_and_connections_outlive_a_reload_and_trust_does_not() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let mut gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("GetDish", "authenticated")
    })
    .await;
    let token = key.token(&json!({}));
    let status = async |gate: &Gate| gate.get("/v1/dishes/soup").token(&token).await.status;
    until("the keys are there", async || status(&gate).await == 200).await;
    for _ in 0..5 {
        assert!(gate.hang_up().await.contains(TAKEN));
        assert_eq!(status(&gate).await, 200);
    }
    assert_eq!((issuer.asked(), kitchen.connections()), (1, 1));
    // The token was verified and remembered; who no longer trusts its issuer does not take it.
    let mut other = Issuer::of(&key).await;
    "https://other.example".clone_into(&mut other.name);
    gate.rewrite(|config| config.no_issuers().issuer(&other));
    assert!(gate.hang_up().await.contains(TAKEN));
    assert_eq!(status(&gate).await, 401);
}

#[tokio::test]
async fn no_request_falls_while_the_configuration_changes() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let asking = async {
        for number in 0..200 {
            gate.get(&format!("/v1/dishes/{number}")).await.is(200);
        }
    };
    let reloading = async {
        for _ in 0..10 {
            assert!(gate.hang_up().await.contains(TAKEN));
        }
    };
    tokio::join!(asking, reloading);
    assert_eq!(kitchen.seen().len(), 200);
}

/// Opening a pipe waits for its other end, maybe for ever.
#[tokio::test]
async fn a_pipe_in_place_of_a_file_is_refused_and_holds_nobody_up() {
    let kitchen = Upstream::content().await;
    for name in ["gateway.yaml", "schema.binpb"] {
        let mut gate = Gate::before(&kitchen).await;
        gate.make_pipe(name);
        let said = gate.hang_up().await;
        assert!(said.contains(REFUSED) && said.contains("not a regular file"), "{name}: {said}");
        gate.get("/v1/dishes/soup").await.is(200);
        gate.signal(Signal::TERM);
        assert_eq!(gate.ended().await.0.code(), Some(0));
    }
}
