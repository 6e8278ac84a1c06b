//! Responsibility 8: what can be known afterwards.

use e2e::role::Role;
use serde_json::json;

use crate::stand::{Witness as _, setup, shared};

#[tokio::test]
async fn every_request_is_one_line_that_says_all() {
    let bed = shared().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let answer =
        shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await.expect_status(200);
    let line = bed.access_line(answer.request_id()).await;
    assert_eq!(line["principal"], ada.id);
    assert_eq!(line["rpc"], "user.v1.UserService/GetUser");
    assert_eq!(line["status"], 200);
    assert_eq!(line["code"], "OK");
    assert!(
        line["route"].as_str().unwrap().contains("/api/users/{id}"),
        "a route, not a path: {line}"
    );
    assert!(
        line["endpoint"].as_str().unwrap().contains(&bed.ports().port(Role::User).to_string()),
        "{line}"
    );
    let duration = line["duration_us"].as_u64().unwrap();
    let steps = line["steps_us"].as_object().unwrap();
    assert!(steps.len() >= 3, "{line}");
    let sum: u64 = steps.values().map(|step| step.as_u64().unwrap()).sum();
    assert!(sum <= duration + 1000, "the steps are parts of the whole: {line}");
}

#[tokio::test]
async fn a_refused_request_has_its_line_too() {
    let bed = shared().await;
    let shop = bed.shop();
    for (path, status, code) in [
        ("/api/nothing", 404, "NOT_FOUND"),
        ("/api/users/123", 401, "UNAUTHENTICATED"),
        ("/api/products?colour=red", 400, "INVALID_ARGUMENT"),
        ("/api/products/%00", 400, "INVALID_ARGUMENT"),
    ] {
        let answer = shop.get(path).await.expect_problem(status, code);
        let line = bed.access_line(answer.request_id()).await;
        assert_eq!(
            (&line["status"], &line["code"]),
            (&json!(status), &json!(code)),
            "{path}: {line}"
        );
        assert!(line["principal"].as_str().is_none_or(str::is_empty), "{line}");
        bed.no_service_saw(&answer).await;
    }
}

#[tokio::test]
async fn one_id_names_a_request_everywhere() {
    let bed = shared().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let items = json!({"items": [{"productId": "p-16", "quantity": 1}]});
    let request =
        shop.post("/api/orders").token(&ada.token).key("k").header("x-request-id", "my-own-id-7");
    let answer = request.json(&items).await.expect_status(200);
    assert_eq!(answer.request_id(), "my-own-id-7");
    bed.access_line("my-own-id-7").await;
    for rpc in [
        "order.v1.OrderService/CreateOrder",
        "product.v1.StockService/ReserveStock",
        "payment.v1.IntentService/OpenIntent",
    ] {
        bed.service_saw(&answer, rpc, &ada.id, "OK").await;
    }
}

#[tokio::test]
async fn an_id_that_could_forge_a_line_is_replaced() {
    let bed = shared().await;
    for id in ["", "a b", "{\"level\":\"error\"}", "a;b", "a\tb", &"a".repeat(65)] {
        let answer = bed.shop().get("/api/products/p-1").header("x-request-id", id).await;
        assert_ne!(answer.request_id(), id);
        assert!(!answer.request_id().is_empty());
        bed.access_line(answer.request_id()).await;
    }
}

#[tokio::test]
async fn no_secret_is_ever_written_down() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let signature = ada.token.rsplit('.').next().unwrap().to_owned();
    let _ = shop.get("/api/users/123").token(&ada.token).await;
    let _ = shop.get("/api/users/123").token(&format!("{}x", ada.token)).await;
    let _ = shop
        .post("/api/auth/login")
        .text(r#"{"email": "ada@example.com", "password": "hunter2-secret"}"#)
        .await;
    let _ = shop
        .post("/api/auth/login")
        .text(r#"{"email": "ada@example.com", "password": "hunter2-secret", "x": 1}"#)
        .await;
    let answer = shop
        .post("/api/auth/login")
        .text(r#"{"email": "a", "password": {"hunter2-secret": 1}}"#)
        .await;
    bed.access_line(answer.request_id()).await;
    for role in Role::ALL {
        let log = bed.part(role).log().text();
        for secret in [signature.as_str(), "hunter2-secret", e2e::shop::PASSWORD] {
            assert!(!log.contains(secret), "{role} wrote a secret down: {secret}");
        }
    }
}

#[tokio::test]
async fn operators_have_a_door_of_their_own() {
    let bed = shared().await;
    let console = bed.ports().console_base();
    for path in ["/healthz", "/readyz"] {
        assert!(e2e::ready::answers_ok(&format!("{console}{path}")).await, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        let _ = bed.shop().get(path).await.expect_problem(404, "NOT_FOUND");
    }
}
