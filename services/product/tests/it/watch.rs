//! Watching products change.

use std::time::Duration;

use proto::product::v1::{WatchProductsRequest, WatchProductsResponse};
use tonic::{Code, Status, Streaming};

use crate::{Bench, check, fields, reserve};

async fn watch(bench: &Bench, after_sequence: Option<i64>) -> Streaming<WatchProductsResponse> {
    bench
        .products()
        .watch_products(WatchProductsRequest { after_sequence })
        .await
        .unwrap()
        .into_inner()
}

async fn next(
    stream: &mut Streaming<WatchProductsResponse>,
) -> Result<WatchProductsResponse, Status> {
    tokio::time::timeout(Duration::from_secs(10), stream.message())
        .await
        .unwrap()
        .map(Option::unwrap)
}

#[tokio::test]
async fn a_watcher_sees_what_any_replica_changes_from_now_on() {
    let bench = Bench::start().await;
    let (_replica, there) = bench.replica().await;
    bench.adjust("p-1", 1).await.unwrap();
    let mut stream = watch(&bench, None).await;
    reserve(&there, "o-1", &[("p-2", 1), ("p-3", 2)]).await.unwrap();
    let (first, second) = (next(&mut stream).await.unwrap(), next(&mut stream).await.unwrap());
    assert!(second.sequence > first.sequence);
    assert_eq!(first.product, Some(bench.product("p-2").await.unwrap()));
    assert_eq!(second.product, Some(bench.product("p-3").await.unwrap()));
}

#[tokio::test]
async fn a_watcher_goes_on_where_it_left_off() {
    let bench = Bench::start().await;
    for _ in 0..3 {
        bench.adjust("p-1", 1).await.unwrap();
    }
    let first = next(&mut watch(&bench, Some(0)).await).await.unwrap();
    let second = next(&mut watch(&bench, Some(first.sequence)).await).await.unwrap();
    assert_eq!(second.product.unwrap().stock, first.product.unwrap().stock + 1);
}

#[tokio::test]
async fn refuses_a_sequence_that_never_was() {
    let bench = Bench::start().await;
    let refused =
        bench.products().watch_products(WatchProductsRequest { after_sequence: Some(-1) }).await;
    assert_eq!(fields(&refused.unwrap_err()), ["after_sequence"]);
    let late = next(&mut watch(&bench, Some(1)).await).await.unwrap_err();
    check(&late, Code::OutOfRange, "SEQUENCE_NOT_REACHED");
}

#[tokio::test]
async fn a_watcher_is_told_when_the_service_stops_and_does_not_hold_it_up() {
    let bench = Bench::start().await;
    let mut stream = watch(&bench, None).await;
    let stopped = tokio::time::timeout(Duration::from_secs(5), bench.service.stop());
    let (end, stopped) = tokio::join!(next(&mut stream), stopped);
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);
    stopped.unwrap().unwrap();
}
