use std::time::Duration;

use proto::order::v1::OrderStatus;
use tokio::time::Instant;

use crate::bed::{Bed, Rpc, reason, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_confirms_the_order_at_once_and_sells_its_stock() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    let payment = bed.pay("123", "k-1", &order.id).await.unwrap();
    let paid = Instant::now();
    let confirmed = service.reaches(&order.id, OrderStatus::Confirmed).await;
    assert!(paid.elapsed() < Duration::from_secs(1), "{:?}", paid.elapsed());
    assert_eq!(confirmed.payment_id, payment.id);
    bed.adds_up().await;
    assert_eq!(bed.stock(), (119, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_paid_reads_the_order_confirmed_also_when_nobody_tells_the_service() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.middle.down(&[Rpc::Follow]);
    bed.middle.cut();
    let payment = bed.pay("123", "k-1", &order.id).await.unwrap();
    let read = service.read("123", &order.id).await.unwrap();
    assert_eq!((read.status(), read.payment_id), (OrderStatus::Confirmed, payment.id));
    until("the stock is sold", || bed.stock() == (119, 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_does_not_need_the_payment_service() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.middle.down(&[Rpc::Look]);
    assert_eq!(service.read("123", &order.id).await.unwrap(), order);
    assert_eq!(bed.middle.calls(Rpc::Look), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_an_order_opens_no_intent() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.databases().execute("DELETE FROM payment.intents", []).unwrap();
    assert_eq!(service.read("123", &order.id).await.unwrap(), order);
    assert_eq!((bed.middle.calls(Rpc::Look), bed.middle.calls(Rpc::Open)), (1, 1));
    assert_eq!(bed.count("SELECT count(*) FROM payment.intents"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_paid_in_time_is_cancelled() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.pass(15 * 60);
    let cancelled = service.reaches(&order.id, OrderStatus::Cancelled).await;
    assert_eq!(cancelled.cancel_reason, "PAYMENT_EXPIRED");
    assert_eq!(reason(bed.pay("123", "k-1", &order.id).await), "INTENT_CLOSED");
    bed.adds_up().await;
    assert_eq!(bed.stock(), (120, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_nobody_listened_is_heard_later() {
    let (bed, service) = Bed::start().await;
    let (paid, expired) = (service.ordered("k-1").await, service.ordered("k-2").await);
    service.kill();
    bed.pay("123", "k-1", &paid.id).await.unwrap();
    bed.pass(15 * 60);
    let service = bed.serve().await;
    service.reaches(&paid.id, OrderStatus::Confirmed).await;
    service.reaches(&expired.id, OrderStatus::Cancelled).await;
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_stream_is_taken_up_where_it_broke() {
    let (bed, service) = Bed::start().await;
    let other = bed.serve().await;
    for round in 0..6 {
        let order = service.ordered(&format!("k-{round}")).await;
        bed.middle.cut();
        bed.pay("123", &order.id, &order.id).await.unwrap();
        other.reaches(&order.id, OrderStatus::Confirmed).await;
    }
    bed.adds_up().await;
    assert_eq!(bed.count("SELECT count(*) FROM events WHERE topic = 'order'"), 6 * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_repeated_until_it_is_done() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.middle.down(&[Rpc::Sell]);
    bed.pay("123", "k-1", &order.id).await.unwrap();
    service.reaches(&order.id, OrderStatus::Confirmed).await;
    until("a try to sell", || bed.middle.calls(Rpc::Sell) > 0).await;
    assert_eq!(bed.stock(), (119, 1, 0));
    bed.middle.down(&[]);
    bed.pass(5);
    bed.adds_up().await;
    assert_eq!(bed.stock(), (119, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_service_that_lost_its_events_is_heard_from_the_beginning() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    service.kill();
    bed.databases()
        .execute("INSERT OR REPLACE INTO followed VALUES ('payment', 1000)", [])
        .unwrap();
    bed.pay("123", "k-1", &order.id).await.unwrap();
    let _service = bed.serve().await;
    let confirmed = "SELECT count(*) FROM orders WHERE status = 'CONFIRMED'";
    until("the confirmation", || bed.count(confirmed) == 1).await;
    bed.adds_up().await;
}
