//! `WatchOrder`: the order as it is, and after each change, until it can change no more.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use proto::order::v1::{Order, WatchOrderRequest, WatchOrderResponse};
use rusqlite::Connection;
use service_kit::{Caller, Events, Failure, Violations, errors::not_found, events};
use tonic::{Request, Response, Status};

use crate::{
    life::{Life, is_end},
    orders::{self, Record, TOPIC},
    service,
};

/// What a watcher receives.
pub(crate) type Changes = Pin<Box<dyn Stream<Item = Result<WatchOrderResponse, Status>> + Send>>;

/// Begins to watch the caller's order.
pub(crate) async fn watch(
    life: &Life,
    events: &Events,
    request: Request<WatchOrderRequest>,
) -> Result<Response<Changes>, Status> {
    let caller = Caller::of(&request);
    let WatchOrderRequest { id, after_sequence } = request.into_inner();
    let id = service::named(id)?;
    if after_sequence.is_some_and(|sequence| sequence < 0) {
        return Err(Violations::one("after_sequence", "must not be negative"));
    }
    let asked = id.clone();
    let Seen { order, told, latest } = life
        .store
        .read(move |db| seen(db, &asked))
        .await?
        .ok_or_else(|| not_found("order", &id))?;
    if !caller.may_act_for(&order.user_id) {
        return Err(not_found("order", &id));
    }
    let ended = is_end(order.status);
    let snapshot = WatchOrderResponse { sequence: latest, order: Some(Order::from(&order)) };
    // Whose changes are too old to be told again sees the order as it is, wherever they were.
    let after = after_sequence.filter(|_| told.is_some());
    let first = stream::iter(after.is_none().then_some(Ok(snapshot)));
    let after = after.unwrap_or(latest);
    if ended && (told.unwrap_or(0)..=latest).contains(&after) {
        return Ok(Response::new(Box::pin(first)));
    }
    let changes = events.follow(events::Follow { topic: TOPIC, subject: Some(id), after });
    let changes = until_end(changes.map(|event| read(&event?)).boxed());
    Ok(Response::new(Box::pin(first.chain(changes))))
}

/// What is known of one moment.
struct Seen {
    order: Record,
    /// The sequence of the order's latest change; none when that is too old to be told again.
    told: Option<i64>,
    /// The sequence of the latest change of any order.
    latest: i64,
}

fn seen(connection: &Connection, id: &str) -> Result<Option<Seen>, Failure> {
    let Some(order) = orders::find(connection, id)? else { return Ok(None) };
    let sql = "SELECT max(sequence) FROM events WHERE topic = ?1 AND subject = ?2";
    let told = connection.prepare_cached(sql)?.query_row((TOPIC, id), |row| row.get(0))?;
    Ok(Some(Seen { order, told, latest: events::latest(connection)? }))
}

/// The same changes, but no waiting for another after the last.
fn until_end(changes: Changes) -> impl Stream<Item = Result<WatchOrderResponse, Status>> + Send {
    stream::unfold(Some(changes), |changes| async {
        let mut changes = changes?;
        let change = changes.next().await?;
        let more = change.as_ref().is_ok_and(|change| !ends(change));
        Some((change, more.then_some(changes)))
    })
}

fn ends(change: &WatchOrderResponse) -> bool {
    change.order.as_ref().is_none_or(|order| is_end(order.status()))
}

fn read(event: &events::Event) -> Result<WatchOrderResponse, Status> {
    let order: Order = prost::Message::decode(event.payload.as_slice()).map_err(|error| {
        tracing::error!(%error, sequence = event.sequence, "a stored event can't be read");
        Status::internal("internal error")
    })?;
    Ok(WatchOrderResponse { sequence: event.sequence, order: Some(order) })
}
