//! The order service is killed before and after each call has done its work, and before its outcome is written down.

use proto::order::v1::OrderStatus;

use crate::bed::{Bed, Fault, Gate, Rpc, Service, create, until};

type Held = (&'static str, fn(Gate) -> Fault);

const HELD: [Held; 2] = [("before", Fault::HeldBefore), ("after", Fault::HeldAfter)];

/// Kills the service when a call of this kind waits at the gate, and starts it again.
async fn crash(bed: &Bed, service: Service, gate: &Gate) -> Service {
    gate.reached().await;
    service.kill();
    gate.open();
    // The lease of the dead runs out.
    bed.pass(4);
    bed.serve().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_crash_at_any_step_of_its_creation() {
    for rpc in [Rpc::Reserve, Rpc::Open] {
        for (when, held) in HELD {
            for asks_again in [false, true] {
                let case = format!("{when} {rpc:?}, client asks again: {asks_again}");
                let (bed, service) = Bed::start().await;
                let gate = Gate::new();
                bed.middle.plan(rpc, [held(gate.clone())]);
                let lost =
                    tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
                let service = crash(&bed, service, &gate).await;
                lost.await.unwrap().unwrap_err();
                let order = service.orders_of("123").await.remove(0);
                if asks_again {
                    let told =
                        service.create("123", "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
                    assert_eq!(told.id, order.id, "{case}");
                }
                service.reaches(&order.id, OrderStatus::AwaitingPayment).await;
                bed.adds_up().await;
                assert_eq!(bed.stock(), (119, 1, 0), "{case}");
                assert_eq!(bed.count("SELECT count(*) FROM orders"), 1, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_crash_during_its_recovery() {
    let (bed, service) = Bed::start().await;
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    bed.middle.plan(
        Rpc::Reserve,
        [Fault::HeldAfter(gates[0].clone()), Fault::HeldAfter(gates[1].clone())],
    );
    bed.middle.plan(Rpc::Open, [Fault::HeldAfter(gates[2].clone())]);
    let lost = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    let mut service = crash(&bed, service, &gates[0]).await;
    for gate in &gates[1..] {
        service = crash(&bed, service, gate).await;
    }
    lost.await.unwrap().unwrap_err();
    let order = service.orders_of("123").await.remove(0);
    service.reaches(&order.id, OrderStatus::AwaitingPayment).await;
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_survives_a_crash_at_any_step() {
    for rpc in [Rpc::Void, Rpc::Release] {
        for (when, held) in HELD {
            let (bed, service) = Bed::start().await;
            let order = service.ordered("k-1").await;
            let gate = Gate::new();
            bed.middle.plan(rpc, [held(gate.clone())]);
            let lost = tokio::spawn({
                let (mut client, id) = (service.client(), order.id.clone());
                let request = proto::order::v1::CancelOrderRequest { id };
                async move { client.cancel_order(crate::bed::speaking("123", "", request)).await }
            });
            let service = crash(&bed, service, &gate).await;
            lost.await.unwrap().unwrap_err();
            let cancelled = service.reaches(&order.id, OrderStatus::Cancelled).await;
            assert_eq!(cancelled.cancel_reason, "BY_CUSTOMER", "{when} {rpc:?}");
            bed.adds_up().await;
            assert_eq!(bed.stock(), (120, 0, 0), "{when} {rpc:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_survives_a_crash_before_its_stock_is_sold() {
    for (when, held) in HELD {
        let (bed, service) = Bed::start().await;
        let order = service.ordered("k-1").await;
        let gate = Gate::new();
        bed.middle.plan(Rpc::Sell, [held(gate.clone())]);
        bed.pay("123", "k-1", &order.id).await.unwrap();
        let service = crash(&bed, service, &gate).await;
        service.reaches(&order.id, OrderStatus::Confirmed).await;
        bed.adds_up().await;
        assert_eq!(bed.stock(), (119, 0, 1), "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_dead_is_taken_until_its_lease_runs_out() {
    let (bed, service) = Bed::start().await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Open, [Fault::HeldBefore(gate.clone())]);
    let lost = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    gate.reached().await;
    service.kill();
    lost.await.unwrap().unwrap_err();
    let service = bed.serve().await;
    until("the recovery", || bed.count("SELECT count(*) FROM orders WHERE step = 'WAIT'") == 1)
        .await;
    let early = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
    assert_eq!(early.code(), tonic::Code::Aborted);
    bed.pass(4);
    service.create("123", "k-1", &[("p-1", 1)]).await.unwrap();
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_what_must_never_be() {
    let (bed, service) = Bed::start().await;
    let (confirmed, cancelled, waiting) = (
        service.ordered("k-1").await.id,
        service.ordered("k-2").await.id,
        service.ordered("k-3").await.id,
    );
    let payment = bed.pay("123", "k-1", &confirmed).await.unwrap().id;
    service.reaches(&confirmed, OrderStatus::Confirmed).await;
    service.cancel("123", &cancelled).await.unwrap();
    bed.adds_up().await;
    for sql in [
        // An end that is none.
        format!(
            "UPDATE orders SET status = 'CANCELLED', cancel_reason = 'x', payment_id = NULL WHERE id = '{confirmed}'"
        ),
        format!(
            "UPDATE orders SET status = 'CONFIRMED', step = 'SELL', payment_id = 'x', cancel_reason = NULL WHERE id = '{cancelled}'"
        ),
        format!(
            "UPDATE orders SET status = 'PENDING', step = 'RESERVE', cancel_reason = NULL WHERE id = '{cancelled}'"
        ),
        // A confirmed order without a payment, or with that of another order.
        format!("UPDATE orders SET payment_id = NULL WHERE id = '{confirmed}'"),
        format!("UPDATE orders SET status = 'CONFIRMED', step = 'SELL' WHERE id = '{waiting}'"),
        format!(
            "UPDATE orders SET status = 'CONFIRMED', step = 'SELL', payment_id = '{payment}' WHERE id = '{waiting}'"
        ),
        // A step that does not belong to the status.
        format!("UPDATE orders SET step = 'RELEASE' WHERE id = '{confirmed}'"),
        format!("UPDATE orders SET step = 'SELL' WHERE id = '{waiting}'"),
        // A payment for nothing, a line for nothing.
        format!("UPDATE orders SET total_cents = NULL WHERE id = '{waiting}'"),
        format!("UPDATE order_items SET quantity = 0 WHERE order_id = '{waiting}'"),
        format!(
            "INSERT INTO order_items (order_id, line, product_id, quantity) VALUES ('{waiting}', 1, 'p-1', 1)"
        ),
    ] {
        assert!(bed.databases().execute(&sql, []).is_err(), "{sql}");
    }
}
