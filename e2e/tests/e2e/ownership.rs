//! Responsibility 3 over real sockets: whose is what. Ada and Bob, every way in, and what Bob can learn about Ada.

use std::net::SocketAddr;

use e2e::bed::Bed;
use e2e::dynamic::Call;
use e2e::role::Role;
use e2e::scripted::{Script, Scripted};
use e2e::shop::{Answer, Person};
use http::Method;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::raw;
use crate::shop::{items, order, pay};
use crate::stand::{Witness as _, setup, shared};

const ABSENT: &str = "01900000-0000-7000-8000-000000000000";

/// An order of somebody's, and the payment for it.
struct Bought {
    order: String,
    payment: String,
}

async fn bought(bed: &Bed, who: &Person, key: &str) -> Bought {
    let shop = bed.shop();
    let placed = order(&shop, who, key, &items("p-13", 1)).await.expect_status(200);
    let order = placed.text_at("/id");
    let paid = pay(&shop, who, &format!("{key}-pay"), &order, "tok_visa").await.expect_status(200);
    Bought { order, payment: paid.text_at("/id") }
}

/// All that a client sees of an answer, without what names the exchange.
fn visible(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id" && *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.text.replace(answer.request_id(), ""))
}

#[tokio::test]
async fn what_is_anothers_and_what_does_not_exist_are_the_same_to_the_last_byte() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let adas = bought(&bed, &ada, "same").await;
    for (rpc, theirs, absent) in [
        (
            "order.v1.OrderService/GetOrder",
            format!("/api/orders/{}", adas.order),
            format!("/api/orders/{ABSENT}"),
        ),
        (
            "order.v1.OrderService/WatchOrder",
            format!("/api/orders/{}:watch", adas.order),
            format!("/api/orders/{ABSENT}:watch"),
        ),
        (
            "payment.v1.PaymentService/GetPayment",
            format!("/api/payments/{}", adas.payment),
            format!("/api/payments/{ABSENT}"),
        ),
    ] {
        let own = shop.get(&theirs).token(&ada.token).await.expect_status(200);
        bed.service_saw(&own, rpc, &ada.id, "OK").await;
        let foreign = shop.get(&theirs).token(&bob.token).await.expect_problem(404, "NOT_FOUND");
        let nothing = shop.get(&absent).token(&bob.token).await.expect_problem(404, "NOT_FOUND");
        assert_eq!(visible(&foreign), visible(&nothing), "{rpc}");
        bed.service_saw(&nothing, rpc, &bob.id, "NOT_FOUND").await;
        assert!(
            !foreign.text.contains(&adas.order) && !foreign.text.contains(&ada.id),
            "{}",
            foreign.text
        );
        // An admin sees the one, and of the other no more than Bob.
        let root = shop.login("root@example.com").await;
        let _ = shop.get(&theirs).token(&root).await.expect_status(200);
        assert_eq!(visible(&shop.get(&absent).token(&root).await), visible(&nothing), "{rpc}");
        let _ = shop.get(&theirs).await.expect_problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn what_a_request_names_is_refused_before_a_service_hears_of_it() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let ways = |id: &str| {
        [
            (Method::GET, format!("/api/users/{id}"), None),
            (Method::PATCH, format!("/api/users/{id}"), Some(json!({"name": "Mine"}))),
            (Method::GET, format!("/api/users/{id}/orders"), None),
            (Method::GET, format!("/api/orders?userId={id}"), None),
            (Method::GET, format!("/api/orders?user_id={id}"), None),
        ]
    };
    let ask = async |(method, path, body): (Method, String, Option<Value>), token: &str| {
        let request = shop.request(method, &path).token(token);
        match body {
            Some(body) => request.json(&body).await,
            None => request.await,
        }
    };
    for (theirs, absent) in ways(&ada.id).into_iter().zip(ways(ABSENT)) {
        let foreign = ask(theirs, &bob.token).await.expect_problem(403, "PERMISSION_DENIED");
        let nothing = ask(absent, &bob.token).await.expect_problem(403, "PERMISSION_DENIED");
        assert_eq!(visible(&foreign), visible(&nothing));
        bed.no_service_saw(&foreign).await;
    }
    for own in ways(&bob.id) {
        let _ = ask(own, &bob.token).await.expect_status(200);
    }
    let read = shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await;
    assert_eq!(read.expect_status(200).json["name"], "New Comer");
}

#[tokio::test]
async fn a_body_can_not_name_another_object_than_the_path() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let patch = |path: &str, body: Value| shop.patch(path).token(&bob.token).json(&body);
    for (path, body, status) in [
        (format!("/api/users/{}", bob.id), json!({"id": ada.id, "name": "Mine"}), 400),
        (format!("/api/users/{}", ada.id), json!({"id": bob.id, "name": "Mine"}), 400),
        (format!("/api/users/{}?user.id={}", bob.id, ada.id), json!({"name": "Mine"}), 400),
        (format!("/api/users/{}", ada.id), json!({"name": "Mine"}), 403),
    ] {
        let answer = patch(&path, body).await.expect_status(status);
        bed.no_service_saw(&answer).await;
    }
    let cancel = bought(&bed, &ada, "body").await;
    let other = json!({"id": ABSENT});
    let path = format!("/api/orders/{}:cancel", cancel.order);
    let answer = shop.post(&path).token(&bob.token).json(&other).await.expect_status(400);
    bed.no_service_saw(&answer).await;
    let listed = shop.get(&format!("/api/users/{}/orders?userId={}", bob.id, ada.id));
    let answer = listed.token(&bob.token).await.expect_status(400);
    bed.no_service_saw(&answer).await;
    let read = shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await;
    assert_eq!(read.expect_status(200).json["name"], "New Comer");
}

fn door(bed: &Bed) -> SocketAddr {
    bed.ports().address(Role::Gateway)
}

async fn grpc(bed: &Bed, rpc: &str, message: Value, token: &str, id: &str) -> Result<(), Status> {
    let mut call = Call::new(rpc, message).metadata("x-request-id", id).unwrap();
    if !token.is_empty() {
        call = call.metadata("authorization", &format!("Bearer {token}")).unwrap();
    }
    call.send(door(bed)).await.unwrap().map(drop)
}

#[tokio::test]
async fn grpc_is_no_side_door() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let adas = bought(&bed, &ada, "grpc").await;
    for (number, (rpc, message, absent, code)) in [
        (
            "order.v1.OrderService/GetOrder",
            json!({"id": adas.order}),
            json!({"id": ABSENT}),
            Code::NotFound,
        ),
        (
            "payment.v1.PaymentService/GetPayment",
            json!({"id": adas.payment}),
            json!({"id": ABSENT}),
            Code::NotFound,
        ),
        (
            "order.v1.OrderService/ListOrders",
            json!({"userId": ada.id}),
            json!({"userId": ABSENT}),
            Code::PermissionDenied,
        ),
        (
            "user.v1.UserService/GetUser",
            json!({"id": ada.id}),
            json!({"id": ABSENT}),
            Code::PermissionDenied,
        ),
        (
            "user.v1.UserService/UpdateUser",
            json!({"user": {"id": ada.id, "name": "Mine"}}),
            json!({"user": {"id": ABSENT, "name": "Mine"}}),
            Code::PermissionDenied,
        ),
        (
            "user.v1.UserService/DeleteUser",
            json!({"id": ada.id}),
            json!({"id": ABSENT}),
            Code::PermissionDenied,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = |step: &str| format!("grpc-{step}-{number}-{}", ada.id);
        let nobody = grpc(&bed, rpc, message.clone(), "", &id("nobody")).await.unwrap_err();
        assert_eq!(nobody.code(), Code::Unauthenticated, "{rpc}: {nobody}");
        let foreign = grpc(&bed, rpc, message, &bob.token, &id("foreign")).await.unwrap_err();
        let nothing = grpc(&bed, rpc, absent, &bob.token, &id("nothing")).await.unwrap_err();
        assert_eq!(foreign.code(), code, "{rpc}: {foreign}");
        let told = |status: &Status| {
            let mut headers = status.metadata().clone().into_headers();
            headers.remove("x-request-id");
            headers.remove("date");
            (status.code(), status.message().to_owned(), status.details().to_vec(), headers)
        };
        assert_eq!(told(&foreign), told(&nothing), "{rpc}");
        if code == Code::PermissionDenied {
            let refused = id("foreign");
            assert_eq!(bed.access_line(&refused).await["code"], "PERMISSION_DENIED");
            assert!(bed.service_lines_now(&refused).is_empty(), "{rpc}");
        }
    }
}

#[tokio::test]
async fn whether_a_write_may_touch_an_object_is_decided_by_its_service_and_said_so() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let placed = order(&shop, &ada, "write", &items("p-13", 1)).await.expect_status(200);
    let id = placed.text_at("/id");
    let cancel = shop.post(&format!("/api/orders/{id}:cancel")).token(&bob.token).json(&json!({}));
    let cancel = cancel.await.expect_problem(404, "NOT_FOUND");
    bed.service_saw(&cancel, "order.v1.OrderService/CancelOrder", &bob.id, "NOT_FOUND").await;
    let paid = pay(&shop, &bob, "write", &id, "tok_visa").await.expect_problem(404, "NOT_FOUND");
    bed.service_saw(&paid, "payment.v1.PaymentService/CreatePayment", &bob.id, "NOT_FOUND").await;
    let own = shop.post(&format!("/api/orders/{id}:cancel")).token(&ada.token).json(&json!({}));
    assert_eq!(own.await.expect_status(200).json["status"], "ORDER_STATUS_CANCELLED");
}

/// The service is not asked to hide what the gateway hides: one that answers everything to everybody stands behind it.
#[tokio::test]
async fn the_gateway_hides_what_a_trusting_service_tells() {
    // An order `o-1` of the user 123, as wire bytes.
    let order: &[u8] = b"\x0a\x03o-1\x12\x03123";
    let service = Scripted::answering(move |_, _| Script::ok(order)).await;
    let bed = setup()
        .without(Role::Order)
        .config("${ORDER_ADDR:-127.0.0.1:50053}", &service.address().to_string())
        .start()
        .await;
    let shop = bed.shop();
    let (ada, bob) = (shop.login("ada@example.com").await, shop.login("bob@example.com").await);
    let own = shop.get("/api/orders/o-1").token(&ada).await.expect_status(200);
    assert_eq!(own.json["userId"], "123");
    let foreign = shop.get("/api/orders/o-1").token(&bob).await.expect_problem(404, "NOT_FOUND");
    assert!(!foreign.text.contains("123"), "{}", foreign.text);
    let line = bed.access_line(foreign.request_id()).await;
    assert_eq!(
        (&line["denied"], &line["code"]),
        (&json!("refused"), &json!("NOT_FOUND")),
        "{line}"
    );
}

mod identity {
    use super::*;

    /// What clients have called themselves, and what gateways have believed.
    const SPOOFED: [(&str, &str); 14] = [
        ("x-principal-id", "1"),
        ("X-PRINCIPAL-ID", "1"),
        ("x-principal-roles", "admin"),
        ("x_principal_id", "1"),
        ("X_Principal_Roles", "admin"),
        ("x.principal.id", "1"),
        ("grpc-metadata-x-principal-id", "1"),
        ("grpcgateway-x-principal-roles", "admin"),
        ("x-user-id", "1"),
        ("x-user-roles", "admin"),
        ("x-forwarded-user", "1"),
        ("x-authenticated-user", "1"),
        ("x-original-url", "/api/products"),
        ("connection", "x-principal-id"),
    ];

    #[tokio::test]
    async fn what_a_client_says_about_itself_makes_it_nobody_else() {
        let bed = shared().await;
        let shop = bed.shop();
        let ada = shop.newcomer().await;
        for (name, value) in SPOOFED {
            let users = shop.get("/api/users").token(&ada.token).header(name, value).await;
            let users = users.expect_problem(403, "PERMISSION_DENIED");
            bed.no_service_saw(&users).await;
            let own = shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token);
            let own = own.header(name, value).await.expect_status(200);
            bed.service_saw(&own, "user.v1.UserService/GetUser", &ada.id, "OK").await;
            let public = shop.get("/api/products/p-1").header(name, value).await.expect_status(200);
            bed.service_saw(&public, "product.v1.ProductService/GetProduct", "", "OK").await;
            let root = shop.get("/api/users/1").header(name, value).await;
            bed.no_service_saw(&root.expect_problem(401, "UNAUTHENTICATED")).await;
        }
    }
}

mod paths {
    use super::*;

    /// Asks on a wire of its own, so that no client library mends the path.
    async fn ask(bed: &Bed, line: &str, token: &str) -> u16 {
        let authorization = format!("authorization: Bearer {token}");
        let headers = [&*authorization, "connection: close"];
        let answer = raw::ask(&bed.shop(), &format!("{line} HTTP/1.1"), &headers).await;
        assert_eq!(answer.statuses.len(), 1, "{line}: {}", answer.text);
        answer.statuses[0]
    }

    #[tokio::test]
    async fn no_spelling_of_a_path_leads_past_the_decision() {
        let bed = shared().await;
        let shop = bed.shop();
        let ada = shop.newcomer().await;
        for line in [
            "GET //api/users",
            "GET /api//users",
            "GET /./api/users",
            "GET /api/products/../users",
            "GET /api/products/..%2fusers",
            "GET /api/products/..;x=y/users",
            "GET /api/users?x=/api/products",
            "GET /api/users#/api/products",
            "GET /api/users%3fx",
            "GET /api/users/",
            "DELETE /api/users/123?_method=GET",
            "FOO /api/users",
        ] {
            let status = ask(&bed, line, &ada.token).await;
            assert!(matches!(status, 400 | 403 | 404 | 405 | 501), "{line}: {status}");
        }
    }

    #[tokio::test]
    async fn a_method_in_a_header_is_no_method_and_head_is_a_get() {
        let bed = shared().await;
        let shop = bed.shop();
        let ada = shop.newcomer().await;
        let me = format!("/api/users/{}", ada.id);
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let read = shop.get(&me).token(&ada.token).header(name, "DELETE").await;
            bed.service_saw(&read.expect_status(200), "user.v1.UserService/GetUser", &ada.id, "OK")
                .await;
            let delete = shop.delete(&me).token(&ada.token).header(name, "GET").await;
            bed.no_service_saw(&delete.expect_problem(403, "PERMISSION_DENIED")).await;
        }
        let head = shop.request(Method::HEAD, &me).await.expect_status(401);
        bed.no_service_saw(&head).await;
        let head = shop.request(Method::HEAD, "/api/users/1").token(&ada.token).await;
        bed.no_service_saw(&head.expect_status(403)).await;
        let options = shop.request(Method::OPTIONS, &me).await.expect_status(204);
        bed.no_service_saw(&options).await;
    }
}

#[tokio::test]
async fn a_machine_comes_with_a_key_that_no_service_sees() {
    // The file stands beside the configuration, and what is in it is the hash of `machine-7f3a9c51e2d84b06`.
    let bed = setup()
        .config("authentication:\n", "authentication:\n  api_keys: { file: keys.yaml }\n")
        .empty()
        .start()
        .await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"machine-7f3a9c51e2d84b06");
    let hash: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = hash.concat();
    let keys = format!(
        "keys:\n  - {{ name: nightly, sha256: {hash}, principal: batch, roles: [admin] }}\n"
    );
    std::fs::write(bed.folder().join("keys.yaml"), keys).unwrap();
    bed.start_all(&Role::SERVICES).await;
    bed.start(Role::Gateway).await;
    let shop = bed.shop();
    let users = shop.get("/api/users").header("x-api-key", "machine-7f3a9c51e2d84b06");
    let users = users.await.expect_status(200);
    bed.service_saw(&users, "user.v1.UserService/ListUsers", "batch", "OK").await;
    let line = bed.access_line(users.request_id()).await;
    assert_eq!(line["api_key"], "nightly", "{line}");
    let wrong = shop.get("/api/users").header("x-api-key", "machine-7f3a9c51e2d84b07").await;
    bed.no_service_saw(&wrong.expect_problem(401, "UNAUTHENTICATED")).await;
    let ada = shop.login("ada@example.com").await;
    let both = shop.get("/api/users").token(&ada).header("x-api-key", "machine-7f3a9c51e2d84b06");
    bed.no_service_saw(&both.await.expect_problem(401, "UNAUTHENTICATED")).await;
    let parts = Role::SERVICES.into_iter().chain([Role::Gateway]);
    let told: String = parts.map(|role| bed.part(role).log().text()).collect();
    assert!(!told.contains("machine-7f3a9c51"), "{told}");
}
