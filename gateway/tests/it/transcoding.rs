//! REST in, gRPC behind, and back: each shape of a rule, from both sides.

use bytes::Bytes;
use http::Method;
use prost::Message as _;
use serde_json::json;

use crate::stand::{Answer, Gate, Upstream};

#[tokio::test]
async fn each_verb_and_body_kind_reaches_its_rpc() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "soup"}))).await;
    let gate = Gate::before(&kitchen).await;
    let dish = json!({"id": "soup", "name": "Soup", "tags": ["hot", "red"], "parts": {"salt": 2}});
    for (method, path, body, rpc, message, seen) in [
        (Method::GET, "/v1/dishes/soup", None, "GetDish", "GetDishRequest", json!({"id": "soup"})),
        (
            Method::GET,
            "/v1/menus/lunch/dishes/soup",
            None,
            "GetDish",
            "GetDishRequest",
            json!({"id": "soup", "menu": "lunch"}),
        ),
        (
            Method::GET,
            "/v1/dishes/soup?menu=lunch",
            None,
            "GetDish",
            "GetDishRequest",
            json!({"id": "soup", "menu": "lunch"}),
        ),
        (Method::POST, "/v1/dishes", Some(dish.clone()), "CreateDish", "Dish", dish.clone()),
        (
            Method::PUT,
            "/v1/dishes/soup",
            Some(json!({"name": "Soup"})),
            "ReplaceDish",
            "Dish",
            json!({"id": "soup", "name": "Soup"}),
        ),
        (
            Method::PATCH,
            "/v1/dishes/soup?update_mask=name",
            Some(json!({"name": "Soup"})),
            "UpdateDish",
            "UpdateDishRequest",
            json!({"dish": {"id": "soup", "name": "Soup"}, "updateMask": "name"}),
        ),
        (
            Method::DELETE,
            "/v1/dishes/soup",
            None,
            "DeleteDish",
            "GetDishRequest",
            json!({"id": "soup"}),
        ),
        (
            Method::POST,
            "/v1/dishes/soup:cook",
            Some(json!({"minutes": 7})),
            "CookDish",
            "CookDishRequest",
            json!({"id": "soup", "minutes": 7}),
        ),
        (
            Method::HEAD,
            "/v1/count?vegan=true",
            None,
            "CountDishes",
            "ListDishesRequest",
            json!({"vegan": true}),
        ),
        (Method::DELETE, "/v1/taste", Some(dish.clone()), "Taste", "Dish", dish.clone()),
        (Method::GET, "/v1/taste", None, "Taste", "Dish", json!({})),
    ] {
        let mut ask = gate.ask(method.clone(), path);
        if let Some(body) = &body {
            ask = ask.json(body);
        }
        let reply = ask.await;
        assert_eq!(reply.status, 200, "{method} {path}: {reply}");
        let call = kitchen.only_call();
        assert_eq!(call.rpc, format!("kitchen.v1.Kitchen/{rpc}"), "{method} {path}");
        assert_eq!(call.json(message), seen, "{method} {path}");
        assert_eq!(call.header("content-type"), Some("application/grpc"));
        assert_eq!(call.header("te"), Some("trailers"));
    }
}

#[tokio::test]
async fn every_kind_of_value_comes_through_unchanged_both_ways() {
    let kitchen = Upstream::answering(|seen| Answer::wire(&seen.message)).await;
    let gate = Gate::before(&kitchen).await;
    let dish = json!({
        "id": "sou\u{e9}\u{1f35c}\"\\\n", "name": "Soup", "price": "9007199254740993", "taste": "TASTE_SOUR",
        "chef": {"name": "ada", "stars": -3}, "tags": ["a", "", "b"], "parts": {"salt": 1, "": 2}, "bowl": 7,
        "extra": {"@type": "type.googleapis.com/kitchen.v1.Chef", "name": "bob"},
        "notes": {"deep": [1.5, null, true, {"a": "b"}]}, "time": "1.500s", "rating": "-5", "photo": "AQL/",
    });
    let reply = gate.post("/v1/dishes", &dish).await.is(200);
    assert_eq!(kitchen.only_call().json("Dish"), dish);
    let mut answered = reply.json();
    // Fields without presence that are unset may be written or left out; what is set must be there as it was.
    let set: Vec<String> = dish.as_object().unwrap().keys().cloned().collect();
    answered.as_object_mut().unwrap().retain(|name, _| set.contains(name));
    assert_eq!(answered, dish);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn both_spellings_of_a_field_and_64_bit_numbers_are_read_exactly() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (written, read) in [
        (r#"{"price":9007199254740993}"#, "9007199254740993"),
        (r#"{"price":"9007199254740993"}"#, "9007199254740993"),
        (r#"{"price":-9223372036854775808}"#, "-9223372036854775808"),
        (r#"{"price":1e3}"#, "1000"),
        (r#"{"price":7.0}"#, "7"),
    ] {
        let ask = gate.ask(Method::POST, "/v1/dishes").header("content-type", "application/json");
        ask.body(written).await.is(200);
        assert_eq!(kitchen.only_call().json("Dish"), json!({"price": read}), "{written}");
    }
}

#[tokio::test]
async fn a_response_body_is_one_field_of_the_answer() {
    let kitchen = Upstream::answering(|_| {
        Answer::dish(&json!({"id": "x", "chef": {"name": "ada", "stars": 3}}))
    })
    .await;
    let gate = Gate::before(&kitchen).await;
    assert_eq!(
        gate.get("/v1/dishes/soup/chef").await.is(200).json(),
        json!({"name": "ada", "stars": 3})
    );
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let nobody = gate.get("/v1/dishes/soup/chef").await.is(200);
    assert!(
        matches!(nobody.text().as_str(), "null" | "{}") || nobody.json()["name"] == "",
        "{nobody}"
    );
}

/// `google.api.HttpBody`, by hand.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

#[tokio::test]
async fn an_http_body_is_sent_as_it_is() {
    for (content_type, expected) in [
        ("image/svg+xml", "image/svg+xml"),
        ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("", "application/octet-stream"),
        ("a\r\nset-cookie: b", "application/octet-stream"),
    ] {
        let data = Bytes::from_static(b"\0\xff<svg/>\r\n\r\n");
        let body =
            HttpBody { content_type: content_type.to_owned(), data: data.clone() }.encode_to_vec();
        let kitchen = Upstream::answering(move |_| Answer::wire(&body)).await;
        let gate = Gate::before(&kitchen).await;
        let reply = gate.get("/v1/dishes/soup/photo").await.is(200);
        assert_eq!((reply.header("content-type"), reply.body.as_slice()), (expected, &data[..]));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("content-length"), data.len().to_string());
        assert_eq!(reply.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn an_empty_answer_is_an_empty_object() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    assert_eq!(gate.ask(Method::DELETE, "/v1/dishes/soup").await.is(200).text(), "{}");
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let name = "x".repeat(3 << 20);
    let kitchen = {
        let dish = json!({"name": name});
        Upstream::answering(move |_| Answer::dish(&dish)).await
    };
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(reply.json()["name"], name);
    assert_eq!(gate.line(&reply).await["sent"], reply.body.len());
}
