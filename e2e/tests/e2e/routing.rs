//! Responsibility 1: which RPC a request means.

mod any_shop {
    use http::Method;
    use serde_json::json;

    use crate::stand::any_shop;

    #[tokio::test]
    async fn the_four_routes_of_the_pattern_reach_four_services() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;

        let user =
            shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await.expect_status(200);
        assert_eq!(user.json["email"], ada.email);
        shop.service_saw(&user, "user.v1.UserService/GetUser", &ada.id, "OK").await;

        let products = shop.get("/api/products").await.expect_status(200);
        assert_eq!(products.json["products"][0]["id"], "p-1");
        shop.service_saw(&products, "product.v1.ProductService/ListProducts", "", "OK").await;

        let items = json!({"items": [{"productId": "p-1", "quantity": 1}]});
        let order = shop
            .post("/api/orders")
            .token(&ada.token)
            .key("o")
            .json(&items)
            .await
            .expect_status(200);
        assert_eq!(order.json["userId"], ada.id);
        shop.service_saw(&order, "order.v1.OrderService/CreateOrder", &ada.id, "OK").await;

        let pay = json!({"orderId": order.json["id"], "method": "tok_visa"});
        let payment = shop
            .post("/api/payments")
            .token(&ada.token)
            .key("p")
            .json(&pay)
            .await
            .expect_status(200);
        assert_eq!(payment.json["status"], "PAYMENT_STATUS_CAPTURED");
        shop.service_saw(&payment, "payment.v1.PaymentService/CreatePayment", &ada.id, "OK").await;
    }

    #[tokio::test]
    async fn a_path_that_no_route_has_is_not_found() {
        let shop = any_shop().await;
        for path in [
            "/",
            "/api",
            "/api/nothing",
            "/api/users/123/orders/7",
            "/api/products:nothing",
            "/metrics",
            "/readyz",
            "/admin",
        ] {
            let answer = shop.get(path).await.expect_problem(404, "NOT_FOUND");
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn a_trailing_slash_is_another_path() {
        let shop = any_shop().await;
        for path in ["/api/products/", "/api/products/p-1/"] {
            let answer = shop.get(path).await.expect_problem(404, "NOT_FOUND");
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn a_method_that_the_path_has_not_is_refused_and_the_others_are_named() {
        let shop = any_shop().await;
        for (method, path, allowed) in [
            (Method::DELETE, "/api/products", &["GET", "POST"][..]),
            (Method::PUT, "/api/users/123", &["GET", "PATCH", "DELETE"]),
            (Method::GET, "/api/auth/login", &["POST"]),
        ] {
            let answer = shop.request(method, path).await;
            let allow: Vec<&str> =
                answer.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            assert!(allowed.iter().all(|method| allow.contains(method)), "{path}: {allow:?}");
            let answer = answer.expect_status(405);
            assert_eq!(
                answer.header("content-type"),
                Some("application/problem+json"),
                "{}",
                answer.text
            );
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn head_is_get_without_the_body() {
        let shop = any_shop().await;
        let get = shop.get("/api/products/p-1").await.expect_status(200);
        let head = shop.request(Method::HEAD, "/api/products/p-1").await.expect_status(200);
        assert_eq!(head.text, "");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        shop.service_saw(&head, "product.v1.ProductService/GetProduct", "", "OK").await;
    }

    #[tokio::test]
    async fn options_names_the_methods_and_asks_no_service() {
        let shop = any_shop().await;
        let answer = shop.request(Method::OPTIONS, "/api/users/123").await.expect_status(204);
        let allow = answer.header("allow").unwrap();
        assert!(["GET", "PATCH", "DELETE"].iter().all(|method| allow.contains(method)), "{allow}");
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn an_encoded_slash_is_data_of_one_segment() {
        let shop = any_shop().await;
        let answer = shop.get("/api/products/p-1%2Fimage").await.expect_problem(404, "NOT_FOUND");
        shop.service_saw(&answer, "product.v1.ProductService/GetProduct", "", "NOT_FOUND").await;
    }

    #[tokio::test]
    async fn a_verb_is_part_of_the_route_and_an_encoded_colon_is_not() {
        let shop = any_shop().await;
        let batch = shop
            .get("/api/products:batchGet?ids=p-1&ids=nobody-sells-this&ids=p-2")
            .await
            .expect_status(200);
        assert_eq!(batch.json["products"][1]["id"], "p-2");
        assert_eq!(batch.json["missingIds"], json!(["nobody-sells-this"]));
        shop.service_saw(&batch, "product.v1.ProductService/BatchGetProducts", "", "OK").await;

        let answer =
            shop.get("/api/products%3AbatchGet?ids=p-1").await.expect_problem(404, "NOT_FOUND");
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn one_rpc_answers_under_both_of_its_paths() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let items = json!({"items": [{"productId": "p-2", "quantity": 1}]});
        let order = shop
            .post("/api/orders")
            .token(&ada.token)
            .key("o")
            .json(&items)
            .await
            .expect_status(200);
        for path in
            [format!("/api/users/{}/orders", ada.id), format!("/api/orders?userId={}", ada.id)]
        {
            let list = shop.get(&path).token(&ada.token).await.expect_status(200);
            assert_eq!(list.json["orders"][0]["id"], order.json["id"]);
            shop.service_saw(&list, "order.v1.OrderService/ListOrders", &ada.id, "OK").await;
        }
    }

    #[tokio::test]
    async fn no_header_changes_the_method() {
        let shop = any_shop().await;
        let root = shop.login("root@example.com").await;
        let victim = shop.newcomer().await;
        let path = format!("/api/users/{}", victim.id);
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let answer =
                shop.get(&path).token(&root).header(name, "DELETE").await.expect_status(200);
            shop.service_saw(&answer, "user.v1.UserService/GetUser", "1", "OK").await;
        }
        let _ = shop.get(&path).token(&victim.token).await.expect_status(200);
    }
}
