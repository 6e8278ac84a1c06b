//! A client that got no answer may ask again with the same key: nothing happens twice.

use crate::books;
use crate::shop::{items, order};
use crate::stand::setup;

mod any_shop {
    use crate::shop::{items, order};
    use crate::stand::any_shop;

    #[tokio::test]
    async fn the_same_key_gives_the_same_answer_and_says_so() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let first = order(&shop, &ada, "k", &items("p-9", 1)).await.expect_status(200);
        assert_eq!(first.header("idempotent-replayed"), None);
        let second = order(&shop, &ada, "k", &items("p-9", 1)).await.expect_status(200);
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(second.json, first.json);
        // The fingerprint is of what was said, not of how it was written.
        let spelled = r#"{ "items": [ {"quantity": "1", "product_id": "p-9"} ] }"#;
        let third = shop
            .post("/api/orders")
            .token(&ada.token)
            .key("k")
            .text(spelled)
            .await
            .expect_status(200);
        assert_eq!(third.json, first.json);
        let list = shop
            .get(&format!("/api/users/{}/orders", ada.id))
            .token(&ada.token)
            .await
            .expect_status(200);
        assert_eq!(list.json["orders"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_same_key_for_something_else_is_refused() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let _ = order(&shop, &ada, "k", &items("p-9", 1)).await.expect_status(200);
        let answer = order(&shop, &ada, "k", &items("p-9", 2)).await;
        let answer = answer
            .expect_problem(422, "FAILED_PRECONDITION")
            .expect_reason("IDEMPOTENCY_KEY_REUSED");
        shop.service_saw(
            &answer,
            "order.v1.OrderService/CreateOrder",
            &ada.id,
            "FAILED_PRECONDITION",
        )
        .await;
    }

    #[tokio::test]
    async fn a_key_is_wanted_and_has_a_shape() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let missing = shop.post("/api/orders").token(&ada.token).json(&items("p-9", 1)).await;
        let _ = missing.expect_problem(400, "INVALID_ARGUMENT");
        for key in ["", " ", &"k".repeat(300)] {
            let answer = order(&shop, &ada, key, &items("p-9", 1)).await;
            let _ = answer.expect_problem(400, "INVALID_ARGUMENT");
        }
        let twice = shop
            .post("/api/orders")
            .token(&ada.token)
            .key("a")
            .key("b")
            .json(&items("p-9", 1))
            .await;
        let _ = twice.expect_problem(400, "INVALID_ARGUMENT");
        let list = shop
            .get(&format!("/api/users/{}/orders", ada.id))
            .token(&ada.token)
            .await
            .expect_status(200);
        assert_eq!(list.json["orders"].as_array().map_or(0, Vec::len), 0);
    }

    #[tokio::test]
    async fn anothers_key_never_replays() {
        let shop = any_shop().await;
        let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
        let of_ada = order(&shop, &ada, "shared", &items("p-9", 1)).await.expect_status(200);
        let of_bob = order(&shop, &bob, "shared", &items("p-9", 1)).await.expect_status(200);
        assert_eq!(of_bob.header("idempotent-replayed"), None);
        assert_ne!(of_bob.json["id"], of_ada.json["id"]);
        assert_eq!(of_bob.json["userId"], bob.id);
    }
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_order() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (shop, ada) = (shop.clone(), ada.clone());
            tokio::spawn(async move { order(&shop, &ada, "k", &items("p-13", 1)).await })
        })
        .collect();
    for attempt in tries {
        let answer = attempt.await.unwrap();
        assert!(matches!(answer.status, 200 | 409), "{}", answer.text);
    }
    assert_eq!(books::orders_of(&bed, &ada.id).len(), 1);
    books::settle(&bed).await;
}
