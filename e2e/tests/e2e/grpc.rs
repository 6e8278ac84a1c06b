//! gRPC clients come in by the same door and meet the same rules.

use std::net::SocketAddr;

use e2e::bed::Bed;
use e2e::dynamic::Call;
use e2e::role::Role;
use serde_json::{Value, json};
use tonic::{Code, Response, Status};

use crate::stand::shared;

fn door(bed: &Bed) -> SocketAddr {
    bed.ports().address(Role::Gateway)
}

async fn call(
    bed: &Bed,
    rpc: &str,
    message: Value,
    metadata: &[(&str, &str)],
) -> Result<Response<Value>, Status> {
    let mut call = Call::new(rpc, message);
    for (name, value) in metadata {
        call = call.metadata(name, value).unwrap();
    }
    call.send(door(bed)).await.unwrap()
}

#[tokio::test]
async fn a_grpc_client_gets_what_a_rest_client_gets() {
    let bed = shared().await;
    let over_grpc = call(&bed, "product.v1.ProductService/GetProduct", json!({"id": "p-17"}), &[])
        .await
        .unwrap();
    let over_rest = bed.shop().get("/api/products/p-17").await.expect_status(200);
    assert_eq!(over_grpc.into_inner(), over_rest.json);
}

#[tokio::test]
async fn a_grpc_client_is_asked_for_the_same_token_and_told_by_status() {
    let bed = shared().await;
    let ada = bed.shop().newcomer().await;
    let (rpc, bearer) = ("user.v1.UserService/GetUser", format!("Bearer {}", ada.token));
    let nobody = call(&bed, rpc, json!({"id": ada.id}), &[]).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated, "{nobody:?}");
    let forged =
        call(&bed, rpc, json!({"id": ada.id}), &[("authorization", &format!("{bearer}x"))])
            .await
            .unwrap_err();
    assert_eq!(forged.code(), Code::Unauthenticated, "{forged:?}");
    let known =
        call(&bed, rpc, json!({"id": ada.id}), &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(known.get_ref()["email"], ada.email);
    let admins =
        call(&bed, "user.v1.UserService/ListUsers", json!({}), &[("authorization", &bearer)])
            .await
            .unwrap_err();
    assert_eq!(admins.code(), Code::PermissionDenied, "{admins:?}");
}

#[tokio::test]
async fn a_grpc_client_cannot_say_who_it_is() {
    let bed = shared().await;
    let ada = bed.shop().newcomer().await;
    let lies = [
        ("x-principal-id", "124"),
        ("x-principal-roles", "admin"),
        ("x-request-id", "a-lie-of-ada"),
    ];
    let bearer = format!("Bearer {}", ada.token);
    let own = [&lies[..], &[("authorization", bearer.as_str())]].concat();
    let bobs = call(&bed, "order.v1.OrderService/ListOrders", json!({"userId": "124"}), &own)
        .await
        .unwrap_err();
    assert!(matches!(bobs.code(), Code::NotFound | Code::PermissionDenied), "{bobs:?}");
    for (role, line) in bed.service_lines("a-lie-of-ada").await {
        assert_eq!(line["principal"], ada.id, "{role} believed it: {line}");
    }
    let anonymous =
        call(&bed, "user.v1.UserService/GetUser", json!({"id": "124"}), &lies).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated, "{anonymous:?}");
}

#[tokio::test]
async fn a_grpc_client_orders_with_a_key_and_sees_the_replay() {
    let bed = shared().await;
    let ada = bed.shop().newcomer().await;
    let bearer = format!("Bearer {}", ada.token);
    let metadata = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let items = json!({"items": [{"productId": "p-17", "quantity": 1}]});
    let first =
        call(&bed, "order.v1.OrderService/CreateOrder", items.clone(), &metadata).await.unwrap();
    let second =
        call(&bed, "order.v1.OrderService/CreateOrder", items.clone(), &metadata).await.unwrap();
    assert!(second.metadata().contains_key("idempotent-replayed"), "{:?}", second.metadata());
    assert_eq!(second.into_inner(), first.into_inner());
    // A key is the principal's and the RPC's, whatever the dialect.
    let third = bed
        .shop()
        .post("/api/orders")
        .token(&ada.token)
        .key("k")
        .json(&items)
        .await
        .expect_status(200);
    assert_eq!(third.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn no_grpc_client_reaches_what_is_not_exposed() {
    let bed = shared().await;
    let bearer = format!("Bearer {}", bed.shop().login("root@example.com").await);
    for (rpc, message) in [
        ("payment.v1.IntentService/VoidIntent", json!({"orderId": "x"})),
        ("payment.v1.IntentService/OpenIntent", json!({"orderId": "x"})),
        ("product.v1.StockService/ReserveStock", json!({"orderId": "x"})),
        ("product.v1.StockService/ReleaseStock", json!({"orderId": "x"})),
    ] {
        let refused = call(&bed, rpc, message, &[("authorization", &bearer)]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{rpc}: {refused:?}");
    }
    let log = bed.part(Role::Payment).log().text() + &bed.part(Role::Product).log().text();
    assert!(
        !log.contains("IntentService/VoidIntent") && !log.contains("StockService/ReleaseStock"),
        "{log}"
    );
}
