use std::time::Duration;

use tokio::time;

use super::{EVENTS, WATCH, request};
use crate::stand::{Answer, Feed, Gate, Upstream, until};

/// Sixty-four megabytes in messages of 64 kB.
const MESSAGES: usize = 1000;

async fn flood() -> (Feed, Upstream, Gate) {
    let mut message = b"\x12\x80\xf4\x03".to_vec();
    message.extend(std::iter::repeat_n(b'x', 64_000));
    let feed = Feed::repeating(&message, MESSAGES);
    let kitchen = {
        let feed = feed.clone();
        Upstream::answering(move |_| Answer::fed(&feed)).await
    };
    let gate = Gate::before(&kitchen).await;
    (feed, kitchen, gate)
}

/// Waits until nobody takes anything any more.
pub(super) async fn standstill(feed: &Feed) -> usize {
    loop {
        let before = feed.taken();
        time::sleep(Duration::from_millis(300)).await;
        if before > 0 && feed.taken() == before {
            return before;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_service() {
    for http2 in [false, true] {
        let (feed, _kitchen, gate) = flood().await;
        let gate = if http2 { gate.speaking_http2() } else { gate };
        let before = gate.memory();
        let open = gate.get(WATCH).header("accept", EVENTS).open().await;
        let taken = crate::stand::soon("a standstill", standstill(&feed)).await;
        // What fits into the buffers of four sockets and two windows of HTTP/2, and no more.
        assert!(taken < MESSAGES / 3, "HTTP/2 {http2}: {taken} of {MESSAGES} messages");
        let grown = gate.memory().saturating_sub(before);
        assert!(grown < 16 << 20, "HTTP/2 {http2}: {grown} bytes");
        let (body, clean) = open.rest().await;
        assert_eq!((body.matches("event: message\n").count(), clean), (MESSAGES, true));
        assert!(body.ends_with("event: end\nid: :end\ndata: {}\n\n"));
    }
}

#[tokio::test]
async fn a_client_of_grpc_that_does_not_read_stops_it_too() {
    let (feed, _kitchen, gate) = flood().await;
    let mut answer = gate.grpc().await.stream("WatchDishes", request()).await.unwrap();
    let taken = crate::stand::soon("a standstill", standstill(&feed)).await;
    assert!(taken < MESSAGES / 3, "{taken} of {MESSAGES} messages");
    let mut read = 0;
    while answer.get_mut().message().await.unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, MESSAGES);
}

#[tokio::test]
async fn one_slow_client_does_not_hold_up_another() {
    let (feed, kitchen, gate) = flood().await;
    let gate = gate.speaking_http2();
    let slow = gate.get(WATCH).header("accept", EVENTS).open().await;
    crate::stand::soon("a standstill", standstill(&feed)).await;
    // The same connection for clients, and the same to the service.
    let quick = gate.get("/v1/dishes/soup").header("accept", "*/*").open().await;
    assert_eq!(quick.status, 502, "two messages are not one");
    drop(slow);
    until("the end of both", async || kitchen.seen().len() == 2).await;
    kitchen.cancelled(2).await;
}
