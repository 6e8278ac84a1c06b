//! Every key of `gateway.yaml` does something: each test changes one key and sees another behaviour.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::{Code, Request};

use crate::stand::{Answer, Gate, Issuer, Key, Latch, Upstream, compile, kitchen_set};

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
        config.upstream("kitchen", "kitchen.v1.Kitchen", &[&here.url(), &there.url()])
    })
    .await;
    for _ in 0..4 {
        both.get("/v1/dishes/soup").await.is(200);
    }
    assert_eq!((here.seen().len(), there.seen().len()), (3, 3));
}

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
async fn load_balancing_algorithm() {
    for (algorithm, expected) in [("round_robin", 3), ("least_requests", 1)] {
        let latch = Latch::default();
        let busy = {
            let latch = latch.clone();
            Upstream::answering(move |_| Answer::wire(b"").when(&latch)).await
        };
        let free = Upstream::content().await;
        let gate = Gate::start(|config| {
            config
                .upstream("kitchen", "kitchen.v1.Kitchen", &[&busy.url(), &free.url()])
                .section("load_balancing", &format!("{{ algorithm: {algorithm} }}"))
        })
        .await;
        // One after the other, but nobody waits for what the busy one holds.
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut asked = tokio::spawn(gate.get("/v1/dishes/soup").into_future());
            tokio::select! {
                answered = &mut asked => { answered.unwrap().is(200); }
                () = busy.called(held.len() + 1) => held.push(asked),
            }
        }
        assert_eq!(held.len(), expected, "{algorithm}");
        latch.open();
        for held in held {
            held.await.unwrap().is(200);
        }
    }
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

/// How the stream ends that says one message and nothing more, and how long that takes.
async fn end_of_stream(resilience: &str) -> (String, Duration) {
    let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", resilience)).await;
    let began = SystemTime::now();
    let reply = gate.get("/v1/dishes:watch").header("accept", "application/x-ndjson").await.is(200);
    kitchen.cancelled(1).await;
    assert_eq!(gate.line(&reply).await["origin"], "gateway");
    (reply.text(), began.elapsed().unwrap())
}

#[tokio::test]
async fn resilience_stream_idle() {
    let (said, waited) = end_of_stream("{ stream_idle: 1s }").await;
    assert!(said.starts_with("{}\n{\"error\":") && said.contains("sent nothing"), "{said}");
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test]
async fn resilience_stream_age() {
    let (said, waited) = end_of_stream("{ stream_age: 1s }").await;
    assert!(said.starts_with("{}\n{\"error\":") && said.contains("greatest age"), "{said}");
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(8), "{waited:?}");
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

#[tokio::test]
async fn transcoding_status_by_reason() {
    let kitchen = Upstream::answering(|_| {
        let info =
            tonic_types::pb::ErrorInfo { reason: "SOLD_OUT".to_owned(), ..Default::default() };
        let info = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: prost::Message::encode_to_vec(&info),
        };
        Answer::error(Code::FailedPrecondition, "sold out").details(vec![info])
    })
    .await;
    let gate = Gate::before(&kitchen).await;
    gate.get("/v1/dishes/soup").await.is(400);
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("transcoding", "{ status_by_reason: { SOLD_OUT: 410 } }")
    })
    .await;
    let problem = gate.get("/v1/dishes/soup").await.is(410).problem();
    assert_eq!(problem["title"], "Gone");
    assert_eq!(
        (&problem["code"], &problem["reason"]),
        (&json!("FAILED_PRECONDITION"), &json!("SOLD_OUT"))
    );
}

#[tokio::test]
async fn transcoding_request_headers_and_response_headers() {
    let kitchen = Upstream::answering(|_| {
        Answer::wire(b"").header("x-table", "seven").trailer("x-cost", "9")
    })
    .await;
    let closed = Gate::before(&kitchen).await;
    let answer = closed.get("/v1/dishes/soup").header("x-tenant", "a").await.is(200);
    assert_eq!((answer.header("x-table"), answer.header("x-cost")), ("", ""));
    assert_eq!(kitchen.only_call().header("x-tenant"), None);

    let open = Gate::start(|config| {
        let names = "{ request_headers: [X-Tenant], response_headers: [x-table, X-Cost] }";
        config.kitchen(&kitchen).section("transcoding", names)
    })
    .await;
    let answer = open.get("/v1/dishes/soup").header("x-tenant", "a").await.is(200);
    assert_eq!((answer.header("x-table"), answer.header("x-cost")), ("seven", "9"));
    assert_eq!(kitchen.only_call().header("x-tenant"), Some("a"));
}

#[tokio::test]
async fn transcoding_problem_base() {
    let kitchen = Upstream::content().await;
    for (section, expected) in [
        ("{}", "/problems/invalid-field"),
        (
            "{ problem_base: \"https://shop.example/errors/\" }",
            "https://shop.example/errors/invalid-field",
        ),
    ] {
        let gate =
            Gate::start(|config| config.kitchen(&kitchen).section("transcoding", section)).await;
        let problem = gate.get("/v1/dishes?pageSize=many").await.is(400).problem();
        assert_eq!(problem["type"], expected);
    }
}

/// A gateway before a kitchen, with this section `transcoding`.
async fn transcoding(kitchen: &Upstream, section: &str) -> Gate {
    Gate::start(|config| config.kitchen(kitchen).section("transcoding", section)).await
}

#[tokio::test]
async fn transcoding_emit_defaults() {
    let kitchen = Upstream::content().await;
    let gate = transcoding(&kitchen, "{}").await;
    assert_eq!(gate.get("/v1/dishes").await.is(200).text(), "{}");
    let gate = transcoding(&kitchen, "{ emit_defaults: true }").await;
    let answer = gate.get("/v1/dishes").await.is(200);
    assert_eq!(answer.text(), r#"{"dishes":[],"nextPageToken":""}"#);
}

#[tokio::test]
async fn transcoding_enum_numbers() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"taste": "TASTE_SOUR"}))).await;
    let gate = transcoding(&kitchen, "{}").await;
    assert_eq!(gate.get("/v1/dishes/soup").await.is(200).text(), r#"{"taste":"TASTE_SOUR"}"#);
    let gate = transcoding(&kitchen, "{ enum_numbers: true }").await;
    assert_eq!(gate.get("/v1/dishes/soup").await.is(200).text(), r#"{"taste":2}"#);
}

#[tokio::test]
async fn transcoding_ignore_unknown_fields() {
    let kitchen = Upstream::content().await;
    let body = json!({"name": "soup", "colour": {"of": ["the", "day"]}, "taste": "TASTE_BITTER"});
    let gate = transcoding(&kitchen, "{}").await;
    gate.post("/v1/dishes", &body).await.is(400);
    kitchen.saw_nothing();
    let gate = transcoding(&kitchen, "{ ignore_unknown_fields: true }").await;
    gate.post("/v1/dishes", &body).await.is(200);
    assert_eq!(kitchen.only_call().json("Dish"), json!({"name": "soup"}));
    // It is about bodies: a query has a list of its own.
    gate.get("/v1/dishes?colour=red").await.is(400);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn transcoding_ignore_query_parameters() {
    let kitchen = Upstream::content().await;
    let path = "/v1/dishes?pageSize=7&utm_source=mail&utm%5Fsource=post";
    let gate = transcoding(&kitchen, "{}").await;
    gate.get(path).await.is(400);
    kitchen.saw_nothing();
    let gate = transcoding(&kitchen, "{ ignore_query_parameters: [utm_source] }").await;
    gate.get(path).await.is(200);
    assert_eq!(kitchen.only_call().json("ListDishesRequest"), json!({"pageSize": 7}));
    gate.post("/v1/dishes?utm_source=mail", &json!({"id": "a"})).await.is(200);
    assert_eq!(kitchen.only_call().json("Dish"), json!({"id": "a"}));
    gate.get("/v1/dishes?utm_medium=mail").await.is(400);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn transcoding_case_insensitive_enums() {
    let kitchen = Upstream::content().await;
    let body = json!({"taste": "taste_Sour"});
    let query = "/v1/dishes?filter.taste=taste_sweet";
    let gate = transcoding(&kitchen, "{}").await;
    gate.post("/v1/dishes", &body).await.is(400);
    gate.get(query).await.is(400);
    kitchen.saw_nothing();
    let gate = transcoding(&kitchen, "{ case_insensitive_enums: true }").await;
    gate.post("/v1/dishes", &body).await.is(200);
    assert_eq!(kitchen.only_call().json("Dish"), json!({"taste": "TASTE_SOUR"}));
    gate.get(query).await.is(200);
    let seen = kitchen.only_call().json("ListDishesRequest");
    assert_eq!(seen, json!({"filter": {"taste": "TASTE_SWEET"}}));
}

#[tokio::test]
async fn transcoding_decode_slashes() {
    let kitchen = Upstream::content().await;
    for (section, name) in
        [("{}", "files/a%2Fb/c d"), ("{ decode_slashes: true }", "files/a/b/c d")]
    {
        let gate = transcoding(&kitchen, section).await;
        gate.get("/v1/files/a%2Fb/c%20d").await.is(200);
        assert_eq!(kitchen.only_call().json("ReadRequest"), json!({"name": name}), "{section}");
    }
}

#[tokio::test]
async fn transcoding_rules() {
    let kitchen = Upstream::content().await;
    let gate = transcoding(&kitchen, "{}").await;
    gate.get("/menu").await.is(404);
    let rules = "{ rules: [{ selector: kitchen.v1.Kitchen.ListDishes, get: /menu }] }";
    let gate = transcoding(&kitchen, rules).await;
    gate.get("/menu?pageSize=7").await.is(200);
    let seen = kitchen.only_call();
    assert_eq!(seen.rpc, "kitchen.v1.Kitchen/ListDishes");
    assert_eq!(seen.json("ListDishesRequest"), json!({"pageSize": 7}));
}

/// One option in every layer: that of the RPC goes before that of its upstream, and that before the default.
#[tokio::test]
async fn transcoding_upstreams_and_rpcs() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"taste": "TASTE_SOUR"}))).await;
    let (rpc, other) =
        ("rpcs: { kitchen.v1.Kitchen/GetDish:", "rpcs: { kitchen.v1.Kitchen/DeleteDish:");
    let (upstream, stranger) = ("upstreams: { kitchen:", "upstreams: { cellar:");
    let (on, off) = ("{ enum_numbers: true } }", "{ enum_numbers: false } }");
    let (name, number) = (r#"{"taste":"TASTE_SOUR"}"#, r#"{"taste":2}"#);
    for (section, expected) in [
        (format!("{{ {rpc} {on} }}"), number),
        (format!("{{ {other} {on} }}"), name),
        (format!("{{ {upstream} {on} }}"), number),
        (format!("{{ {stranger} {on} }}"), name),
        (format!("{{ {upstream} {on}, {rpc} {off} }}"), name),
        (format!("{{ {upstream} {off}, {rpc} {on} }}"), number),
        (format!("{{ enum_numbers: true, {upstream} {off} }}"), name),
        (format!("{{ enum_numbers: true, {rpc} {off} }}"), name),
        // A layer that says something else leaves this to the wider one.
        (format!("{{ enum_numbers: true, {rpc} {{ decode_slashes: true }} }} }}"), number),
    ] {
        let gate = Gate::start(|config| {
            let config = config.kitchen(&kitchen).section("transcoding", &section);
            config
                .upstream("cellar", "kitchen.v1.Cellar", &["http://127.0.0.1:1"])
                .access("kitchen.v1.Cellar/GetWine", "public")
        })
        .await;
        assert_eq!(gate.get("/v1/dishes/soup").await.is(200).text(), expected, "{section}");
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

/// What a client of events gets.
async fn events(kitchen: &Upstream, options: &str, headers: &[(&str, &str)]) -> String {
    let gate = Gate::start(|config| config.kitchen(kitchen).section("transcoding", options)).await;
    let ask = gate.get("/v1/dishes:watch").header("accept", "text/event-stream");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).await.is(200).text()
}

#[tokio::test]
async fn transcoding_event_id() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "a", "price": "7"}))).await;
    let rpc =
        |options: &str| format!("{{ rpcs: {{ kitchen.v1.Kitchen/WatchDishes: {options} }} }}");
    for (options, id) in
        [("{}", "\ndata"), ("{ event_id: id }", "\nid: a\n"), ("{ event_id: price }", "\nid: 7\n")]
    {
        let said = events(&kitchen, &rpc(options), &[]).await;
        assert!(said.starts_with(&format!("event: message{id}")), "{options}: {said}");
    }
}

#[tokio::test]
async fn transcoding_last_event_id() {
    let kitchen = Upstream::content().await;
    for (options, request) in [
        ("{}", json!({})),
        ("{ last_event_id: pageSize }", json!({"pageSize": 7})),
        ("{ last_event_id: filter.chef }", json!({"filter": {"chef": "7"}})),
    ] {
        let options = format!("{{ rpcs: {{ kitchen.v1.Kitchen/WatchDishes: {options} }} }}");
        events(&kitchen, &options, &[("last-event-id", "7")]).await;
        assert_eq!(kitchen.only_call().json("ListDishesRequest"), request, "{options}");
    }
}

#[tokio::test]
async fn transcoding_heartbeat() {
    for (heartbeat, beats) in [("1h", false), ("50ms", true)] {
        let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
        let gate = Gate::start(|config| {
            let config = config.kitchen(&kitchen).section("resilience", "{ stream_idle: 1s }");
            config.section("transcoding", &format!("{{ heartbeat: {heartbeat} }}"))
        })
        .await;
        let reply =
            gate.get("/v1/dishes:watch").header("accept", "text/event-stream").await.is(200);
        assert_eq!(reply.text().contains("\n\n:\n\n"), beats, "{heartbeat}: {}", reply.text());
    }
}
