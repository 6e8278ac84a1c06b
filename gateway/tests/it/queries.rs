//! A query fills fields that are neither in the path nor in the body.

use http::Method;
use serde_json::{Value, json};

use crate::stand::{Gate, Upstream, Wire};

#[tokio::test]
async fn parameters_are_fields() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for (query, expected) in [
        ("", json!({})),
        ("pageSize=7", json!({"pageSize": 7})),
        ("page_size=7", json!({"pageSize": 7})),
        ("pageSize=-7", json!({"pageSize": -7})),
        ("pageToken=a+b%2Bc", json!({"pageToken": "a b+c"})),
        ("pageToken=", json!({})),
        ("pageToken", json!({})),
        ("pageToken=a=b", json!({"pageToken": "a=b"})),
        ("pageToken=a%26b", json!({"pageToken": "a&b"})),
        ("pageToken=a/b?c", json!({"pageToken": "a/b?c"})),
        ("pageToken=..%2F..", json!({"pageToken": "../.."})),
        ("pageToken=%00", json!({"pageToken": "\0"})),
        ("ids=a&ids=b&ids=a", json!({"ids": ["a", "b", "a"]})),
        (
            "filter.chef=ada&filter.taste=TASTE_SOUR",
            json!({"filter": {"chef": "ada", "taste": "TASTE_SOUR"}}),
        ),
        ("filter.taste=2", json!({"filter": {"taste": "TASTE_SOUR"}})),
        ("since=2026-11-24T09:30:00Z", json!({"since": "2026-11-24T09:30:00Z"})),
        ("fields=name,chef.stars", json!({"fields": "name,chef.stars"})),
        ("vegan=true", json!({"vegan": true})),
        ("&&vegan=true&", json!({"vegan": true})),
    ] {
        let reply = Wire::ask(&gate, &format!("GET /v1/dishes?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {reply}");
        assert_eq!(kitchen.only_call().json("ListDishesRequest"), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_no_field_or_does_not_fit_is_refused() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let many = vec!["ids=a"; 501].join("&");
    let deep = format!("filter{}=1", ".a".repeat(1000));
    for (query, named) in [
        ("color=red", "color"),
        ("PageSize=7", "PageSize"),
        ("filter.color=red", "filter.color"),
        ("filter=x", "filter"),
        ("labels=x", "labels"),
        ("labels.a=x", "labels.a"),
        ("pageSize=seven", "pageSize"),
        ("pageSize=7.5", "pageSize"),
        ("pageSize=2147483648", "pageSize"),
        ("pageSize=", "pageSize"),
        ("vegan=yes", "vegan"),
        ("vegan=TRUE", "vegan"),
        ("since=today", "since"),
        ("filter.taste=TASTE_BITTER", "filter.taste"),
        ("pageSize=1&pageSize=2", "pageSize"),
        ("pageSize=1&page_size=1", "page_size"),
        ("pageToken=%ff", "pageToken"),
        ("access_token=secret", "access_token"),
        (many.as_str(), "ids"),
        (deep.as_str(), "filter.a.a"),
        ("a[b][c]=1", "a[b][c]"),
    ] {
        let reply = Wire::ask(&gate, &format!("GET /v1/dishes?{query}")).await;
        let problem = reply.clone().is(400).problem();
        assert_eq!(problem["type"], "/problems/invalid-field", "{query}: {reply}");
        let field = problem["details"][0]["fieldViolations"][0]["field"].as_str().unwrap();
        assert!(field.starts_with(named), "{query}: {problem}");
        assert!(!reply.text().contains("secret"), "{reply}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_route_that_takes_all_from_its_body_takes_no_query() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    gate.post("/v1/dishes?name=soup", &json!({})).await.is(400).problem();
    gate.ask(Method::PATCH, "/v1/dishes/soup?dish.name=a").json(&json!({})).await.is(400).problem();
    kitchen.saw_nothing();
    gate.ask(Method::PATCH, "/v1/dishes/soup?updateMask=name")
        .json(&json!({"name": "a"}))
        .await
        .is(200);
    let expected = json!({"dish": {"id": "soup", "name": "a"}, "updateMask": "name"});
    assert_eq!(kitchen.only_call().json("UpdateDishRequest"), expected);
}

/// A field of the path may be said again, but not otherwise.
#[tokio::test]
async fn the_path_is_not_contradicted() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let rows: [(Method, &str, Option<Value>, u16); 10] = [
        (Method::PUT, "/v1/dishes/soup", Some(json!({"id": "soup", "name": "a"})), 200),
        (Method::PUT, "/v1/dishes/soup", Some(json!({"name": "a"})), 200),
        (Method::PUT, "/v1/dishes/soup", Some(json!({"id": "bread"})), 400),
        (Method::PUT, "/v1/dishes/soup", Some(json!({"id": "SOUP"})), 400),
        (Method::PATCH, "/v1/dishes/soup", Some(json!({"id": "bread"})), 400),
        (Method::PATCH, "/v1/dishes/soup", Some(json!({"id": "soup"})), 200),
        (Method::GET, "/v1/dishes/soup?id=bread", None, 400),
        (Method::GET, "/v1/dishes/soup?id=soup", None, 200),
        (Method::POST, "/v1/dishes/soup:cook", Some(json!({"id": "bread"})), 400),
        (Method::GET, "/v1/menus/lunch/dishes/soup?menu=dinner", None, 400),
    ];
    for (method, path, body, status) in rows {
        let mut ask = gate.ask(method.clone(), path);
        if let Some(body) = &body {
            ask = ask.json(body);
        }
        let reply = ask.await;
        assert_eq!(reply.status, status, "{method} {path} {body:?}: {reply}");
        if status == 400 {
            let problem = reply.problem();
            assert_eq!(problem["type"], "/problems/invalid-field", "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains("has another value"), "{problem}");
            kitchen.saw_nothing();
        } else {
            assert!(kitchen.only_call().message.windows(4).any(|part| part == b"soup"));
        }
    }
}
