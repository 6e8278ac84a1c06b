//! What the shop promises, asked for over REST: the order's life, and whose data is whose.

use e2e::role::Role;
use e2e::shop::{Answer, Person, Shop};
use serde_json::{Value, json};

use crate::books;
use crate::stand::{Witness as _, setup, shared};

pub(crate) fn items(product: &str, quantity: i32) -> Value {
    json!({"items": [{"productId": product, "quantity": quantity}]})
}

pub(crate) async fn order(shop: &Shop, who: &Person, key: &str, body: &Value) -> Answer {
    shop.post("/api/orders").token(&who.token).key(key).json(body).await
}

pub(crate) async fn pay(shop: &Shop, who: &Person, key: &str, order: &str, method: &str) -> Answer {
    let body = json!({"orderId": order, "method": method});
    shop.post("/api/payments").token(&who.token).key(key).json(&body).await
}

/// Asks for an order until it has that status.
async fn becomes(shop: &Shop, who: &Person, order: &str, status: &str) -> Value {
    let what = format!("order {order} is {status}");
    e2e::wait::eventually(&what, books::SETTLED_WITHIN, async || {
        let answer =
            shop.get(&format!("/api/orders/{order}")).token(&who.token).await.expect_status(200);
        (answer.json["status"] == status).then_some(answer.json)
    })
    .await
}

mod any_shop {
    use serde_json::json;

    use super::{becomes, items, order, pay};
    use crate::stand::any_shop;

    #[tokio::test]
    async fn an_order_is_confirmed_when_it_is_paid() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let placed = order(&shop, &ada, "k", &items("p-6", 2)).await.expect_status(200);
        shop.service_saw(&placed, "order.v1.OrderService/CreateOrder", &ada.id, "OK").await;
        shop.service_saw(&placed, "product.v1.StockService/ReserveStock", &ada.id, "OK").await;
        shop.service_saw(&placed, "payment.v1.IntentService/OpenIntent", &ada.id, "OK").await;
        assert_eq!(placed.json["status"], "ORDER_STATUS_AWAITING_PAYMENT");
        assert_eq!(
            placed.json["items"][0]["unitPrice"],
            json!({"currencyCode": "USD", "units": "54", "nanos": 900_000_000})
        );
        assert_eq!(
            placed.json["total"],
            json!({"currencyCode": "USD", "units": "109", "nanos": 800_000_000})
        );

        let id = placed.text_at("/id");
        let payment = pay(&shop, &ada, "k", &id, "tok_visa").await.expect_status(200);
        shop.service_saw(&payment, "payment.v1.PaymentService/CreatePayment", &ada.id, "OK").await;
        assert_eq!(payment.json["amount"], placed.json["total"]);
        let confirmed = becomes(&shop, &ada, &id, "ORDER_STATUS_CONFIRMED").await;
        assert_eq!(confirmed["paymentId"], payment.json["id"]);

        let read = shop
            .get(&format!("/api/payments/{}", payment.text_at("/id")))
            .token(&ada.token)
            .await
            .expect_status(200);
        assert_eq!(read.json, payment.json);
        let list = shop
            .get(&format!("/api/users/{}/orders", ada.id))
            .token(&ada.token)
            .await
            .expect_status(200);
        assert_eq!(list.json["orders"], json!([confirmed]));
    }

    #[tokio::test]
    async fn a_refused_card_leaves_the_order_open_for_another() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let placed = order(&shop, &ada, "k", &items("p-6", 1)).await.expect_status(200);
        let id = placed.text_at("/id");
        let declined = pay(&shop, &ada, "first", &id, "tok_declined").await;
        let declined =
            declined.expect_problem(402, "FAILED_PRECONDITION").expect_reason("CARD_DECLINED");
        shop.service_saw(
            &declined,
            "payment.v1.PaymentService/CreatePayment",
            &ada.id,
            "FAILED_PRECONDITION",
        )
        .await;
        let again = pay(&shop, &ada, "first", &id, "tok_declined").await;
        let again = again.expect_problem(402, "FAILED_PRECONDITION");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        let _ = becomes(&shop, &ada, &id, "ORDER_STATUS_AWAITING_PAYMENT").await;

        let _ = pay(&shop, &ada, "second", &id, "tok_mastercard").await.expect_status(200);
        let _ = becomes(&shop, &ada, &id, "ORDER_STATUS_CONFIRMED").await;
        let third = pay(&shop, &ada, "third", &id, "tok_visa").await;
        let _ = third.expect_problem(400, "FAILED_PRECONDITION").expect_reason("ALREADY_PAID");
    }

    #[tokio::test]
    async fn a_cancelled_order_gives_its_stock_back_and_cannot_be_paid() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let placed = order(&shop, &ada, "k", &items("p-7", 1)).await.expect_status(200);
        let id = placed.text_at("/id");
        let cancel = format!("/api/orders/{id}:cancel");
        let cancelled =
            shop.post(&cancel).token(&ada.token).json(&json!({})).await.expect_status(200);
        shop.service_saw(&cancelled, "order.v1.OrderService/CancelOrder", &ada.id, "OK").await;
        assert_eq!(cancelled.json["status"], "ORDER_STATUS_CANCELLED");
        assert_eq!(cancelled.json["cancelReason"], "BY_CUSTOMER");
        let twice = shop.post(&cancel).token(&ada.token).json(&json!({})).await.expect_status(200);
        assert_eq!(twice.json["status"], cancelled.json["status"]);
        let late = pay(&shop, &ada, "p", &id, "tok_visa").await;
        let _ = late.expect_problem(400, "FAILED_PRECONDITION").expect_reason("INTENT_CLOSED");
    }

    #[tokio::test]
    async fn a_paid_order_cannot_be_cancelled_and_a_refund_gives_money_only() {
        let shop = any_shop().await;
        let (ada, root) = (shop.newcomer().await, shop.login("root@example.com").await);
        let placed = order(&shop, &ada, "k", &items("p-8", 1)).await.expect_status(200);
        let id = placed.text_at("/id");
        let payment = pay(&shop, &ada, "p", &id, "tok_visa").await.expect_status(200);
        let _ = becomes(&shop, &ada, &id, "ORDER_STATUS_CONFIRMED").await;
        let cancel =
            shop.post(&format!("/api/orders/{id}:cancel")).token(&ada.token).json(&json!({})).await;
        let _ = cancel.expect_problem(400, "FAILED_PRECONDITION");

        let refund = format!("/api/payments/{}:refund", payment.text_at("/id"));
        let first = shop.post(&refund).token(&root).json(&json!({})).await.expect_status(200);
        assert_eq!(first.json["status"], "PAYMENT_STATUS_REFUNDED");
        let second = shop.post(&refund).token(&root).json(&json!({})).await.expect_status(200);
        assert_eq!(second.json, first.json);
        let _ = becomes(&shop, &ada, &id, "ORDER_STATUS_CONFIRMED").await;
    }

    #[tokio::test]
    async fn more_than_there_is_cannot_be_ordered() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let answer = order(&shop, &ada, "k", &items("p-20", 1000)).await;
        let answer =
            answer.expect_problem(400, "FAILED_PRECONDITION").expect_reason("OUT_OF_STOCK");
        shop.service_saw(
            &answer,
            "order.v1.OrderService/CreateOrder",
            &ada.id,
            "FAILED_PRECONDITION",
        )
        .await;
    }

    #[tokio::test]
    async fn nobody_makes_themselves_an_admin() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let me = format!("/api/users/{}", ada.id);
        for (path, body) in [
            (me.clone(), json!({"roles": ["admin"]})),
            (me.clone(), json!({"name": "Ada", "roles": ["admin"]})),
            (format!("{me}?updateMask=roles"), json!({"roles": ["admin"]})),
            (format!("{me}?update_mask=name,roles"), json!({"name": "Ada"})),
            (format!("{me}?updateMask=*"), json!({"name": "Ada", "roles": ["admin"]})),
            (format!("{me}?updateMask=id"), json!({"id": "1"})),
            (format!("{me}?user.roles=admin"), json!({"name": "Ada"})),
            (me.clone(), json!({"id": "1", "name": "Ada"})),
        ] {
            let answer = shop.patch(&path).token(&ada.token).json(&body).await;
            assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text);
            let _ = answer.expect_problem(400, "INVALID_ARGUMENT");
        }
        let grant = json!({"email": format!("x{}@example.com", ada.id), "name": "X", "password": "correct-horse", "roles": ["admin"]});
        let _ = shop.post("/api/users").json(&grant).await.expect_problem(400, "INVALID_ARGUMENT");

        let token = shop.login(&ada.email).await;
        let read = shop.get(&me).token(&token).await.expect_status(200);
        assert_eq!(
            read.json.get("roles").and_then(|roles| roles.as_array()).map_or(0, Vec::len),
            0
        );
        let _ = shop.get("/api/users").token(&token).await.expect_problem(403, "PERMISSION_DENIED");
    }

    #[tokio::test]
    async fn nobody_sets_what_the_shop_decides() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        for body in [
            json!({"items": [{"productId": "p-9", "quantity": 1, "unitPrice": {"currencyCode": "USD", "units": "0"}}]}),
            json!({"items": [{"productId": "p-9", "quantity": 1, "name": "Gold"}]}),
            json!({"items": [{"productId": "p-9", "quantity": 1}], "status": "ORDER_STATUS_CONFIRMED"}),
            json!({"items": [{"productId": "p-9", "quantity": 1}], "userId": "124"}),
            json!({"items": [{"productId": "p-9", "quantity": 0}]}),
            json!({"items": [{"productId": "p-9", "quantity": -1}]}),
            json!({"items": []}),
            json!({}),
        ] {
            let answer = order(&shop, &ada, "k", &body).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
            let _ = answer.expect_problem(400, "INVALID_ARGUMENT");
        }
    }
}

/// What is wrong with a request is told field by field (google.rpc.BadRequest).
#[tokio::test]
async fn what_is_wrong_is_told_field_by_field() {
    let bed = shared().await;
    let ada = bed.shop().newcomer().await;
    let answer = order(&bed.shop(), &ada, "k", &items("p-9", 0))
        .await
        .expect_problem(400, "INVALID_ARGUMENT");
    bed.service_saw(&answer, "order.v1.OrderService/CreateOrder", &ada.id, "INVALID_ARGUMENT")
        .await;
    let details = answer.json["details"].to_string();
    assert!(
        details.contains("google.rpc.BadRequest") && details.contains("items[0].quantity"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn nobody_changes_what_is_anothers() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let placed = order(&shop, &bob, "k", &items("p-10", 1)).await.expect_status(200);
    let id = placed.text_at("/id");
    let before = (books::order(&bed, &id), books::stock(&bed, "p-10"));

    let cancel =
        shop.post(&format!("/api/orders/{id}:cancel")).token(&ada.token).json(&json!({})).await;
    let cancel = cancel.expect_problem(404, "NOT_FOUND");
    bed.service_saw(&cancel, "order.v1.OrderService/CancelOrder", &ada.id, "NOT_FOUND").await;
    let absent = shop.post("/api/orders/nothing:cancel").token(&ada.token).json(&json!({})).await;
    let absent = absent.expect_problem(404, "NOT_FOUND");
    assert_eq!(
        absent.text.replace("nothing", "").replace(absent.request_id(), ""),
        cancel.text.replace(&id, "").replace(cancel.request_id(), ""),
        "what is another's looks like what is not there"
    );

    let paid = pay(&shop, &ada, "p", &id, "tok_visa").await.expect_problem(404, "NOT_FOUND");
    bed.service_saw(&paid, "payment.v1.PaymentService/CreatePayment", &ada.id, "NOT_FOUND").await;
    let rename = shop
        .patch(&format!("/api/users/{}", bob.id))
        .token(&ada.token)
        .json(&json!({"name": "Mine"}))
        .await;
    assert!(matches!(rename.status, 403 | 404), "{}", rename.text);

    assert_eq!((books::order(&bed, &id), books::stock(&bed, "p-10")), before);
    let bobs =
        shop.get(&format!("/api/users/{}", bob.id)).token(&bob.token).await.expect_status(200);
    assert_eq!(bobs.json["name"], "New Comer");
    books::settle(&bed).await;
}

#[tokio::test]
async fn nobody_reads_what_is_anothers() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob, root) =
        (shop.newcomer().await, shop.newcomer().await, shop.login("root@example.com").await);
    let placed = order(&shop, &bob, "k", &items("p-11", 1)).await.expect_status(200);
    let id = placed.text_at("/id");
    let payment = pay(&shop, &bob, "p", &id, "tok_visa").await.expect_status(200).text_at("/id");
    for path in [
        format!("/api/orders/{id}"),
        format!("/api/payments/{payment}"),
        format!("/api/users/{}/orders", bob.id),
        format!("/api/orders?userId={}", bob.id),
        format!("/api/users/{}", bob.id),
    ] {
        let answer = shop.get(&path).token(&ada.token).await;
        assert!(matches!(answer.status, 403 | 404), "{path}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains(&bob.email), "{}", answer.text);
        let _ = shop.get(&path).token(&bob.token).await.expect_status(200);
        let _ = shop.get(&path).token(&root).await.expect_status(200);
    }
}

#[tokio::test]
async fn the_books_are_right_after_a_day_of_business() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let before = books::stock(&bed, "p-12");
    for (who, key, quantity) in
        [(&ada, "1", 1), (&bob, "1", 2), (&ada, "2", 3), (&bob, "2", 4), (&ada, "3", 1000)]
    {
        let placed = order(&shop, who, key, &items("p-12", quantity)).await;
        let Some(id) = placed.json["id"].as_str() else { continue };
        match quantity {
            1 => drop(pay(&shop, who, key, id, "tok_visa").await.expect_status(200)),
            2 => drop(pay(&shop, who, key, id, "tok_declined").await.expect_status(402)),
            3 => drop(
                shop.post(&format!("/api/orders/{id}:cancel"))
                    .token(&who.token)
                    .json(&json!({}))
                    .await
                    .expect_status(200),
            ),
            _ => {}
        }
    }
    books::settle(&bed).await;
    let (available, reserved, sold) = books::stock(&bed, "p-12");
    assert_eq!((before.0 - available, reserved - before.1, sold - before.2), (7, 6, 1));
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled() {
    let bed = setup().argument(Role::Payment, &["--intent-ttl", "2s"]).start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let placed = order(&shop, &ada, "k", &items("p-14", 1)).await.expect_status(200);
    let ended = becomes(&shop, &ada, &placed.text_at("/id"), "ORDER_STATUS_CANCELLED").await;
    assert_eq!(ended["cancelReason"], "PAYMENT_EXPIRED");
    books::settle(&bed).await;
}
