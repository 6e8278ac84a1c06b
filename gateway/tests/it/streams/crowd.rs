//! Many streams at once, and what becomes of everybody else.

use futures_util::future::join_all;
use serde_json::json;

use super::flow::standstill;
use super::{EVENTS, WATCH};
use crate::stand::{Answer, Feed, Gate, Upstream, encode, soon};

/// A kitchen that answers every call at once, but for its streams.
async fn kitchen(stream: impl Fn() -> Answer + Send + Sync + 'static) -> Upstream {
    let dish = encode("Dish", &json!({"id": "soup"}));
    Upstream::answering(move |seen| match &*seen.rpc {
        "kitchen.v1.Kitchen/WatchDishes" => stream(),
        _ => Answer::wire(&dish),
    })
    .await
}

async fn answers(gate: &Gate) {
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(reply.json(), json!({"id": "soup"}));
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_up_neither_calls_nor_other_streams() {
    let message = [&b"\x12\x80\xf4\x03"[..], &vec![b'x'; 64_000]].concat();
    let feed = Feed::repeating(&message, 10_000);
    let kitchen = {
        let feed = feed.clone();
        kitchen(move || Answer::fed(&feed)).await
    };
    let gate = Gate::before(&kitchen).await;
    let slow = join_all((0..20).map(|_| gate.get(WATCH).header("accept", EVENTS).open())).await;
    soon("a standstill", standstill(&feed)).await;
    answers(&gate).await;
    let mut quick = gate.get(WATCH).header("accept", EVENTS).open().await;
    quick.up_to("}\n\n").await;
    drop(slow);
    kitchen.cancelled(20).await;
}

#[tokio::test]
async fn more_streams_than_one_connection_takes_hold_up_neither_calls_nor_each_other() {
    // The service takes two hundred at once over one connection.
    const STREAMS: usize = 250;
    let kitchen = kitchen(|| Answer::framed("").open_end()).await;
    let gate = Gate::before(&kitchen).await;
    let watch = || gate.get(WATCH).header("accept", EVENTS).open();
    let open = join_all((0..STREAMS).map(|_| watch())).await;
    assert!(open.iter().all(|open| open.status == 200));
    answers(&gate).await;
    assert!(kitchen.connections() < 6, "{}", kitchen.connections());

    drop(open);
    kitchen.cancelled(STREAMS).await;
    let before = kitchen.connections();
    assert_eq!(watch().await.status, 200);
    assert_eq!(kitchen.connections(), before, "the place of a stream that is over is free again");
}
