//! Responsibility 7: streams of gRPC over REST.

use std::time::Duration;

use e2e::bed::Bed;
use e2e::open::Open;
use e2e::role::Role;
use e2e::shop::{Person, Shop};
use serde_json::{Value, json};

use crate::stand::{Witness as _, adjust_stock, setup, shared};

pub(crate) const ARRAY: &str = "application/json";
pub(crate) const LINES: &str = "application/x-ndjson";
pub(crate) const EVENTS: &str = "text/event-stream";

/// Every change of the shop's products since its first day.
pub(crate) const WATCH: &str = "/api/products:watch?afterSequence=0";
pub(crate) const WATCH_PRODUCTS: &str = "product.v1.ProductService/WatchProducts";

/// What stands behind a message, in each framing.
fn behind(accept: &str) -> &'static str {
    match accept {
        ARRAY => "}",
        LINES => "}\n",
        _ => "}\n\n",
    }
}

pub(crate) async fn open(shop: &Shop, path: &str, accept: &str) -> Open {
    let open = shop.get(path).header("accept", accept).open().await;
    assert_eq!(open.status, 200, "{accept}");
    assert_eq!(open.header("content-type"), Some(accept));
    open
}

/// Asserts what comes up to here.
pub(crate) async fn comes(open: &mut Open, text: &str) {
    assert_eq!(open.as_long_as(text).await, text);
}

async fn order(shop: &Shop, who: &Person) -> String {
    let items = json!({"items": [{"productId": "p-23", "quantity": 1}]});
    let order = shop.post("/api/orders").token(&who.token).key("k").json(&items).await;
    order.expect_status(200).text_at("/id")
}

async fn pay(shop: &Shop, who: &Person, order: &str) {
    let pay = json!({"orderId": order, "method": "tok_visa"});
    let _ =
        shop.post("/api/payments").token(&who.token).key("p").json(&pay).await.expect_status(200);
}

#[tokio::test]
async fn one_stream_has_three_framings() {
    let bed = setup().start().await;
    let shop = bed.shop();
    // The stock of both is told as wide numbers and comes in order: the text of each message is known.
    let products = [adjust_stock(&shop, "p-1", 1).await, adjust_stock(&shop, "p-2", 1).await];
    let texts =
        [shop.get("/api/products/p-1").await.text, shop.get("/api/products/p-2").await.text];
    let [first, second] = [1, 2].map(|number: usize| {
        format!("{{\"sequence\":\"{number}\",\"product\":{}}}", texts[number - 1])
    });
    for (accept, one, two) in [
        (ARRAY, format!("[{first}"), format!(",\n{second}")),
        (LINES, format!("{first}\n"), format!("{second}\n")),
        (
            EVENTS,
            format!("event: message\nid: 1\ndata: {first}\n\n"),
            format!("event: message\nid: 2\ndata: {second}\n\n"),
        ),
    ] {
        let mut stream = open(&shop, WATCH, accept).await;
        comes(&mut stream, &one).await;
        comes(&mut stream, &two).await;
        let id = stream.request_id();
        assert!(bed.service_lines_now(&id).is_empty(), "the call still runs");
        drop(stream);
        let lines = bed.service_lines(&id).await;
        let [(_, line)] = lines.as_slice() else { panic!("one call expected: {lines:#?}") };
        assert_eq!(
            (&line["rpc"], &line["code"]),
            (&json!(WATCH_PRODUCTS), &json!("CANCELLED")),
            "the client has gone, and so has the call"
        );
        let line = bed.access_line(&id).await;
        assert_eq!((&line["code"], &line["messages"]), (&json!("CANCELLED"), &json!(2)), "{line}");
    }
    let whole: Value = serde_json::from_str(&format!("[{first},\n{second}]")).unwrap();
    assert_eq!([&whole[0]["product"], &whole[1]["product"]], [&products[0], &products[1]]);
}

#[tokio::test]
async fn a_stream_that_ends_says_so() {
    let bed = shared().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let id = order(&shop, &ada).await;
    let path = format!("/api/orders/{id}:watch");
    let watch = |accept: &str| shop.get(&path).token(&ada.token).header("accept", accept);

    let mut waiting = watch(LINES).open().await;
    assert!(waiting.until("}\n").await.contains("ORDER_STATUS_AWAITING_PAYMENT"));
    pay(&shop, &ada, &id).await;
    let (rest, clean) = waiting.rest().await;
    assert!(clean && rest.ends_with("}\n") && rest.lines().count() == 1, "{rest}");
    assert!(rest.contains("ORDER_STATUS_CONFIRMED"), "{rest}");

    // What is confirmed can't change any more: each of these is a whole answer.
    let array = watch(ARRAY).await.expect_status(200);
    let only = serde_json::to_value(&array.json[0]).unwrap();
    assert_eq!((array.json.as_array().unwrap().len(), &only["order"]["id"]), (1, &json!(id)));
    assert_eq!(only["order"]["status"], "ORDER_STATUS_CONFIRMED");
    bed.service_saw(&array, "order.v1.OrderService/WatchOrder", &ada.id, "OK").await;
    let message = array.text.strip_prefix('[').unwrap().strip_suffix(']').unwrap().to_owned();
    let lines = watch(LINES).await.expect_status(200);
    assert_eq!(lines.text, format!("{message}\n"));
    let events = watch(EVENTS).await.expect_status(200);
    let sequence = only["sequence"].as_str().unwrap();
    assert_eq!(
        events.text,
        format!(
            "event: message\nid: {sequence}\ndata: {message}\n\nevent: end\nid: :end\ndata: {{}}\n\n"
        )
    );
    // An event source comes again, whatever it is told. Now it may stop.
    let again = watch(EVENTS).header("last-event-id", ":end").await.expect_status(204);
    assert_eq!(again.text, "");
    bed.no_service_saw(&again).await;
}

#[tokio::test]
async fn a_client_goes_on_behind_the_last_event_it_has_seen() {
    let bed = setup().start().await;
    let shop = bed.shop();
    for number in 1..=3 {
        adjust_stock(&shop, &format!("p-{number}"), 1).await;
    }
    let request = shop.get(WATCH).header("accept", EVENTS).header("last-event-id", "2");
    let mut stream = request.open().await;
    assert_eq!(stream.status, 200);
    let first = stream.until("\n\n").await;
    assert!(first.starts_with("event: message\nid: 3\ndata: {\"sequence\":\"3\""), "{first}");
    let wrong = shop.get(WATCH).header("accept", EVENTS).header("last-event-id", "two").await;
    bed.no_service_saw(&wrong.expect_problem(400, "INVALID_ARGUMENT")).await;
}

#[tokio::test]
async fn silence_is_broken_by_comments_and_a_change_by_an_event() {
    let often = "transcoding:\n  heartbeat: 100ms\n";
    let bed = setup().config("transcoding:\n", often).start().await;
    let mut stream = open(&bed.shop(), "/api/products:watch", EVENTS).await;
    comes(&mut stream, ":\n\n:\n\n").await;
    adjust_stock(&bed.shop(), "p-1", 1).await;
    let change = stream.until("}\n\n").await;
    let event = change.trim_start_matches(":\n\n");
    assert!(event.starts_with("event: message\nid: 1\ndata: {\"sequence\":\"1\""), "{change}");
}

#[tokio::test]
async fn who_takes_no_framing_is_told_before_anything_is_called() {
    let bed = shared().await;
    let answer = bed.shop().get(WATCH).header("accept", "text/html").await;
    bed.no_service_saw(&answer.expect_problem(406, "INVALID_ARGUMENT")).await;
    let anybody = bed.shop().get("/api/products:watch").open().await;
    assert_eq!((anybody.status, anybody.header("content-type")), (200, Some(ARRAY)));
}

#[tokio::test]
async fn what_fails_before_the_first_message_is_an_answer_of_its_own() {
    let bed = shared().await;
    let shop = bed.shop();
    let (ada, bob) = (shop.newcomer().await, shop.newcomer().await);
    let path = format!("/api/orders/{}:watch", order(&shop, &ada).await);
    for accept in [ARRAY, LINES, EVENTS] {
        let watch = || shop.get(&path).header("accept", accept);
        let nobody = watch().await.expect_problem(401, "UNAUTHENTICATED");
        bed.no_service_saw(&nobody).await;
        let other = watch().token(&bob.token).await.expect_problem(404, "NOT_FOUND");
        let rpc = "order.v1.OrderService/WatchOrder";
        bed.service_saw(&other, rpc, &bob.id, "NOT_FOUND").await;
        // The service says this in the stream itself, after the head of its answer.
        let request = shop.get("/api/products:watch?afterSequence=999999999");
        let late = request.header("accept", accept).await.expect_problem(400, "OUT_OF_RANGE");
        let late = late.expect_reason("SEQUENCE_NOT_REACHED");
        bed.service_saw(&late, WATCH_PRODUCTS, "", "OUT_OF_RANGE").await;
    }
}

/// Opens a stream in each framing, lets something happen to the shop, and answers what the client is told of it.
async fn told_when(happens: impl AsyncFn(&Bed)) -> Vec<Value> {
    let mut problems = Vec::new();
    for accept in [ARRAY, LINES, EVENTS] {
        let bed = setup().start().await;
        adjust_stock(&bed.shop(), "p-1", 1).await;
        let mut stream = open(&bed.shop(), WATCH, accept).await;
        stream.until(&format!("}}{}", behind(accept))).await;
        let id = stream.request_id();
        happens(&bed).await;
        let (rest, clean) = stream.rest().await;
        let text = match accept {
            ARRAY => rest.strip_prefix(",\n{\"error\":").and_then(|text| text.strip_suffix('}')),
            LINES => rest.strip_prefix("{\"error\":").and_then(|text| text.strip_suffix("}\n")),
            _ => {
                rest.strip_prefix("event: error\ndata: ").and_then(|text| text.strip_suffix("\n\n"))
            }
        };
        let text = text.unwrap_or_else(|| panic!("{accept}: {rest:?}"));
        let problem: Value = serde_json::from_str(text).unwrap();
        assert_eq!(clean, accept != ARRAY, "an array can't say that it is not whole: {rest:?}");
        assert_eq!(problem["requestId"], *id);
        let line = bed.access_line(&id).await;
        assert_eq!(line["code"], problem["code"], "{line}");
        assert_eq!((&line["status"], &line["messages"]), (&json!(200), &json!(1)), "{line}");
        assert!(line["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{line}");
        problems.push(json!({"told": problem, "noted": line}));
    }
    problems
}

#[tokio::test]
async fn a_service_killed_in_the_middle_is_told_in_every_framing() {
    let killed = told_when(async |bed| {
        bed.part(Role::Product).kill_9();
        bed.part(Role::Product2).kill_9();
    });
    for problem in killed.await {
        assert_eq!(problem["told"]["code"], "UNAVAILABLE", "{problem}");
        assert_eq!(problem["told"]["status"], 503, "{problem}");
        assert_eq!(problem["noted"]["origin"], "upstream", "{problem}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_ends_its_streams_at_once() {
    let drained = told_when(async |bed| {
        let status = bed.part(Role::Gateway).stop(Duration::from_secs(5)).await;
        assert_eq!(status.and_then(|status| status.code()), Some(0), "no stream holds it up");
    });
    for problem in drained.await {
        assert_eq!(problem["told"]["code"], "UNAVAILABLE", "{problem}");
        assert_eq!(problem["noted"]["origin"], "gateway", "{problem}");
    }
}
