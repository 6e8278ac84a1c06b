//! What keeps it standing: deadlines, and failures that stay where they are.

use std::time::Duration;

use e2e::role::Role;
use e2e::scripted::{Script, Scripted};
use e2e::wait::eventually;
use serde_json::json;

use crate::books;
use crate::stand::{Witness as _, before_product, setup, shared};

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_when_the_deadline_has_passed() {
    let bed = setup().config("deadline: 5s", "deadline: 700ms").start().await;
    let shop = bed.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    bed.part(Role::Product).pause();
    bed.part(Role::Product2).pause();
    let answer = shop.get("/api/products/p-1").await.expect_problem(504, "DEADLINE_EXCEEDED");
    assert!(answer.elapsed >= Duration::from_millis(600), "{:?}", answer.elapsed);
    assert!(answer.elapsed < Duration::from_secs(5), "{:?}", answer.elapsed);
    bed.part(Role::Product).resume();
    bed.part(Role::Product2).resume();
    eventually("it answers again", Duration::from_secs(15), async || {
        (shop.get("/api/products/p-1").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_may_ask_for_a_shorter_deadline_but_not_for_a_longer_one() {
    let bed = setup().config("deadline: 5s", "deadline: 1500ms").start().await;
    let shop = bed.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    bed.part(Role::Product).pause();
    bed.part(Role::Product2).pause();
    for (asked, at_least, at_most) in
        [("200m", 150, 1400), ("20S", 1300, 10_000), ("1H", 1300, 10_000)]
    {
        let answer = shop.get("/api/products/p-1").header("grpc-timeout", asked).await;
        let answer = answer.expect_problem(504, "DEADLINE_EXCEEDED");
        let took = answer.elapsed.as_millis();
        assert!((at_least..at_most).contains(&took), "{asked}: {took} ms");
    }
}

#[tokio::test]
async fn a_deadline_that_is_none_is_a_bad_request() {
    let bed = shared().await;
    for asked in ["", "5", "5s", "S", "123456789S", "-1S", "1.5S", "soon"] {
        let answer = bed.shop().get("/api/products/p-1").header("grpc-timeout", asked).await;
        assert_eq!(answer.status, 400, "{asked}: {}", answer.text);
        bed.no_service_saw(&answer.expect_problem(400, "INVALID_ARGUMENT")).await;
    }
}

#[tokio::test]
async fn the_service_is_told_how_much_time_is_left() {
    let service = Scripted::answering(|_, _| Script::ok(Vec::new())).await;
    let gateway = before_product(setup(), service.address()).await;
    let _ = gateway
        .shop()
        .get("/api/products/p-1")
        .header("grpc-timeout", "800m")
        .await
        .expect_status(200);
    let _ = gateway.shop().get("/api/products/p-1").await.expect_status(200);
    let told: Vec<u128> = service
        .exchanges()
        .iter()
        .map(|call| micros(call.header("grpc-timeout").unwrap()))
        .collect();
    let [asked, usual] = told.as_slice() else { panic!("two calls expected: {told:?}") };
    assert!((1..=800_000).contains(asked), "{asked}");
    assert!((3_000_000..=5_000_000).contains(usual), "{usual}");
}

/// A `grpc-timeout` in microseconds.
fn micros(text: &str) -> u128 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "n" => return number.parse::<u128>().unwrap() / 1000,
        "u" => 1,
        "m" => 1000,
        "S" => 1_000_000,
        other => panic!("an odd unit: {other}"),
    };
    number.parse::<u128>().unwrap() * factor
}

#[tokio::test]
async fn a_dead_service_is_503_of_its_own_routes_and_of_no_others() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    bed.part(Role::Order).kill_9();
    for path in [format!("/api/users/{}/orders", ada.id), "/api/orders/1".to_owned()] {
        let answer = shop.get(&path).token(&ada.token).await.expect_problem(503, "UNAVAILABLE");
        assert!(
            !answer.text.contains(&format!(":{}", bed.ports().port(Role::Order))),
            "no address gets out: {}",
            answer.text
        );
        bed.no_service_saw(&answer).await;
    }
    let _ = shop.get("/api/products").await.expect_status(200);
    let _ = shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await.expect_status(200);
    assert!(e2e::ready::is_ready(Role::Gateway, bed.ports()).await, "the gateway itself is ready");

    bed.start(Role::Order).await;
    eventually("orders are back", Duration::from_secs(15), async || {
        let answer = shop.get(&format!("/api/users/{}/orders", ada.id)).token(&ada.token).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_gateway_may_start_before_everything_else() {
    let bed = setup().empty().start().await;
    bed.start(Role::Gateway).await;
    let shop = bed.shop();
    let _ = shop.get("/api/products").await.expect_problem(503, "UNAVAILABLE");
    let _ = shop.get("/api/nothing").await.expect_problem(404, "NOT_FOUND");
    bed.start_all(&Role::SERVICES).await;
    eventually("everything answers", Duration::from_secs(40), async || {
        let login = json!({"email": "ada@example.com", "password": e2e::shop::PASSWORD});
        let answer = shop.post("/api/auth/login").json(&login).await;
        let token = answer.json["accessToken"].as_str()?.to_owned();
        let paths =
            ["/api/users/123", "/api/users/123/orders", "/api/products", "/api/products/p-1"];
        for path in paths {
            if shop.get(path).token(&token).await.status != 200 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_only_accepts_connections_is_not_waited_for_forever() {
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hole.local_addr().unwrap();
    let gateway = before_product(setup().config("deadline: 5s", "deadline: 800ms"), address).await;
    let answer = gateway.shop().get("/api/products/p-1").await;
    assert!(matches!(answer.status, 503 | 504), "{} {}", answer.status, answer.text);
    assert!(answer.elapsed < Duration::from_secs(5), "{:?}", answer.elapsed);
}

#[tokio::test]
async fn sigterm_ends_it_in_order_and_lets_no_request_fall() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let items = json!({"items": [{"productId": "p-15", "quantity": 1}]});
    let order = shop
        .post("/api/orders")
        .token(&ada.token)
        .key("k")
        .json(&items)
        .await
        .expect_status(200)
        .text_at("/id");
    let slow = {
        let (shop, ada) = (shop.clone(), ada.clone());
        let pay = json!({"orderId": order, "method": "tok_slow"});
        tokio::spawn(async move {
            shop.post("/api/payments").token(&ada.token).key("p").json(&pay).await
        })
    };
    let at_work = async || books::is_at_work(&bed, "payment", &ada.id).then_some(());
    eventually("the payment is being made", Duration::from_secs(10), at_work).await;
    let status = bed.part(Role::Gateway).stop(Duration::from_secs(20)).await;
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let _ = slow.await.unwrap().expect_status(200);
}
