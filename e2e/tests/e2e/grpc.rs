//! gRPC clients come in by the same door and meet the same rules.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::bed::Bed;
use e2e::dynamic::{Call, Messages, details};
use e2e::role::Role;
use e2e::scripted::{Script, Scripted, framed};
use serde_json::{Value, json};
use tokio::process::Command;
use tonic::{Code, Response, Status};

use crate::stand::{adjust_stock, before_product, setup, shared};

fn door(bed: &Bed) -> SocketAddr {
    bed.ports().address(Role::Gateway)
}

fn prepare(rpc: &str, message: Value, metadata: &[(&str, &str)]) -> Call {
    let call = Call::new(rpc, message);
    metadata.iter().fold(call, |call, (name, value)| call.metadata(name, value).unwrap())
}

async fn call(
    bed: &Bed,
    rpc: &str,
    message: Value,
    metadata: &[(&str, &str)],
) -> Result<Response<Value>, Status> {
    prepare(rpc, message, metadata).send(door(bed)).await.unwrap()
}

async fn stream(
    bed: &Bed,
    rpc: &str,
    message: Value,
    metadata: &[(&str, &str)],
) -> Result<Messages, Status> {
    prepare(rpc, message, metadata).stream(door(bed)).await.unwrap()
}

/// What a service wrote of the call that one request made, once it has ended.
async fn service_line(bed: &Bed, request_id: &str) -> Value {
    let lines = bed.service_lines(request_id).await;
    let [(_, line)] = lines.as_slice() else { panic!("one call expected: {lines:#?}") };
    line.clone()
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
    assert_eq!(bobs.code(), Code::PermissionDenied, "{bobs:?}");
    assert_eq!(bed.access_line("a-lie-of-ada").await["principal"], ada.id);
    assert!(bed.service_lines_now("a-lie-of-ada").is_empty());
    let own: Vec<_> = own
        .into_iter()
        .map(|(name, value)| (name, if name == "x-request-id" { "ada-herself" } else { value }))
        .collect();
    let adas = json!({"userId": ada.id});
    call(&bed, "order.v1.OrderService/ListOrders", adas, &own).await.unwrap();
    for (role, line) in bed.service_lines("ada-herself").await {
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

#[tokio::test]
async fn an_internal_rpc_does_not_exist_in_either_dialect() {
    let rpc = "product.v1.ProductService/GetProductImage";
    let bed = setup().config(&format!("{rpc}: public"), &format!("{rpc}: internal")).start().await;
    let refused = call(&bed, rpc, json!({"id": "p-1"}), &[]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    let _ = bed.shop().get("/api/products/p-1/image").await.expect_problem(404, "NOT_FOUND");
    let own = [("x-request-id", "list-them")];
    let others = call(&bed, "product.v1.ProductService/ListProducts", json!({}), &own).await;
    assert!(others.is_ok(), "{others:?}");
    service_line(&bed, "list-them").await;
    let log = bed.part(Role::Product).log().text() + &bed.part(Role::Product2).log().text();
    assert!(!log.contains("GetProductImage"), "{log}");
}

#[tokio::test]
async fn an_access_line_without_a_rule_is_for_grpc_alone() {
    let bed = setup()
        .config("[product.v1.ProductService]", "[product.v1.ProductService, product.v1.StockService]")
        .config(
            "    product.v1.ProductService/ListProducts: public",
            "    product.v1.ProductService/ListProducts: public\n    product.v1.StockService/SellStock: role:admin",
        )
        .start()
        .await;
    let rpc = "product.v1.StockService/SellStock";
    let nobody = call(&bed, rpc, json!({"orderId": "none"}), &[]).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated, "{nobody:?}");
    let bearer = format!("Bearer {}", bed.shop().login("root@example.com").await);
    let own = [("authorization", bearer.as_str()), ("x-request-id", "sell-nothing")];
    let answer = call(&bed, rpc, json!({"orderId": "none"}), &own).await.unwrap_err();
    assert_eq!(answer.code(), Code::NotFound, "the service's own word: {answer:?}");
    let line = service_line(&bed, "sell-nothing").await;
    assert_eq!((&line["rpc"], &line["principal"]), (&json!(rpc), &json!("1")));
}

#[tokio::test]
async fn both_dialects_read_the_same_details() {
    let bed = shared().await;
    let ada = bed.shop().newcomer().await;
    let bearer = format!("Bearer {}", ada.token);
    let metadata = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let message = json!({"items": [{"productId": "p-1", "quantity": 0}]});
    let rest = bed.shop().post("/api/orders").token(&ada.token).key("k").json(&message).await;
    let rest = rest.expect_problem(400, "INVALID_ARGUMENT");
    let grpc =
        call(&bed, "order.v1.OrderService/CreateOrder", message, &metadata).await.unwrap_err();
    assert_eq!(grpc.code(), Code::InvalidArgument);
    assert_eq!(rest.json["details"][0]["fieldViolations"][0]["field"], "items[0].quantity");
    assert_eq!(details(&grpc), rest.json["details"]);

    let root = bed.shop().login("root@example.com").await;
    let bearer = format!("Bearer {root}");
    let rest = bed.shop().post("/api/products/p-20:adjustStock").token(&root);
    let rest = rest.json(&json!({"delta": -1_000_000})).await;
    let rest = rest.expect_problem(400, "FAILED_PRECONDITION").expect_reason("INSUFFICIENT_STOCK");
    let message = json!({"id": "p-20", "delta": -1_000_000});
    let rpc = "product.v1.ProductService/AdjustStock";
    let grpc = call(&bed, rpc, message, &[("authorization", &bearer)]).await.unwrap_err();
    assert_eq!(grpc.code(), Code::FailedPrecondition);
    assert_eq!(details(&grpc)[0]["reason"], "INSUFFICIENT_STOCK");
    assert_eq!(details(&grpc), rest.json["details"]);
}

/// A client that knows nothing of gRPC but its bytes. Answers headers and trailers as text, and the body.
async fn curl(bed: &Bed, rpc: &str, body: &[u8]) -> (String, Vec<u8>) {
    let folder = std::env::temp_dir().join(format!("curl-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    let (sent, head) = (folder.join("sent"), folder.join("head"));
    std::fs::write(&sent, body).unwrap();
    let output = Command::new("curl")
        .args(["-sS", "--http2-prior-knowledge", "-H", "te: trailers"])
        .args(["-H", "content-type: application/grpc", "-D"])
        .arg(&head)
        .arg("--data-binary")
        .arg(format!("@{}", sent.display()))
        .arg(format!("{}/{rpc}", bed.shop().base()))
        .output()
        .await
        .unwrap();
    let head = std::fs::read_to_string(&head).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (head, output.stdout)
}

#[tokio::test]
async fn the_bytes_of_a_message_are_never_touched() {
    // A field that nobody declares, the id twice, and its tag in more bytes than it needs: all of it is legal protobuf.
    let question = b"\xfa\x7f\x03abc\x0a\x01x\x8a\x00\x03p-1";
    let answer = b"\xfa\x7f\x03xyz\x8a\x00\x01a\x0a\x03p-1";
    let service = Scripted::answering(|_, _| Script::ok(&answer[..])).await;
    let gateway = before_product(setup(), service.address()).await;
    let (head, body) =
        curl(&gateway, "product.v1.ProductService/GetProduct", &framed(question)).await;
    assert_eq!(body, framed(answer));
    assert!(head.starts_with("HTTP/2 200"), "{head}");
    assert!(head.contains("content-type: application/grpc"), "{head}");
    assert!(head.contains("grpc-status: 0"), "{head}");
    let exchanges = service.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("one call expected: {exchanges:?}") };
    assert_eq!(exchange.message, question[..]);
}

#[tokio::test]
async fn a_client_that_only_knows_the_bytes_is_told_by_trailers() {
    let bed = shared().await;
    // Field 1, seven bytes: a product that nobody sells.
    let question = framed(b"\x0a\x07nothing");
    let (head, body) = curl(&bed, "product.v1.ProductService/GetProduct", &question).await;
    assert!(head.starts_with("HTTP/2 200") && head.contains("grpc-status: 5"), "{head}");
    assert!(head.contains("grpc-message: there%20is%20no%20product"), "{head}");
    assert!(body.is_empty(), "{body:?}");
}

/// The next change of one product; others change other products of the same shop meanwhile.
async fn next_of(changes: &mut Messages, id: &str, after: &mut i64) -> Result<Value, Status> {
    loop {
        let change = changes.next().await?.unwrap();
        let sequence = change["sequence"].as_str().unwrap().parse().unwrap();
        assert!(sequence > *after, "{change} after {after}");
        *after = sequence;
        if change["product"]["id"] == id {
            return Ok(change);
        }
    }
}

/// Watches the products of a shop from its first day; the change of `p-1` that opens the stream has come through.
async fn watching(bed: &Bed, request_id: &str) -> Messages {
    let product = adjust_stock(&bed.shop(), "p-1", 1).await;
    let rpc = "product.v1.ProductService/WatchProducts";
    let message = json!({"afterSequence": "0"});
    let mut changes = stream(bed, rpc, message, &[("x-request-id", request_id)]).await.unwrap();
    let first = next_of(&mut changes, "p-1", &mut 0).await.unwrap();
    assert_eq!(first["product"], product);
    changes
}

#[tokio::test]
async fn a_grpc_client_watches_products_until_it_has_seen_enough() {
    let bed = setup().start().await;
    let mut changes = watching(&bed, "watched").await;
    let mut last = 1;
    for delta in [5, -5] {
        let product = adjust_stock(&bed.shop(), "p-18", delta).await;
        let change = next_of(&mut changes, "p-18", &mut last).await.unwrap();
        assert_eq!(change["product"], product);
    }
    assert!(bed.service_lines_now("watched").is_empty(), "the call still runs");
    drop(changes);
    let line = service_line(&bed, "watched").await;
    let rpc = "product.v1.ProductService/WatchProducts";
    assert_eq!((&line["rpc"], &line["code"]), (&json!(rpc), &json!("CANCELLED")));
}

#[tokio::test]
async fn a_grpc_client_watches_its_own_order_to_its_end() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let items = json!({"items": [{"productId": "p-18", "quantity": 1}]});
    let order =
        shop.post("/api/orders").token(&ada.token).key("k").json(&items).await.expect_status(200);
    let (id, rpc) = (order.text_at("/id"), "order.v1.OrderService/WatchOrder");
    let watch = async |bearer: &str| {
        let metadata = [("authorization", bearer), ("x-request-id", id.as_str())];
        let metadata = if bearer.is_empty() { &metadata[1..] } else { &metadata[..] };
        let mut changes = stream(&bed, rpc, json!({"id": id}), metadata).await?;
        changes.next().await.map(|first| (changes, first.unwrap()))
    };
    let nobody = watch("").await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated, "{nobody:?}");
    let other = watch(&format!("Bearer {}", bob.token)).await.unwrap_err();
    assert_eq!(other.code(), Code::NotFound, "{other:?}");
    let line = service_line(&bed, &id).await;
    assert_eq!((&line["principal"], &line["code"]), (&json!(bob.id), &json!("NOT_FOUND")));

    let (mut changes, first) = watch(&format!("Bearer {}", ada.token)).await.unwrap();
    assert_eq!(first["order"]["status"], "ORDER_STATUS_AWAITING_PAYMENT");
    let pay = json!({"orderId": id, "method": "tok_visa"});
    let _ =
        shop.post("/api/payments").token(&ada.token).key("p").json(&pay).await.expect_status(200);
    let second = changes.next().await.unwrap().unwrap();
    assert_eq!(second["order"]["status"], "ORDER_STATUS_CONFIRMED");
    assert_eq!(changes.next().await.unwrap(), None, "what can't change any more ends the stream");
}

#[tokio::test]
async fn a_service_killed_in_the_middle_of_a_stream_is_a_failure_and_not_an_end() {
    let bed = setup().start().await;
    let mut changes = watching(&bed, "killed").await;
    for role in [Role::Product, Role::Product2] {
        bed.part(role).kill_9();
    }
    let failure = changes.next().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable, "{failure:?}");
    let line = bed.access_line("killed").await;
    assert_eq!((&line["code"], &line["origin"]), (&json!("UNAVAILABLE"), &json!("upstream")));
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_ends_its_streams_at_once() {
    let bed = setup().start().await;
    let mut changes = watching(&bed, "drained").await;
    let gateway = bed.part(Role::Gateway);
    let (status, failure) = tokio::join!(gateway.stop(Duration::from_secs(5)), changes.next());
    let failure = failure.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable, "{failure:?}");
    assert_eq!(status.and_then(|status| status.code()), Some(0), "a stream does not hold it up");
    let line = service_line(&bed, "drained").await;
    assert_eq!(line["code"], "CANCELLED", "the service need not go on");
}
