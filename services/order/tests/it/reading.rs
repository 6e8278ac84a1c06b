use std::time::Duration;

use proto::order::v1::{ListOrdersRequest, OrderStatus, WatchOrderRequest, WatchOrderResponse};
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};

use crate::bed::{Bed, Service, speaking, until};

#[tokio::test(flavor = "multi_thread")]
async fn another_users_order_and_no_order_look_the_same() {
    let (_bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    assert_eq!(service.read("1", &order.id).await.unwrap(), order);
    for user in ["124", ""] {
        let (theirs, absent) = (
            service.read(user, &order.id).await.unwrap_err(),
            service.read(user, "o-0").await.unwrap_err(),
        );
        assert_eq!(theirs.code(), Code::NotFound);
        assert_eq!(theirs.message().replace(&order.id, "o-0"), absent.message());
        assert_eq!(
            watch(&service, user, &order.id, None).await.unwrap_err().code(),
            Code::NotFound
        );
    }
    assert_eq!(service.read("123", "").await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_a_users_orders_newest_first_page_by_page() {
    let (_bed, service) = Bed::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(service.ordered(&format!("k-{number}")).await.id);
        service.create("124", &format!("k-{number}"), &[("p-2", 1)]).await.unwrap();
    }
    ids.reverse();
    let (mut listed, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = list(&service, "123", 2, &page_token).await.unwrap();
        assert!(page.orders.iter().all(|order| order.user_id == "123" && order.items[0].name == "Mechanical keyboard"));
        listed.extend(page.orders.into_iter().map(|order| order.id));
        page_token = page.next_page_token;
        pages += 1;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((listed, pages), (ids, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_users_list_is_not_found() {
    let (_bed, service) = Bed::start().await;
    let mine = list(&service, "123", 0, "").await.unwrap();
    assert_eq!((mine.orders.len(), mine.next_page_token.as_str()), (0, ""));
    for (user, whose, code) in [
        ("124", "123", Code::NotFound),
        ("", "123", Code::NotFound),
        ("124", "0", Code::NotFound),
        ("123", "", Code::InvalidArgument),
    ] {
        let request =
            ListOrdersRequest { user_id: whose.to_owned(), ..ListOrdersRequest::default() };
        let refused = service.client().list_orders(speaking(user, "", request)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{user} {whose}");
    }
    assert_eq!(list(&service, "123", -1, "").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(
        list(&service, "123", 0, "made-up").await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_the_order_as_it_is_and_every_change_until_its_end() {
    let (bed, service) = Bed::start().await;
    let other = bed.serve().await;
    let order = service.ordered("k-1").await;
    let watched = [
        watch(&service, "123", &order.id, None).await.unwrap(),
        watch(&other, "1", &order.id, None).await.unwrap(),
    ];
    bed.pay("123", "k-1", &order.id).await.unwrap();
    for changes in watched {
        let told = all(changes).await;
        assert_eq!(statuses(&told), [OrderStatus::AwaitingPayment, OrderStatus::Confirmed]);
        assert_eq!(told[0].order.as_ref().unwrap(), &order);
        assert!(told[0].sequence < told[1].sequence);
    }
    let told = all(watch(&service, "123", &order.id, None).await.unwrap()).await;
    assert_eq!(statuses(&told), [OrderStatus::Confirmed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_comes_back_misses_nothing() {
    let (bed, service) = Bed::start().await;
    let order = service.ordered("k-1").await;
    service.ordered("k-2").await;
    service.cancel("123", &order.id).await.unwrap();
    let told = all(watch(&service, "123", &order.id, Some(0)).await.unwrap()).await;
    assert_eq!(
        statuses(&told),
        [OrderStatus::Pending, OrderStatus::AwaitingPayment, OrderStatus::Cancelled]
    );
    for (seen, expected) in [(told[0].sequence, 2), (told[1].sequence, 1), (told[2].sequence, 0)] {
        let rest = all(watch(&service, "123", &order.id, Some(seen)).await.unwrap()).await;
        assert_eq!(rest, told[3 - expected..], "after {seen}");
    }
    let refused = watch(&service, "123", &order.id, Some(-1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut future = watch(&service, "123", &order.id, Some(i64::MAX)).await.unwrap();
    assert_eq!(future.next().await.unwrap().unwrap_err().code(), Code::OutOfRange);
    bed.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_again_for_a_day_and_then_only_the_order_as_it_is() {
    let (bed, service) = Bed::start().await;
    let old = service.ordered("k-1").await;
    service.cancel("123", &old.id).await.unwrap();
    bed.adds_up().await;
    service.kill();
    bed.pass(24 * 3600);
    let service = bed.serve().await;
    let of_old = format!("SELECT count(*) FROM events WHERE subject = '{}'", old.id);
    service.ordered("k-2").await;
    service.kill();
    let service = bed.serve().await;
    until("the purge", || bed.count(&of_old) == 0).await;
    for after in [None, Some(0), Some(2)] {
        let told = all(watch(&service, "123", &old.id, after).await.unwrap()).await;
        assert_eq!(statuses(&told), [OrderStatus::Cancelled], "{after:?}");
    }
    // Who begins to watch an order that changes later hears of it.
    let new = service.ordered("k-3").await;
    let changes = watch(&service, "123", &new.id, None).await.unwrap();
    service.cancel("123", &new.id).await.unwrap();
    assert_eq!(
        statuses(&all(changes).await),
        [OrderStatus::AwaitingPayment, OrderStatus::Cancelled]
    );
}

async fn list(
    service: &Service,
    user: &str,
    page_size: i32,
    page_token: &str,
) -> Result<proto::order::v1::ListOrdersResponse, Status> {
    let request = ListOrdersRequest {
        user_id: user.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    service.client().list_orders(speaking(user, "", request)).await.map(tonic::Response::into_inner)
}

async fn watch(
    service: &Service,
    user: &str,
    id: &str,
    after_sequence: Option<i64>,
) -> Result<tonic::Streaming<WatchOrderResponse>, Status> {
    let request = speaking(user, "", WatchOrderRequest { id: id.to_owned(), after_sequence });
    service.client().watch_order(request).await.map(tonic::Response::into_inner)
}

/// Everything until the stream ends by itself.
async fn all(changes: tonic::Streaming<WatchOrderResponse>) -> Vec<WatchOrderResponse> {
    let read = changes.map(Result::unwrap).collect();
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap_or_else(|_| panic!("the stream did not end"))
}

fn statuses(told: &[WatchOrderResponse]) -> Vec<OrderStatus> {
    told.iter().map(|change| change.order.as_ref().unwrap().status()).collect()
}
