use std::time::Duration;

use proto::order::v1::{CreateOrderRequest, OrderItem, OrderStatus};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::bed::{Bed, Fault, Gate, Rpc, create, reason, speaking, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reserves_its_stock_and_opens_its_payment() {
    let (bed, service) = Bed::start().await;
    let answer = service.create("123", "k-1", &[("p-2", 3), ("p-1", 2)]).await.unwrap();
    assert!(answer.metadata().get("idempotent-replayed").is_none());
    let order = answer.into_inner();
    assert_eq!((order.status(), order.user_id.as_str()), (OrderStatus::AwaitingPayment, "123"));
    let lines: Vec<_> = order
        .items
        .iter()
        .map(|item| {
            (item.product_id.as_str(), item.name.as_str(), item.unit_price.as_ref().unwrap().units)
        })
        .collect();
    assert_eq!(lines, [("p-2", "Wireless mouse", 29), ("p-1", "Mechanical keyboard", 89)]);
    let total = order.total.clone().unwrap();
    assert_eq!((total.units, total.nanos), (266, 500_000_000));
    assert_eq!((order.payment_id.as_str(), order.cancel_reason.as_str()), ("", ""));
    assert_eq!(bed.stock(), (118, 2, 0));
    assert_eq!(service.read("123", &order.id).await.unwrap(), order);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_answer_to_the_same_user_only() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    bed.pay("123", "k-1", &order.id).await.unwrap();
    service.reaches(&order.id, OrderStatus::Confirmed).await;
    let again = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), order);
    assert_eq!(reason(service.create("123", "k-1", &[("p-1", 2)]).await), "IDEMPOTENCY_KEY_REUSED");
    let bobs = service.create("124", "k-1", &[("p-1", 1)]).await.unwrap();
    assert!(bobs.metadata().get("idempotent-replayed").is_none());
    let bobs = bobs.into_inner();
    assert_eq!(bobs.user_id, "124");
    assert_ne!(bobs.id, order.id);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_supplied_is_cancelled_and_the_key_says_so_again() {
    let (bed, service) = Bed::start().await;
    for (key, items, why) in [
        ("k-1", &[("p-2", 1), ("p-1", 121)][..], "OUT_OF_STOCK"),
        ("k-2", &[("p-2", 1), ("p-0", 1)][..], "UNKNOWN_PRODUCT"),
    ] {
        let refused = service.create("123", key, items).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let info = refused.get_error_details().error_info().unwrap().clone();
        assert_eq!(info.reason, why);
        let short = (why == "OUT_OF_STOCK").then_some("p-1");
        assert_eq!(info.metadata.get("product_ids").map(String::as_str), short);
        let order = service.read("123", &info.metadata["order_id"]).await.unwrap();
        assert_eq!((order.status(), order.cancel_reason.as_str()), (OrderStatus::Cancelled, why));
        let again = service.create("123", key, items).await.unwrap_err();
        assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
        assert_eq!((again.message(), again.details()), (refused.message(), refused.details()));
    }
    assert_eq!(bed.stock(), (120, 0, 0));
    assert_eq!(bed.middle.calls(Rpc::Open), 0);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_not_an_order_and_writes_nothing() {
    let (bed, service) = Bed::start().await;
    for (user, key, items, code) in [
        ("", "k-1", &[("p-1", 1)][..], Code::Unauthenticated),
        ("123", "", &[("p-1", 1)][..], Code::InvalidArgument),
        ("123", "k-1", &[][..], Code::InvalidArgument),
        ("123", "k-1", &[("p-1", 0)][..], Code::InvalidArgument),
        ("123", "k-1", &[("p-1", 1), ("p-1", 1)][..], Code::InvalidArgument),
    ] {
        assert_eq!(
            service.create(user, key, items).await.unwrap_err().code(),
            code,
            "{user} {key} {items:?}"
        );
    }
    let price =
        Some(proto::google::r#type::Money { currency_code: "USD".to_owned(), units: 1, nanos: 0 });
    let item = OrderItem {
        product_id: "p-1".to_owned(),
        quantity: 1,
        unit_price: price,
        ..OrderItem::default()
    };
    let request = speaking("123", "k-1", CreateOrderRequest { items: vec![item] });
    let refused = service.client().create_order(request).await.unwrap_err();
    assert_eq!(
        refused.get_error_details().bad_request().unwrap().field_violations[0].field,
        "items[0].unit_price"
    );
    assert_eq!(
        bed.count("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM idempotency)"),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_sign_in_can_order() {
    let (bed, service) = Bed::start().await;
    let user = "u".repeat(255);
    let order = service.create(&user, "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    bed.pay(&user, "k-1", &order.id).await.unwrap();
    assert_eq!(service.orders_of(&user).await.len(), 1);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_resumes_an_order_that_could_not_be_finished() {
    let (bed, service) = Bed::start().await;
    let faults = [Fault::Unreachable, Fault::AnswerLost];
    for (number, (rpc, fault)) in [Rpc::Reserve, Rpc::Open]
        .into_iter()
        .flat_map(|rpc| faults.clone().map(|fault| (rpc, fault)))
        .enumerate()
    {
        bed.middle.plan(rpc, [fault.clone()]);
        let key = format!("k-{number}");
        let refused = service.create("123", &key, &[("p-1", 1)]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{rpc:?} {fault:?}");
        let info = refused.get_error_details().error_info().unwrap().clone();
        assert_eq!(info.reason, "ORDER_PENDING");
        let pending = service.read("123", &info.metadata["order_id"]).await.unwrap();
        assert_eq!((pending.status(), pending.total), (OrderStatus::Pending, None));
        let order = service.create("123", &key, &[("p-1", 1)]).await.unwrap().into_inner();
        assert_eq!(
            (order.id.clone(), order.status()),
            (pending.id, OrderStatus::AwaitingPayment),
            "{rpc:?} {fault:?}"
        );
    }
    assert_eq!(bed.stock(), (116, 4, 0));
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_costs_no_more_than_the_callers_time() {
    let (bed, service) = Bed::start().await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Reserve, [Fault::HeldBefore(gate.clone())]);
    let item = OrderItem { product_id: "p-1".to_owned(), quantity: 1, ..OrderItem::default() };
    let mut request = speaking("123", "k-1", CreateOrderRequest { items: vec![item] });
    request.set_timeout(Duration::from_millis(300));
    let late = tokio::time::timeout(Duration::from_secs(2), service.client().create_order(request))
        .await
        .unwrap();
    let late = late.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let info = late.get_error_details().error_info().unwrap().clone();
    assert_eq!(info.reason, "ORDER_PENDING");
    assert_eq!(info.metadata["order_id"], service.orders_of("123").await[0].id);
    // The key is free again: nobody is at work on it.
    let order = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match service.create("123", "k-1", &[("p-1", 1)]).await {
                Err(status) if status.code() == Code::Aborted => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                answer => return answer.unwrap().into_inner(),
            }
        }
    });
    assert_eq!(order.await.unwrap().status(), OrderStatus::AwaitingPayment);
    // And what arrives late changes nothing.
    gate.open();
    bed.adds_up().await;
    assert_eq!(bed.stock(), (119, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_request_is_at_work_its_key_is_taken() {
    let (bed, service) = Bed::start().await;
    let other = bed.serve().await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Open, [Fault::HeldBefore(gate.clone())]);
    let first = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    gate.reached().await;
    for replica in [&service, &other] {
        let second = replica.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err();
        assert_eq!(second.code(), Code::Aborted);
    }
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().into_inner().status(), OrderStatus::AwaitingPayment);
    assert_eq!(bed.count("SELECT count(*) FROM orders"), 1);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_many_times_at_once_is_one_order() {
    let (bed, service) = Bed::start().await;
    let other = bed.serve().await;
    let tries: Vec<_> = (0..20)
        .map(|turn| {
            let channel = [&service, &other][turn % 2].channel.clone();
            tokio::spawn(create(channel, "123", "k-1", &[("p-1", 1)]))
        })
        .collect();
    let mut ids = Vec::new();
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(order) => ids.push(order.into_inner().id),
            Err(status) => assert_eq!(status.code(), Code::Aborted),
        }
    }
    assert!(!ids.is_empty());
    ids.dedup();
    assert_eq!((ids.len(), bed.count("SELECT count(*) FROM orders")), (1, 1));
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_client_hung_up_is_not_lost() {
    let (bed, service) = Bed::start().await;
    let gate = Gate::new();
    bed.middle.plan(Rpc::Reserve, [Fault::HeldAfter(gate.clone())]);
    let hasty = tokio::spawn(create(service.channel.clone(), "123", "k-1", &[("p-1", 1)]));
    gate.reached().await;
    hasty.abort();
    until("the key to be free", || {
        bed.count("SELECT count(*) FROM idempotency WHERE lease_until = 0") == 1
    })
    .await;
    bed.pass(7);
    let order = service.orders_of("123").await.remove(0);
    service.reaches(&order.id, OrderStatus::AwaitingPayment).await;
    // The sweep was faster; the key answers the finished order.
    let told = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap().into_inner();
    assert_eq!((told.id.clone(), told.status()), (order.id.clone(), OrderStatus::AwaitingPayment));
    // And from then on the same, whatever becomes of the order.
    service.cancel("123", &order.id).await.unwrap();
    let again = service.create("123", "k-1", &[("p-1", 1)]).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), told);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_order_does_not_matter() {
    let bed = Bed::new().await;
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = place.local_addr().unwrap().to_string();
    drop(place);
    let service = bed.serve_with(&nowhere, &nowhere).await;
    assert_eq!(
        service.create("123", "k-1", &[("p-1", 1)]).await.unwrap_err().code(),
        Code::Unavailable
    );
    // Its peers come up later, on the place it knows.
    let listener = tokio::net::TcpListener::bind(&nowhere).await.unwrap();
    let middle = bed.middle.address;
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(middle).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let order = service.ordered("k-1").await;
    bed.pay("123", "k-1", &order.id).await.unwrap();
    service.reaches(&order.id, OrderStatus::Confirmed).await;
    bed.adds_up().await;
}
