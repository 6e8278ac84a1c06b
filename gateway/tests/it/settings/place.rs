use tokio::net::TcpListener;

use crate::stand::{Answer, Gate, Upstream, compile, kitchen_set};

#[tokio::test]
async fn schema_file() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    assert_eq!(gate.get("/bread/rye").await.status, 404);

    let bakery = compile(
        "syntax = \"proto3\"; package bakery; import \"google/api/annotations.proto\";\n\
         message Loaf { string id = 1; }\n\
         service Bakery { rpc GetLoaf(Loaf) returns (Loaf) { option (google.api.http) = { get: \"/bread/{id}\" }; } }",
    );
    let gate = Gate::start(|config| {
        let config = config.upstream("bakery", "bakery.Bakery", &[&kitchen.url()]);
        config.schema(bakery).access("bakery.Bakery/GetLoaf", "public")
    })
    .await;
    gate.get("/bread/rye").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "bakery.Bakery/GetLoaf");
    assert_eq!(gate.get("/v1/dishes/soup").await.status, 404);
    assert!(!kitchen_set().is_empty());
}

#[tokio::test]
async fn listener_address_and_admin_address() {
    for key in ["listener", "admin"] {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gate = Gate::start(|config| {
            config.hide_kitchen().section(key, &format!("{{ address: \"{free}\" }}"))
        })
        .await;
        let chosen = if key == "listener" { gate.address } else { gate.admin };
        assert_eq!(chosen, free);
        assert_eq!(gate.get("/healthz").await.status, 404, "operators have their own door");
        assert_eq!(gate.admin("/healthz").await.is(200).text(), "ok\n");
    }
}

#[tokio::test]
async fn upstreams_services() {
    let (kitchen, cellar) = (Upstream::content().await, Upstream::content().await);
    let apart = Gate::start(|config| {
        let config = config.kitchen(&kitchen).access("kitchen.v1.Cellar/GetWine", "public");
        config.upstream("cellar", "kitchen.v1.Cellar", &[&cellar.url()])
    })
    .await;
    apart.get("/v1/wines/red").await.is(200);
    assert_eq!(cellar.only_call().rpc, "kitchen.v1.Cellar/GetWine");
    kitchen.saw_nothing();

    let together = Gate::start(|config| {
        let config = config.access("kitchen.v1.Cellar/GetWine", "public");
        config.upstream("kitchen", "kitchen.v1.Kitchen, kitchen.v1.Cellar", &[&kitchen.url()])
    })
    .await;
    together.get("/v1/wines/red").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Cellar/GetWine");
    cellar.saw_nothing();
}

#[tokio::test]
async fn upstreams_endpoints() {
    let (here, there) = (Upstream::content().await, Upstream::content().await);
    Gate::before(&here).await.get("/v1/dishes/soup").await.is(200);
    assert_eq!((here.seen().len(), there.seen().len()), (1, 0));
    Gate::before(&there).await.get("/v1/dishes/soup").await.is(200);
    assert_eq!((here.seen().len(), there.seen().len()), (1, 1));
    let both = Gate::start(|config| {
        config
            .upstream("kitchen", "kitchen.v1.Kitchen", &[&here.url(), &there.url()])
            .section("load_balancing", "{ algorithm: round_robin }")
    })
    .await;
    for _ in 0..4 {
        both.get("/v1/dishes/soup").await.is(200);
    }
    assert_eq!((here.seen().len(), there.seen().len()), (3, 3));
}

#[tokio::test]
async fn variables_of_the_environment() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate = Gate::start(|config| {
        let config = config.kitchen(&kitchen).environment("IT_DEADLINE", "100ms");
        config.section("resilience", "{ deadline: \"${IT_DEADLINE:-1h}\" }")
    })
    .await;
    gate.get("/v1/dishes/soup").await.is(504);
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("resilience", "{ deadline: \"${IT_DEADLINE:-200ms}\" }")
    })
    .await;
    gate.get("/v1/dishes/soup").await.is(504);
}
