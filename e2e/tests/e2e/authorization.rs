//! Responsibility 3: whether they may.

use std::process::Command;

use e2e::bed::GATEWAY_YAML;
use e2e::role::Role;

use crate::stand::{Witness as _, setup};

mod any_shop {
    use http::Method;
    use serde_json::{Value, json};

    use crate::stand::any_shop;

    /// Method, path, body and the RPC behind them.
    type Row = (Method, &'static str, Option<Value>, &'static str);

    fn admins_only() -> Vec<Row> {
        let product = json!({"name": "Lamp", "price": {"currencyCode": "USD", "units": "5"}});
        vec![
            (Method::GET, "/api/users", None, "user.v1.UserService/ListUsers"),
            (Method::DELETE, "/api/users/nobody", None, "user.v1.UserService/DeleteUser"),
            (
                Method::POST,
                "/api/products",
                Some(product),
                "product.v1.ProductService/CreateProduct",
            ),
            (
                Method::PATCH,
                "/api/products/nothing",
                Some(json!({"name": "x"})),
                "product.v1.ProductService/UpdateProduct",
            ),
            (
                Method::POST,
                "/api/products/nothing:adjustStock",
                Some(json!({"delta": "1"})),
                "product.v1.ProductService/AdjustStock",
            ),
            (
                Method::POST,
                "/api/payments/nothing:refund",
                Some(json!({})),
                "payment.v1.PaymentService/RefundPayment",
            ),
        ]
    }

    #[tokio::test]
    async fn what_is_public_is_for_everybody() {
        let shop = any_shop().await;
        for path in [
            "/api/products",
            "/api/products/p-1",
            "/api/products:batchGet?ids=p-1",
            "/api/products/p-1/image",
        ] {
            let _ = shop.get(path).await.expect_status(200);
        }
    }

    #[tokio::test]
    async fn a_bad_token_is_refused_even_where_none_is_needed() {
        let shop = any_shop().await;
        let answer =
            shop.get("/api/products").token("a.b.c").await.expect_problem(401, "UNAUTHENTICATED");
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn what_needs_a_principal_is_refused_without_one() {
        let shop = any_shop().await;
        let signed_in = vec![
            (Method::GET, "/api/users/123", None, ""),
            (Method::PATCH, "/api/users/123", Some(json!({"name": "x"})), ""),
            (Method::POST, "/api/orders", Some(json!({})), ""),
            (Method::GET, "/api/orders/1", None, ""),
            (Method::GET, "/api/orders?userId=123", None, ""),
            (Method::GET, "/api/users/123/orders", None, ""),
            (Method::POST, "/api/orders/1:cancel", None, ""),
            (Method::GET, "/api/orders/1:watch", None, ""),
            (Method::POST, "/api/payments", Some(json!({})), ""),
            (Method::GET, "/api/payments/1", None, ""),
        ];
        for (method, path, body, _) in signed_in.into_iter().chain(admins_only()) {
            let mut request = shop.request(method, path);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.await.expect_problem(401, "UNAUTHENTICATED");
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn what_is_for_admins_is_refused_to_others_at_the_door() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        for (method, path, body, _) in admins_only() {
            let mut request = shop.request(method, path).token(&token);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.await.expect_problem(403, "PERMISSION_DENIED");
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn who_may_not_is_told_before_the_body_is_read() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        let answer = shop.post("/api/products").token(&token).text("{ this is not JSON").await;
        let answer = answer.expect_problem(403, "PERMISSION_DENIED");
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn an_admin_may_all_of_it() {
        let shop = any_shop().await;
        let token = shop.login("root@example.com").await;
        for (method, path, body, rpc) in admins_only() {
            let mut request = shop.request(method, path).token(&token);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.text);
            let code = if answer.status == 200 { "OK" } else { "NOT_FOUND" };
            shop.service_saw(&answer, rpc, "1", code).await;
        }
    }
}

#[tokio::test]
async fn what_is_internal_has_no_route() {
    let bed = setup()
        .config(
            "product.v1.ProductService/GetProductImage: public",
            "product.v1.ProductService/GetProductImage: internal",
        )
        .start()
        .await;
    let shop = bed.shop();
    let root = shop.login("root@example.com").await;
    let answer =
        shop.get("/api/products/p-1/image").token(&root).await.expect_problem(404, "NOT_FOUND");
    bed.no_service_saw(&answer).await;
    let _ = shop.get("/api/products").await.expect_status(200);
}

#[tokio::test]
async fn what_only_looks_like_grpc_reaches_no_service() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let root = shop.login("root@example.com").await;
    for rpc in [
        "payment.v1.IntentService/VoidIntent",
        "product.v1.StockService/ReserveStock",
        "grpc.health.v1.Health/Check",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let request = shop.post(&format!("/{rpc}")).token(&root);
        let answer = request
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .await
            .expect_status(415);
        bed.no_service_saw(&answer).await;
    }
}

#[test]
fn a_route_without_an_access_line_is_refused_at_load() {
    let (code, said) = check("    product.v1.ProductService/GetProductImage: public\n", "");
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("product.v1.ProductService/GetProductImage"), "{said}");
}

#[test]
fn all_mistakes_are_told_together_each_with_its_line() {
    let (code, said) = check(
        "    product.v1.ProductService/GetProductImage: public\n",
        "    product.v1.ProductService/GetProductImage: everybody\n    product.v1.ProductService/Nothing: public\n",
    );
    assert_eq!(code, Some(78), "{said}");
    let line = GATEWAY_YAML.lines().position(|line| line.contains("GetProductImage")).unwrap() + 1;
    for words in
        ["everybody".to_owned(), "Nothing".to_owned(), format!(":{line}"), format!(":{}", line + 1)]
    {
        assert!(said.contains(&words), "{words} is not in: {said}");
    }
}

#[test]
fn check_prints_what_is_exposed() {
    let (code, said) = check("issuer: https", "issuer: https");
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "order.v1.OrderService/CancelOrder",
        "/api/orders/{id}:cancel",
        "role:admin",
        "public",
        "order_reader     gateway: principal, answer",
        "self             gateway: principal, request",
        "authenticated    gateway: principal; service: ownership",
    ] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
    assert!(!said.contains("IntentService"), "{said}");
}

/// Runs `gateway --check` on `gateway.yaml` with one text replaced by another.
fn check(old: &str, new: &str) -> (Option<i32>, String) {
    assert!(GATEWAY_YAML.contains(old));
    let folder = std::env::temp_dir().join(format!("check-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("shop.binpb"), proto::DESCRIPTORS).unwrap();
    let file = folder.join("gateway.yaml");
    std::fs::write(&file, GATEWAY_YAML.replace(old, new)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .args(["part", Role::Gateway.name(), "--check", "--config"])
        .arg(&file)
        .env_remove("SCHEMA");
    let output = command.output().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
