//! Reservations: all or none, once per order, and never more than there is.

use proto::product::v1::{ReleaseStockRequest, SellStockRequest};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{Bench, check, fields, reserve};

async fn release(bench: &Bench, order_id: &str) -> Result<(), Status> {
    let request = ReleaseStockRequest { order_id: order_id.to_owned() };
    bench.stock().release_stock(request).await.map(drop)
}

async fn sell(bench: &Bench, order_id: &str) -> Result<(), Status> {
    let request = SellStockRequest { order_id: order_id.to_owned() };
    bench.stock().sell_stock(request).await.map(drop)
}

#[tokio::test]
async fn a_reservation_quotes_and_takes_its_pieces() {
    let bench = Bench::start().await;
    let (first, second) = (bench.pieces("p-1").0, bench.pieces("p-2").0);
    let reservation = bench.reserve("o-1", &[("p-2", 3), ("p-1", 1)]).await.unwrap();
    let keyboard = bench.product("p-1").await.unwrap();
    let line = &reservation.items[1];
    assert_eq!((line.product_id.as_str(), line.quantity), ("p-1", 1));
    assert_eq!((&line.name, &line.unit_price), (&keyboard.name, &keyboard.price));
    assert_eq!(bench.pieces("p-1"), (first - 1, 1, 0));
    assert_eq!(bench.pieces("p-2"), (second - 3, 3, 0));
    assert_eq!(keyboard.stock, first - 1);
}

#[tokio::test]
async fn the_same_order_reserves_once() {
    let bench = Bench::start().await;
    let items = [("p-1", 1), ("p-2", 2)];
    let first = bench.reserve("o-1", &items).await.unwrap();
    let (available, ..) = bench.pieces("p-1");
    assert_eq!(bench.reserve("o-1", &items).await.unwrap(), first);
    for other in [&[("p-1", 1)][..], &[("p-1", 2), ("p-2", 2)], &[("p-2", 2), ("p-1", 1)]] {
        let refused = bench.reserve("o-1", other).await.unwrap_err();
        check(&refused, Code::FailedPrecondition, "RESERVATION_DIFFERS");
    }
    sell(&bench, "o-1").await.unwrap();
    assert_eq!(bench.reserve("o-1", &items).await.unwrap(), first);
    assert_eq!(bench.pieces("p-1"), (available, 0, 1));
}

#[tokio::test]
async fn when_one_item_is_short_none_is_taken() {
    let bench = Bench::start().await;
    let before = (bench.pieces("p-1"), bench.pieces("p-20"));
    let refused =
        bench.reserve("o-1", &[("p-1", 1), ("p-20", 1000), ("p-4", 26)]).await.unwrap_err();
    check(&refused, Code::FailedPrecondition, "OUT_OF_STOCK");
    assert_eq!(
        refused.get_error_details().error_info().unwrap().metadata["productIds"],
        "p-20,p-4"
    );
    assert_eq!((bench.pieces("p-1"), bench.pieces("p-20")), before);
    // It was refused, not remembered: the order may ask for less.
    bench.reserve("o-1", &[("p-1", 1)]).await.unwrap();
}

#[tokio::test]
async fn refuses_what_is_no_reservation() {
    let bench = Bench::start().await;
    let refused = bench.reserve("o-1", &[("p-1", 1), ("p-99", 1), ("", 1)]).await.unwrap_err();
    assert_eq!(fields(&refused), ["items[2].product_id"]);
    let refused = bench.reserve("o-1", &[("p-1", 1), ("p-99", 1), ("p-98", 1)]).await.unwrap_err();
    assert_eq!(fields(&refused), ["items[1].product_id", "items[2].product_id"]);
    let refused = bench.reserve("", &[("p-1", 0), ("p-2", -1), ("p-1", 1)]).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        ["order_id", "items[0].quantity", "items[1].quantity", "items[2].product_id"]
    );
    assert_eq!(fields(&bench.reserve("o-1", &[]).await.unwrap_err()), ["items"]);
    assert_eq!(fields(&release(&bench, "").await.unwrap_err()), ["order_id"]);
}

#[tokio::test]
async fn a_release_gives_back_once() {
    let bench = Bench::start().await;
    let before = bench.pieces("p-1");
    bench.reserve("o-1", &[("p-1", 5)]).await.unwrap();
    for _ in 0..3 {
        release(&bench, "o-1").await.unwrap();
    }
    assert_eq!(bench.pieces("p-1"), before);
    check(
        &sell(&bench, "o-1").await.unwrap_err(),
        Code::FailedPrecondition,
        "RESERVATION_RELEASED",
    );
}

#[tokio::test]
async fn a_reservation_that_comes_after_its_release_is_refused() {
    let bench = Bench::start().await;
    let before = bench.pieces("p-1");
    release(&bench, "o-1").await.unwrap();
    let refused = bench.reserve("o-1", &[("p-1", 5)]).await.unwrap_err();
    check(&refused, Code::FailedPrecondition, "RESERVATION_RELEASED");
    assert_eq!(bench.pieces("p-1"), before);
}

#[tokio::test]
async fn what_is_sold_is_sold_once_and_for_ever() {
    let bench = Bench::start().await;
    let (available, ..) = bench.pieces("p-1");
    assert_eq!(sell(&bench, "o-1").await.unwrap_err().code(), Code::NotFound);
    bench.reserve("o-1", &[("p-1", 5)]).await.unwrap();
    for _ in 0..3 {
        sell(&bench, "o-1").await.unwrap();
    }
    assert_eq!(bench.pieces("p-1"), (available - 5, 0, 5));
    check(&release(&bench, "o-1").await.unwrap_err(), Code::FailedPrecondition, "RESERVATION_SOLD");
    assert_eq!(bench.pieces("p-1"), (available - 5, 0, 5));
}

#[tokio::test]
async fn the_quote_holds_when_the_price_changes() {
    let bench = Bench::start().await;
    let quoted = bench.reserve("o-1", &[("p-1", 1)]).await.unwrap();
    let db = rusqlite::Connection::open(bench.folder.path().join("product.db")).unwrap();
    db.execute("UPDATE products SET price = 1 WHERE id = 'p-1'", []).unwrap();
    assert_eq!(bench.reserve("o-1", &[("p-1", 1)]).await.unwrap(), quoted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_orders_at_two_replicas_never_get_more_than_ten_pieces() {
    let bench = Bench::start().await;
    let (_replica, there) = bench.replica().await;
    let (available, ..) = bench.pieces("p-1");
    bench.adjust("p-1", 10 - available).await.unwrap();
    let orders: Vec<_> = (0..100)
        .map(|number| {
            let channel = if number % 2 == 0 { bench.channel.clone() } else { there.clone() };
            tokio::spawn(
                async move { reserve(&channel, &format!("o-{number}"), &[("p-1", 1)]).await },
            )
        })
        .collect();
    let mut served = 0;
    for order in orders {
        match order.await.unwrap() {
            Ok(_) => served += 1,
            Err(refused) => check(&refused, Code::FailedPrecondition, "OUT_OF_STOCK"),
        }
    }
    assert_eq!(served, 10);
    assert_eq!(bench.pieces("p-1"), (0, 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_release_and_a_sale_at_once_one_wins() {
    let bench = Bench::start().await;
    for number in 0..20 {
        let order = format!("o-{number}");
        bench.reserve(&order, &[("p-2", 1)]).await.unwrap();
        let (sold, released) = tokio::join!(sell(&bench, &order), release(&bench, &order));
        assert_ne!(sold.is_ok(), released.is_ok(), "{order}");
    }
    assert_eq!(bench.pieces("p-2").1, 0);
}
