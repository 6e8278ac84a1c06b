//! Streams over REST: how their messages are framed, how they end, and how long they last.

mod crowd;
mod ends;
mod events;
mod flow;
mod framings;
mod mistakes;
mod raw;
mod stuck;

use bytes::Bytes;
use serde_json::Value;
use tonic::Request;

use crate::stand::{Answer, Feed, Gate, Upstream, encode};

const WATCH: &str = "/v1/dishes:watch";

const ARRAY: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";

/// A kitchen that answers one call with what the test feeds, and a gateway before it.
async fn watched() -> (Feed, Upstream, Gate) {
    let feed = Feed::new();
    let kitchen = {
        let feed = feed.clone();
        Upstream::answering(move |_| Answer::fed(&feed)).await
    };
    let gate = Gate::before(&kitchen).await;
    (feed, kitchen, gate)
}

/// A kitchen that answers with these dishes, every time.
async fn dishes(dishes: Vec<Value>) -> Upstream {
    let wires: Vec<Vec<u8>> = dishes.iter().map(|dish| encode("Dish", dish)).collect();
    Upstream::answering(move |_| {
        Answer::wires(&wires.iter().map(Vec::as_slice).collect::<Vec<_>>())
    })
    .await
}

fn request() -> Request<Bytes> {
    Request::new(Bytes::new())
}
