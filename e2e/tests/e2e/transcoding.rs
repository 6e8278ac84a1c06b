//! Responsibility 7: REST to gRPC and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use e2e::dynamic::{Call, encode, listing, method, shop_descriptors};
use e2e::role::Role;
use e2e::scripted::{Script, Scripted};
use serde_json::json;
use tonic::Code;

use crate::stand::{before_product, setup, shared};

mod any_shop {
    use serde_json::json;

    use crate::stand::any_shop;

    #[tokio::test]
    async fn wide_numbers_are_text_and_enums_have_names_and_times_are_rfc_3339() {
        let shop = any_shop().await;
        let product = shop.get("/api/products/p-21").await.expect_status(200);
        assert_eq!(product.header("content-type"), Some("application/json"));
        assert!(product.json["stock"].as_str().unwrap().parse::<i64>().is_ok(), "{}", product.text);
        assert_eq!(
            product.json["price"],
            json!({"currencyCode": "USD", "units": "21", "nanos": 900_000_000})
        );
        let time = product.json["createTime"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{time}");

        let ada = shop.newcomer().await;
        let items = json!({"items": [{"productId": "p-21", "quantity": 1}]});
        let order = shop
            .post("/api/orders")
            .token(&ada.token)
            .key("k")
            .json(&items)
            .await
            .expect_status(200);
        assert_eq!(order.json["status"], "ORDER_STATUS_AWAITING_PAYMENT");
        assert_eq!(order.json["items"][0]["quantity"], 1);
    }

    #[tokio::test]
    async fn a_body_that_is_no_message_is_refused_with_the_place() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        for (body, place) in [
            (r#"{"items": [{"productId": "p-1", "quantity": 1, "colour": "red"}]}"#, "colour"),
            (r#"{"items": [{"productId": "p-1", "quantity": 1, "quantity": 2}]}"#, "quantity"),
            (r#"{"items": [{"productId": "p-1", "product_id": "p-2", "quantity": 1}]}"#, "product"),
            (r#"{"items": [{"productId": "p-1", "quantity": 2147483648}]}"#, "quantity"),
            (r#"{"items": [{"productId": "p-1", "quantity": 1.5}]}"#, "quantity"),
            (r#"{"items": [{"productId": "p-1", "quantity": "one"}]}"#, "quantity"),
            (r#"{"items": [{"productId": "p-1", "quantity": 1e400}]}"#, "quantity"),
            (r#"{"items": [{"productId": 1, "quantity": 1}]}"#, "productId"),
            (r#"{"items": [{"productId": "\ud800", "quantity": 1}]}"#, "productId"),
            (r#"{"items": {"productId": "p-1"}}"#, "items"),
            (r#"{"items": [null]}"#, "items"),
            (r#"{"items": []} {"items": []}"#, ""),
            (r#"{"items": [}"#, ""),
            (r#"{"items": [],}"#, ""),
            ("[]", ""),
            ("\"items\"", ""),
            ("\u{feff}{}", ""),
        ] {
            let answer = shop.post("/api/orders").token(&token).key("k").text(body).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
            let answer = answer.expect_problem(400, "INVALID_ARGUMENT");
            assert!(answer.text.contains(place), "{body}: where is {place}? {}", answer.text);
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn whole_numbers_may_be_written_as_numbers_or_text() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        for (key, quantity) in
            [("1", "2"), ("2", "\"2\""), ("3", "2.0"), ("4", "20e-1"), ("5", "\"2.0\"")]
        {
            let body = format!(r#"{{"items": [{{"productId": "p-22", "quantity": {quantity}}}]}}"#);
            let order = shop
                .post("/api/orders")
                .token(&ada.token)
                .key(key)
                .text(body)
                .await
                .expect_status(200);
            assert_eq!(order.json["items"][0]["quantity"], 2, "{quantity}");
        }
    }

    #[tokio::test]
    async fn nesting_without_end_is_refused_and_the_gateway_lives() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        for body in [
            "[".repeat(100_000),
            r#"{"items":["#.repeat(20_000),
            format!("{{\"items\": {}", "[{".repeat(50_000)),
        ] {
            let answer = shop.post("/api/orders").token(&token).key("k").text(body).await;
            let answer = answer.expect_problem(400, "INVALID_ARGUMENT");
            shop.no_service_saw(&answer).await;
        }
        let _ = shop.get("/api/products/p-1").await.expect_status(200);
    }

    #[tokio::test]
    async fn a_body_has_a_type_and_a_size() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/xml",
        ] {
            let answer =
                shop.post("/api/auth/login").header("content-type", kind).json(&json!({})).await;
            // The client adds its own type first: two types are none.
            assert_eq!(answer.status, 415, "{kind}: {}", answer.text);
            assert!(
                answer.text.contains("application/json"),
                "it says what is wanted: {}",
                answer.text
            );
            shop.no_service_saw(&answer).await;
        }
        let big = format!(r#"{{"items": [{{"productId": "{}"}}]}}"#, "x".repeat(8_000_000));
        let answer = shop.post("/api/orders").token(&token).key("k").text(big).attempt().await;
        // The gateway need not read it all before it refuses, so the connection may end first.
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
    }

    #[tokio::test]
    async fn the_query_fills_fields_and_refuses_what_is_none() {
        let shop = any_shop().await;
        let page = shop.get("/api/products?pageSize=2").await.expect_status(200);
        assert_eq!(page.json["products"].as_array().unwrap().len(), 2);
        let token = page.text_at("/nextPageToken");
        let next = shop
            .get(&format!("/api/products?page_size=2&page_token={token}"))
            .await
            .expect_status(200);
        assert_eq!(next.json["products"][0]["id"], "p-3");
        for query in [
            "pageSize=two",
            "pageSize=2&pageSize=3",
            "colour=red",
            "pageSize=99999999999",
            "pageSize.x=1",
            "=1",
            "pageSize=2&page_size=3",
        ] {
            let answer = shop.get(&format!("/api/products?{query}")).await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.text);
            let answer = answer.expect_problem(400, "INVALID_ARGUMENT");
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn what_the_path_says_nothing_else_may_contradict() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let other = format!("/api/users/{}/orders?userId=124", ada.id);
        let answer =
            shop.get(&other).token(&ada.token).await.expect_problem(400, "INVALID_ARGUMENT");
        shop.no_service_saw(&answer).await;
        let body = json!({"id": "124"});
        let answer = shop.post("/api/orders/nothing:cancel").token(&ada.token).json(&body).await;
        let answer = answer.expect_problem(400, "INVALID_ARGUMENT");
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn a_patch_changes_what_the_body_has_or_the_mask_names() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let me = format!("/api/users/{}", ada.id);
        let renamed = shop
            .patch(&me)
            .token(&ada.token)
            .json(&json!({"name": "Ada L."}))
            .await
            .expect_status(200);
        assert_eq!(
            (&renamed.json["name"], &renamed.json["email"]),
            (&json!("Ada L."), &json!(ada.email))
        );
        shop.service_saw(&renamed, "user.v1.UserService/UpdateUser", &ada.id, "OK").await;
        let masked = shop.patch(&format!("{me}?updateMask=name")).token(&ada.token);
        let masked = masked
            .json(&json!({"name": "A", "email": "ignored@example.com"}))
            .await
            .expect_status(200);
        assert_eq!((&masked.json["name"], &masked.json["email"]), (&json!("A"), &json!(ada.email)));
    }

    #[tokio::test]
    async fn an_empty_answer_is_an_empty_object() {
        let shop = any_shop().await;
        let (ada, root) = (shop.newcomer().await, shop.login("root@example.com").await);
        let gone =
            shop.delete(&format!("/api/users/{}", ada.id)).token(&root).await.expect_status(200);
        assert_eq!(gone.json, json!({}));
        shop.service_saw(&gone, "user.v1.UserService/DeleteUser", "1", "OK").await;
        let missing = shop
            .get(&format!("/api/users/{}", ada.id))
            .token(&root)
            .await
            .expect_problem(404, "NOT_FOUND");
        shop.service_saw(&missing, "user.v1.UserService/GetUser", "1", "NOT_FOUND").await;
    }

    #[tokio::test]
    async fn an_http_body_travels_as_it_is() {
        let shop = any_shop().await;
        let image = shop.get("/api/products/p-1/image").await.expect_status(200);
        assert_eq!(image.header("content-type"), Some("image/svg+xml"));
        assert!(
            image.text.starts_with("<svg") && image.text.trim_end().ends_with("</svg>"),
            "{}",
            image.text
        );
        shop.service_saw(&image, "product.v1.ProductService/GetProductImage", "", "OK").await;
    }
}

#[tokio::test]
async fn the_service_gets_exactly_the_bytes_that_the_json_means() {
    let bed = shared().await;
    let window = Scripted::before(bed.ports().address(Role::Order)).await;
    let gateway = setup()
        .empty()
        .config("${ORDER_ADDR:-127.0.0.1:50053}", &window.address().to_string())
        .config("${USER_ADDR:-127.0.0.1:50051}", &bed.ports().address(Role::User).to_string())
        .start()
        .await;
    gateway.start(Role::Gateway).await;
    let ada = bed.shop().newcomer().await;
    let body = json!({"items": [{"quantity": "3", "productId": "p-2"}, {"product_id": "p-3", "quantity": 1}]});
    let answer = gateway
        .shop()
        .post("/api/orders")
        .token(&ada.token)
        .key("the-key")
        .json(&body)
        .await
        .expect_status(200);

    let exchanges = window.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("one call expected: {exchanges:?}") };
    assert_eq!(exchange.rpc, "order.v1.OrderService/CreateOrder");
    assert_eq!(exchange.header("x-principal-id"), Some(ada.id.as_str()));
    assert_eq!(exchange.header("idempotency-key"), Some("the-key"));
    assert_eq!(exchange.header("x-request-id"), Some(answer.request_id()));
    assert_eq!(exchange.header("authorization"), None, "a token stays at the door");
    let method = method(&shop_descriptors(), &exchange.rpc).unwrap();
    let seen = listing(method.input(), &exchange.message);
    let meant = listing(method.input(), &encode(method.input(), &body).unwrap());
    assert_eq!(seen, meant);
    assert_eq!(exchange.message.len(), encode(method.input(), &body).unwrap().len());
    assert!(answer.text.contains("ORDER_STATUS_AWAITING_PAYMENT"));
}

#[tokio::test]
async fn every_grpc_status_has_its_http_status_and_no_inner_word_gets_out() {
    const SECRET: &str = "SELECT * FROM users; panicked at src/main.rs";
    let service = Scripted::answering(|_, message| {
        // The id that is asked for is the code that is answered: field 1, length, digits.
        let id = String::from_utf8_lossy(&message[2..]).into_owned();
        Script::error(Code::from_i32(id.parse().unwrap()), SECRET)
    })
    .await;
    let gateway = before_product(setup(), service.address()).await;
    for (code, name, status) in [
        (1, "CANCELLED", 499),
        (2, "UNKNOWN", 500),
        (3, "INVALID_ARGUMENT", 400),
        (4, "DEADLINE_EXCEEDED", 504),
        (5, "NOT_FOUND", 404),
        (6, "ALREADY_EXISTS", 409),
        (7, "PERMISSION_DENIED", 403),
        (8, "RESOURCE_EXHAUSTED", 429),
        (9, "FAILED_PRECONDITION", 400),
        (10, "ABORTED", 409),
        (11, "OUT_OF_RANGE", 400),
        (12, "UNIMPLEMENTED", 501),
        (13, "INTERNAL", 500),
        (14, "UNAVAILABLE", 503),
        (15, "DATA_LOSS", 500),
        (16, "UNAUTHENTICATED", 401),
    ] {
        let answer =
            gateway.shop().get(&format!("/api/products/{code}")).await.expect_problem(status, name);
        assert_eq!(answer.header("grpc-status"), None);
        // What a service says of its own trouble is for the log; what it says to its caller is for the caller.
        if status >= 499 {
            assert!(
                !answer.text.contains("SELECT") && !answer.text.contains("panicked"),
                "{}",
                answer.text
            );
        }
    }
    // Of all of them only UNAVAILABLE is worth another try.
    assert_eq!(service.exchanges().len(), 16 + 2, "no other call was made twice");
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_the_services_fault_and_not_a_crash() {
    for wire in [&b"\x0a\xff\xff\xff\xff\x0f"[..], b"\x0a\x05ab", b"\xff", b"\x0a\x02\xff\xfe"] {
        let service = Scripted::answering(move |_, _| Script::ok(wire)).await;
        let gateway = before_product(setup(), service.address()).await;
        let answer = gateway.shop().get("/api/products/p-1").await;
        assert!(matches!(answer.status, 500 | 502), "{wire:?}: {} {}", answer.status, answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let _ = gateway.shop().get("/api/nothing").await.expect_status(404);
    }
}

#[tokio::test]
async fn metadata_of_the_answer_stays_inside_unless_it_is_named() {
    let service = Scripted::answering(|_, _| Script {
        metadata: vec![
            ("set-cookie", "a=b".to_owned()),
            ("x-internal-host", "10.0.0.7".to_owned()),
            ("server", "tonic".to_owned()),
            ("idempotent-replayed", "true".to_owned()),
        ],
        ..Script::ok(Vec::new())
    })
    .await;
    let gateway = before_product(setup(), service.address()).await;
    let answer = gateway.shop().get("/api/products/p-1").await.expect_status(200);
    for name in ["set-cookie", "x-internal-host", "server", "grpc-status", "grpc-message"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn details_pass_by_their_types_and_those_of_unknown_types_as_bytes() {
    const RETRY: &str = "type.googleapis.com/google.rpc.RetryInfo";
    const UNKNOWN: &str = "type.googleapis.com/acme.v1.Trouble";
    let descriptor = shop_descriptors().get_message_by_name("google.rpc.Status").unwrap();
    let known = json!({"code": 8, "message": "slow down", "details": [
        {"@type": RETRY, "retryDelay": "2.500s"},
        {"@type": "type.googleapis.com/google.rpc.DebugInfo", "stackEntries": ["at src/secret.rs"]},
    ]});
    let mut wire = encode(descriptor, &known).unwrap().to_vec();
    // Field 3 once more: an Any whose type no descriptor knows, with three bytes in it.
    let length = u8::try_from(UNKNOWN.len()).unwrap();
    wire.extend([0x1a, length + 7, 0x0a, length]);
    wire.extend_from_slice(UNKNOWN.as_bytes());
    wire.extend([0x12, 3, 1, 2, 3]);
    let details = STANDARD_NO_PAD.encode(&wire);
    let service = Scripted::answering(move |_, _| Script {
        trailers: vec![("grpc-status-details-bin", details.clone())],
        ..Script::error(Code::ResourceExhausted, "slow down")
    })
    .await;
    let gateway = before_product(setup(), service.address()).await;

    let rest = gateway.shop().get("/api/products/p-1").await;
    let rest = rest.expect_problem(429, "RESOURCE_EXHAUSTED");
    assert_eq!(rest.json["detail"], "slow down");
    assert_eq!(rest.header("retry-after"), Some("3"), "whole seconds, and not too early");
    let meant = json!([
        {"@type": RETRY, "retryDelay": "2.500s"},
        {"@type": UNKNOWN, "value": "AQID"},
    ]);
    assert_eq!(rest.json["details"], meant);

    let call = Call::new("product.v1.ProductService/GetProduct", json!({"id": "p-1"}));
    let grpc = call.send(gateway.ports().address(Role::Gateway)).await.unwrap().unwrap_err();
    assert_eq!((grpc.code(), grpc.message()), (Code::ResourceExhausted, "slow down"));
    let text = String::from_utf8_lossy(grpc.details()).into_owned();
    assert!(text.contains(RETRY) && text.contains(UNKNOWN), "{text}");
    assert!(!text.contains("secret"), "how a service is made is nobody's business: {text}");
}
