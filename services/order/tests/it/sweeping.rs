use proto::order::v1::OrderStatus;

use crate::bed::{Bed, Fault, Gate, Rpc, create, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_goes_on_when_what_it_needs_is_back() {
    for rpc in [Rpc::Reserve, Rpc::Open] {
        let (bed, service) = Bed::start().await;
        bed.middle.plan(rpc, [Fault::AnswerLost, Fault::Unreachable]);
        service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
        let order = service.orders_of("123").await.remove(0);
        bed.pass(7);
        until("the sweep's first try", || bed.middle.calls(rpc) == 2).await;
        bed.pass(1);
        service.reaches(&order.id, OrderStatus::AwaitingPayment).await;
        let told = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
        assert_eq!(told, service.read("123", &order.id).await.unwrap());
        bed.adds_up().await;
        assert_eq!(bed.stock(), (119, 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_ends_within_thirty_seconds_although_the_stock_is_out_of_reach() {
    let (bed, service) = Bed::start().await;
    bed.middle.down(&[Rpc::Reserve, Rpc::Release]);
    service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
    let order = service.orders_of("123").await.remove(0);
    bed.pass(25);
    let cancelled = service.reaches(&order.id, OrderStatus::Cancelled).await;
    assert_eq!((cancelled.cancel_reason.as_str(), cancelled.total), ("TIMED_OUT", None));
    let told = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
    assert_eq!((told.id.clone(), told.status()), (order.id, OrderStatus::Cancelled));
    bed.middle.down(&[]);
    bed.pass(5);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_may_be_open_is_voided_before_the_order_is_given_up() {
    let (bed, service) = Bed::start().await;
    bed.middle.plan(Rpc::Open, [Fault::AnswerLost]);
    bed.middle.down(&[Rpc::Void]);
    service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
    let order = service.orders_of("123").await.remove(0);
    bed.pass(25);
    until("a try to void", || bed.middle.calls(Rpc::Void) > 0).await;
    // It may be paid, so it is neither cancelled nor is its stock given back.
    assert_eq!(service.read("123", &order.id).await.unwrap().status(), OrderStatus::Pending);
    assert_eq!((bed.stock(), bed.middle.calls(Rpc::Release)), ((119, 1, 0), 0));
    bed.middle.down(&[]);
    bed.pass(5);
    service.reaches(&order.id, OrderStatus::Cancelled).await;
    bed.adds_up().await;
    assert_eq!(bed.stock(), (120, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_paid_before_it_was_given_up_is_confirmed() {
    let (bed, service) = Bed::start().await;
    bed.middle.plan(Rpc::Open, [Fault::AnswerLost]);
    service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
    let order = service.orders_of("123").await.remove(0);
    let payment = bed.pay("123", "k-1", &order.id).await.unwrap();
    let confirmed = service.reaches(&order.id, OrderStatus::Confirmed).await;
    assert_eq!(confirmed.payment_id, payment.id);
    let told = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
    assert_eq!(told, confirmed);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_arrives_after_its_order_was_given_up_takes_nothing() {
    let (bed, service) = Bed::start().await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Reserve, [Fault::HeldBefore(gate.clone())]);
    let creating = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    gate.reached().await;
    bed.pass(25);
    let order = service.orders_of("123").await.remove(0);
    service.reaches(&order.id, OrderStatus::Cancelled).await;
    bed.adds_up().await;
    gate.open();
    let told = creating.await.unwrap().unwrap().into_inner();
    assert_eq!((told.id, told.cancel_reason.as_str()), (order.id, "TIMED_OUT"));
    bed.adds_up().await;
    assert_eq!(bed.stock(), (120, 0, 0));
}

/// Writes orders down that their requests have left, `age` seconds old.
fn left(bed: &Bed, count: usize, age: i64, (status, step): (&str, &str)) {
    let (now, database) = (bed.clock.now().as_microsecond(), bed.databases());
    let created = now - age * 1_000_000;
    let reason = (status == "CANCELLED").then_some("BY_CUSTOMER");
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 0..count {
        let id = format!("{step}-{number}");
        let total = (step != "RESERVE").then_some(8950);
        database
            .execute(
                "INSERT INTO orders (id, user_id, status, step, total_cents, cancel_reason, create_time, update_time,
                    next_try_time) VALUES (?1, '123', ?2, ?3, ?4, ?5, ?6, ?6, ?6)",
                (&id, status, step, total, reason, created),
            )
            .unwrap();
        let line = "INSERT INTO order_items VALUES (?1, 0, 'p-1', 1, NULL, NULL)";
        database.execute(line, [&id]).unwrap();
    }
    database.execute_batch("COMMIT").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_orders_a_stopped_service_holds_up_all_end_in_time() {
    let (bed, _service) = Bed::start().await;
    bed.middle.stop(&[Rpc::Reserve, Rpc::Release, Rpc::Sell]);
    left(&bed, 400, 25, ("PENDING", "RESERVE"));
    until("the end of all", || {
        bed.count("SELECT count(*) FROM orders WHERE status = 'CANCELLED' AND cancel_reason = 'TIMED_OUT'") == 400
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_one_service_holds_up_no_other() {
    let (bed, _service) = Bed::start().await;
    bed.middle.stop(&[Rpc::Reserve, Rpc::Release]);
    left(&bed, 150, 1, ("PENDING", "RESERVE"));
    left(&bed, 150, 1, ("CANCELLED", "RELEASE"));
    left(&bed, 1, 0, ("PENDING", "OPEN"));
    let opened = "SELECT count(*) FROM orders WHERE id = 'OPEN-0' AND step = 'WAIT'";
    until("the opening", || bed.count(opened) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pending_does_not_hold_up_what_is_to_be_settled() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.middle.stop(&[Rpc::Reserve, Rpc::Open, Rpc::Void]);
    left(&bed, 150, 0, ("PENDING", "RESERVE"));
    left(&bed, 150, 0, ("PENDING", "OPEN"));
    bed.pay("123", "k-1", &order.id).await.unwrap();
    until("the sale", || bed.stock() == (119, 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_which_nothing_is_heard_is_looked_at_after_its_time() {
    let (bed, service) = Bed::start().await;
    let (paid, expired) = (service.ordered("k-1").await, service.ordered("k-2").await);
    bed.middle.down(&[Rpc::Follow]);
    bed.middle.cut();
    bed.pay("123", "k-1", &paid.id).await.unwrap();
    bed.pass(15 * 60 + 59);
    let ended = "SELECT count(*) FROM payment.intents WHERE status <> 'OPEN'";
    until("the expiry", || bed.count(ended) == 2).await;
    assert_eq!(bed.middle.calls(Rpc::Look), 0);
    bed.pass(1);
    let confirmed =
        format!("SELECT count(*) FROM orders WHERE id = '{}' AND status = 'CONFIRMED'", paid.id);
    until("the confirmation", || bed.count(&confirmed) == 1).await;
    service.reaches(&expired.id, OrderStatus::Cancelled).await;
    until("the stock is settled", || bed.stock() == (119, 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_freezes_no_order() {
    let (bed, service) = Bed::start().await;
    let cancelled = service.ordered("k-1").await;
    bed.middle.down(&[Rpc::Reserve, Rpc::Release]);
    service.cancel("123", &cancelled.id).await.unwrap();
    service.create("123", "k-2", &[("p-1", 1)]).await.unwrap_err();
    until("a try of the sweep", || bed.middle.calls(Rpc::Release) > 1).await;
    bed.pass(-3600);
    let pending = service.orders_of("123").await.remove(0);
    assert_eq!(
        service.reaches(&pending.id, OrderStatus::Cancelled).await.cancel_reason,
        "TIMED_OUT"
    );
    bed.middle.down(&[]);
    bed.pass(5);
    bed.adds_up().await;
    assert_eq!(bed.stock(), (120, 0, 0));
}
