use proto::order::v1::OrderStatus;
use tonic::Code;

use crate::bed::{Bed, Fault, Gate, Rpc, create, reason};

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_gives_the_stock_back_and_closes_the_payment() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    let cancelled = service.cancel("123", &order.id).await.unwrap();
    assert_eq!(
        (cancelled.status(), cancelled.cancel_reason.as_str()),
        (OrderStatus::Cancelled, "BY_CUSTOMER")
    );
    assert_eq!(bed.stock(), (120, 0, 0));
    assert_eq!(service.cancel("123", &order.id).await.unwrap(), cancelled);
    assert_eq!(reason(bed.pay("123", "k-1", &order.id).await), "INTENT_CLOSED");
    bed.adds_up().await;
    assert_eq!(service.read("123", &order.id).await.unwrap(), cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_can_not_be_cancelled() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.pay("123", "k-1", &order.id).await.unwrap();
    // Whether or not the payment was heard of.
    for _ in 0..2 {
        assert_eq!(reason(service.cancel("123", &order.id).await), "ALREADY_PAID");
    }
    let confirmed = service.reaches(&order.id, OrderStatus::Confirmed).await;
    assert_eq!(confirmed.cancel_reason, "");
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_cancelled_by_its_owner_or_an_admin() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    let absent = service.cancel("124", "o-0").await.unwrap_err();
    for user in ["124", ""] {
        let refused = service.cancel(user, &order.id).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(refused.message().replace(&order.id, "o-0"), absent.message());
    }
    assert_eq!(service.read("123", &order.id).await.unwrap(), order);
    assert_eq!(service.cancel("1", &order.id).await.unwrap().cancel_reason, "BY_ADMIN");
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_paying_at_once_end_in_one_of_both() {
    let (bed, service) = Bed::start().await;
    for round in 0..15 {
        let order = service.ordered(&format!("k-{round}")).await;
        let (paid, cancelled) =
            tokio::join!(bed.pay("123", &order.id, &order.id), service.cancel("123", &order.id));
        match (paid, cancelled) {
            (Ok(_), Err(refused)) => {
                assert_eq!(reason::<()>(Err(refused)), "ALREADY_PAID");
                service.reaches(&order.id, OrderStatus::Confirmed).await;
            }
            (Err(refused), Ok(cancelled)) => {
                assert_eq!(reason::<()>(Err(refused)), "INTENT_CLOSED");
                assert_eq!(cancelled.status(), OrderStatus::Cancelled);
            }
            both => panic!("{both:?}"),
        }
    }
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_can_be_cancelled_while_it_is_being_created() {
    for (rpc, held) in [
        (Rpc::Reserve, Fault::HeldBefore as fn(Gate) -> Fault),
        (Rpc::Reserve, Fault::HeldAfter),
        (Rpc::Open, Fault::HeldBefore),
        (Rpc::Open, Fault::HeldAfter),
    ] {
        let (bed, service) = Bed::start().await;
        let gate = Gate::new();
        bed.middle.plan(rpc, [held(gate.clone())]);
        let creating = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
        gate.reached().await;
        let order = service.orders_of("123").await.remove(0);
        let cancelled = service.cancel("123", &order.id).await.unwrap();
        assert_eq!(cancelled.status(), OrderStatus::Cancelled, "{rpc:?}");
        gate.open();
        let created = creating.await.unwrap().unwrap().into_inner();
        assert_eq!(created, cancelled, "{rpc:?}");
        bed.adds_up().await;
        assert_eq!(bed.stock(), (120, 0, 0), "{rpc:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_payment_can_not_judge_now_is_judged_later() {
    let (bed, service) = Bed::start().await;
    let (unpaid, paid) = (service.ordered("k-1").await, service.ordered("k-2").await);
    bed.middle.plan(Rpc::Void, [Fault::Unreachable, Fault::Unreachable]);
    for order in [&unpaid, &paid] {
        assert_eq!(reason(service.cancel("123", &order.id).await), "CANCELLATION_PENDING");
        // Not cancelled before it is certain.
        assert_eq!(service.read("123", &order.id).await.unwrap(), *order);
    }
    bed.pay("123", "k-2", &paid.id).await.unwrap();
    service.reaches(&paid.id, OrderStatus::Confirmed).await;
    bed.pass(5);
    let cancelled = service.reaches(&unpaid.id, OrderStatus::Cancelled).await;
    assert_eq!(cancelled.cancel_reason, "BY_CUSTOMER");
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_can_not_be_given_back_now_is_given_back_later() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.middle.down(&[Rpc::Release]);
    let cancelled = service.cancel("123", &order.id).await.unwrap();
    assert_eq!(cancelled.status(), OrderStatus::Cancelled);
    assert_eq!(bed.stock(), (119, 1, 0));
    bed.middle.down(&[]);
    bed.pass(5);
    bed.adds_up().await;
    assert_eq!(bed.stock(), (120, 0, 0));
    assert_eq!(service.cancel("123", &order.id).await.unwrap(), cancelled);
}
