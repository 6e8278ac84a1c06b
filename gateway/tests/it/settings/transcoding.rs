use serde_json::json;
use tonic::Code;

use crate::stand::{Answer, Gate, Upstream};

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
