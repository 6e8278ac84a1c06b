//! What the tests stand on: the gateway as a child process, services that answer as a test says, clients of each kind.

mod answer;
mod ask;
mod config;
mod feed;
mod frames;
mod gate;
mod grpc;
mod issuer;
mod names;
mod open;
mod output;
mod redis;
mod reply;
mod schema;
mod upstream;
mod wire;

use std::time::Duration;

pub(crate) use answer::{Answer, Latch};
pub(crate) use ask::Ask;
pub(crate) use config::Config;
pub(crate) use feed::Feed;
pub(crate) use frames::{
    Outcome, answer_late, leave_at_the_second_call, request as request_by_frames,
};
pub(crate) use gate::{Exit, Gate, run};
pub(crate) use issuer::{Issuer, Key, now};
pub(crate) use names::{Mood, Names, Record};
pub(crate) use open::Open;
pub(crate) use redis::Redis;
pub(crate) use reply::Reply;
pub(crate) use schema::{compile, decode, encode, kitchen_set};
pub(crate) use upstream::{Seen, Upstream};
pub(crate) use wire::Wire;

/// How long anything may take that should happen at once: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Awaits something that must happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: did not happen within {PATIENCE:?}"))
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    soon(what, async {
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        while !condition().await {
            pace.tick().await;
        }
    })
    .await;
}
