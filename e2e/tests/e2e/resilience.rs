//! What keeps it standing: deadlines, and failures that stay where they are.

use std::time::Duration;

use e2e::bed::{Bed, Setup};
use e2e::road::{Road, State};
use e2e::role::Role;
use e2e::scripted::{Script, Scripted};
use e2e::wait::eventually;
use proto::kit::v1::fault_service_client::FaultServiceClient;
use proto::kit::v1::{AbortRequest, Fault, SetFaultRequest};
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Code;

use crate::books;
use crate::stand::{Witness as _, before_product, setup, shared};

/// A shop whose gateway waits no longer than that.
fn impatient(deadline: &str) -> Setup {
    let written = format!("deadline: {deadline}\n");
    let setup = setup().config("deadline: 5s\n", &written).config("  try_timeout: 2s\n", "");
    setup.config("{ try_timeout: 5s }", &format!("{{ try_timeout: {deadline} }}"))
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_when_the_deadline_has_passed() {
    let bed = impatient("700ms").start().await;
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
    let bed = impatient("1500ms").start().await;
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
    let gateway = before_product(impatient("800ms"), address).await;
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

/// A shop whose product services can be made to fail.
fn faulty() -> Setup {
    setup().argument(Role::Product, &["--faults"]).argument(Role::Product2, &["--faults"])
}

const PRODUCTS: [Role; 2] = [Role::Product, Role::Product2];

/// How many calls of an RPC the product services have written down.
fn calls(bed: &Bed, rpc: &str) -> usize {
    let of = |role| bed.part(role).log().records().iter().filter(|line| line["rpc"] == rpc).count();
    PRODUCTS.into_iter().map(of).sum()
}

#[tokio::test]
async fn an_endpoint_that_only_fails_is_left_alone_and_found_again_when_it_is_well() {
    // By latency it would be asked once or twice: whoever fails is taken for slow.
    let bed = faulty().config("least_latency }", "round_robin }").start().await;
    // A budget is a share of the traffic, so there is to be some.
    for _ in 0..50 {
        let _ = bed.shop().get("/api/products/p-2").await.expect_status(200);
    }
    bed.fail(Role::Product, Code::Unavailable).await;
    for _ in 0..100 {
        let _ = bed.shop().get("/api/products/p-1").await.expect_status(200);
    }
    let rpc = "product.v1.ProductService/GetProduct";
    let lines = bed.part(Role::Product).log().records();
    let failed = |line: &&serde_json::Value| line["rpc"] == rpc && line["code"] == "UNAVAILABLE";
    let failed = lines.iter().filter(failed).count();
    assert!((5..30).contains(&failed), "{failed} of a hundred asked it");
    bed.heal(Role::Product).await;
    eventually("it is asked again", Duration::from_secs(10), async || {
        let answer = bed.shop().get("/api/products/p-1").await.expect_status(200);
        let lines = bed.service_lines(answer.request_id()).await;
        lines.iter().any(|(role, _)| *role == Role::Product).then_some(())
    })
    .await;
}

#[tokio::test]
async fn all_down_is_503_at_once_and_recovers_without_a_restart() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    for role in PRODUCTS {
        bed.part(role).kill_9();
    }
    for _ in 0..30 {
        let answer = shop.get("/api/products/p-1").await.expect_problem(503, "UNAVAILABLE");
        assert!(answer.header("retry-after").is_some(), "{}", answer.text);
        assert!(answer.elapsed < Duration::from_millis(100), "{:?}", answer.elapsed);
    }
    bed.start_all(&PRODUCTS).await;
    eventually("it answers again", Duration::from_secs(10), async || {
        (shop.get("/api/products/p-1").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_replica_costs_no_read() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let mut asked = JoinSet::new();
    for _ in 0..4 {
        let shop = shop.clone();
        asked.spawn(async move {
            for _ in 0..100 {
                let _ = shop.get("/api/products/p-1").await.expect_status(200);
            }
        });
    }
    let rpc = "product.v1.ProductService/GetProduct";
    let begun = async || (calls(&bed, rpc) > 40).then_some(());
    eventually("they are asked", Duration::from_secs(10), begun).await;
    bed.part(Role::Product2).kill_9();
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_service_that_crashes_on_request_is_missed_by_nobody_who_reads() {
    let bed = faulty().start().await;
    let gone = bed.faults(Role::Product).await.abort(AbortRequest {}).await;
    assert!(gone.is_err(), "there is nobody left to answer: {gone:?}");
    eventually("it has ended", Duration::from_secs(10), async || bed.part(Role::Product).ended())
        .await;
    for _ in 0..10 {
        let _ = bed.shop().get("/api/products/p-1").await.expect_status(200);
    }
}

#[tokio::test]
async fn no_client_can_ask_for_a_fault() {
    let bed = faulty().start().await;
    let mut faults = FaultServiceClient::connect(bed.ports().base()).await.unwrap();
    let fault = Some(Fault { error_percent: 100, ..Fault::default() });
    let refused = faults.set_fault(SetFaultRequest { fault }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let refused = faults.abort(AbortRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let _ = bed.shop().get("/api/products/p-1").await.expect_status(200);
}

#[tokio::test]
async fn beyond_its_room_a_service_turns_requests_away_at_once() {
    let room = "  max_requests: 4\n  max_queue: 0\n  attempts: 3\n";
    let bed = faulty().config("  attempts: 3\n", room).start().await;
    for role in PRODUCTS {
        bed.hold(role).await;
    }
    let shop = bed.shop();
    // Of five at once one is turned away.
    let mut asked = JoinSet::new();
    for _ in 0..5 {
        asked.spawn({ shop.clone() }.get("/api/products/p-1").into_future());
    }
    let shed = asked.join_next().await.unwrap().unwrap();
    let answer = shed.expect_problem(503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let answer = shop.get("/api/products/p-1").await.expect_problem(503, "UNAVAILABLE");
        fastest = fastest.min(answer.elapsed);
        let line = bed.access_line(answer.request_id()).await;
        assert_eq!((&line["tries"], &line["origin"]), (&json!(0), &json!("gateway")), "{line}");
    }
    assert!(fastest < Duration::from_millis(10), "{fastest:?}");
    // Others have a room of their own.
    let _ = shop.newcomer().await;
    while let Some(held) = asked.join_next().await {
        assert_eq!(held.unwrap().status, 504);
    }
}

#[tokio::test]
async fn whatever_happens_to_the_way_is_answered_as_what_it_is() {
    let service = Scripted::answering(|_, _| Script::ok(Vec::new())).await;
    let road = Road::to(service.address()).await;
    let gateway = before_product(impatient("1s"), road.address()).await;
    let shop = gateway.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    for (state, status, code) in [
        (State::Slow(Duration::from_millis(20)), 200, ""),
        (State::Silent, 504, "DEADLINE_EXCEEDED"),
        (State::Reset, 503, "UNAVAILABLE"),
        (State::Refused, 503, "UNAVAILABLE"),
        (State::HalfOpen, 504, "DEADLINE_EXCEEDED"),
    ] {
        road.turn(state);
        eventually(&format!("{state:?} is {status}"), Duration::from_secs(10), async || {
            let answer = shop.get("/api/products/p-1").await;
            assert!(matches!(answer.status, 200 | 503 | 504), "{} {}", answer.status, answer.text);
            (answer.status == status && (code.is_empty() || answer.json["code"] == code))
                .then_some(())
        })
        .await;
        road.turn(State::Open);
        eventually("it is well again", Duration::from_secs(20), async || {
            (shop.get("/api/products/p-1").await.status == 200).then_some(())
        })
        .await;
    }
}
