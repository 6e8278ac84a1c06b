//! What is true after a power cut.

use std::time::Duration;

use e2e::bed::Bed;
use e2e::role::Role;
use e2e::shop::Person;
use e2e::wait::eventually;
use serde_json::json;

use crate::books;
use crate::stand::setup;

/// Begins an order that can't be finished because payment does not answer, and waits until its stock is reserved but
/// its payment is not open: the order's own database says so. Answers its id.
async fn order_between_reservation_and_intent(bed: &Bed, who: &Person) -> String {
    let (shop, token) = (bed.shop(), who.token.clone());
    tokio::spawn(async move {
        let body = json!({"items": [{"productId": "p-1", "quantity": 3}]});
        // It gets 504, or no answer at all when the order service dies: both are fine, the key can be used again.
        let _ = shop.post("/api/orders").token(&token).key("k").json(&body).attempt().await;
    });
    eventually("an order has its stock and not its payment", Duration::from_secs(10), async || {
        let id = books::orders_of(bed, &who.id).pop()?;
        let (status, step) = books::order(bed, &id)?;
        (status == "PENDING" && step == "OPEN").then_some(id)
    })
    .await
}

async fn ends_well(bed: &Bed, who: &Person, id: &str) -> String {
    let shop = bed.shop();
    let status = eventually("the order ended its pending", books::SETTLED_WITHIN, async || {
        let answer = shop.get(&format!("/api/orders/{id}")).token(&who.token).await;
        let status = answer.json["status"].as_str()?.to_owned();
        matches!(status.as_str(), "ORDER_STATUS_AWAITING_PAYMENT" | "ORDER_STATUS_CANCELLED")
            .then_some(status)
    })
    .await;
    books::settle(bed).await;
    status
}

#[tokio::test]
async fn an_order_killed_between_reservation_and_intent_ends_well() {
    let bed = setup().start().await;
    let ada = bed.shop().newcomer().await;
    let before = books::stock(&bed, "p-1");
    bed.part(Role::Payment).pause();
    let id = order_between_reservation_and_intent(&bed, &ada).await;
    assert_eq!(books::stock(&bed, "p-1").1, before.1 + 3, "the stock is set aside");

    bed.part(Role::Order).kill_9();
    bed.part(Role::Payment).resume();
    bed.start(Role::Order).await;
    let status = ends_well(&bed, &ada, &id).await;
    let reserved = if status == "ORDER_STATUS_AWAITING_PAYMENT" { 3 } else { 0 };
    assert_eq!(books::stock(&bed, "p-1"), (before.0 - reserved, before.1 + reserved, before.2));

    // The client never got an answer and asks again with the same key: the same order, not a second one.
    let body = json!({"items": [{"productId": "p-1", "quantity": 3}]});
    // Until the dead process's lease on the key has run out, it is told to ask again (409).
    let again = eventually("the key answers", books::SETTLED_WITHIN, async || {
        let again = bed.shop().post("/api/orders").token(&ada.token).key("k").json(&body).await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert!(matches!(again.status, 200 | 400), "{}", again.text);
    assert_eq!(books::orders_of(&bed, &ada.id), [id]);
}

#[tokio::test]
async fn both_killed_between_reservation_and_intent_still_end_well() {
    let bed = setup().start().await;
    let ada = bed.shop().newcomer().await;
    bed.part(Role::Payment).kill_9();
    let id = order_between_reservation_and_intent(&bed, &ada).await;
    bed.part(Role::Order).kill_9();
    bed.start_all(&[Role::Payment, Role::Order]).await;
    ends_well(&bed, &ada, &id).await;
}

#[tokio::test]
async fn a_paid_order_is_confirmed_though_the_order_service_was_dead_when_it_was_paid() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let body = json!({"items": [{"productId": "p-2", "quantity": 2}]});
    let id = shop
        .post("/api/orders")
        .token(&ada.token)
        .key("k")
        .json(&body)
        .await
        .expect_status(200)
        .text_at("/id");
    bed.part(Role::Order).kill_9();
    let pay = json!({"orderId": id, "method": "tok_visa"});
    let payment =
        shop.post("/api/payments").token(&ada.token).key("p").json(&pay).await.expect_status(200);
    bed.start(Role::Order).await;
    let confirmed = eventually("the order is confirmed", books::SETTLED_WITHIN, async || {
        let answer = shop.get(&format!("/api/orders/{id}")).token(&ada.token).await;
        (answer.json["status"] == "ORDER_STATUS_CONFIRMED").then_some(answer)
    })
    .await;
    assert_eq!(confirmed.json["paymentId"], payment.json["id"]);
    books::settle(&bed).await;
}

#[tokio::test]
async fn everything_that_was_answered_survives_a_power_cut_of_all() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let body = json!({"items": [{"productId": "p-3", "quantity": 1}]});
    let placed =
        shop.post("/api/orders").token(&ada.token).key("k").json(&body).await.expect_status(200);
    for role in Role::ALL {
        bed.part(role).kill_9();
    }
    bed.start_all(&Role::SERVICES).await;
    bed.start(Role::Gateway).await;
    let shop = bed.shop();
    let again =
        shop.post("/api/orders").token(&ada.token).key("k").json(&body).await.expect_status(200);
    assert_eq!(again.json, placed.json, "the token, the key and the order are still known");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    books::settle(&bed).await;
}
