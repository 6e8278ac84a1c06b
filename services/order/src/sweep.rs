//! Finishes what requests left unfinished: orders that are pending, being cancelled, or not yet settled with the stock.
//!
//! It goes forward as long as there is time, then back, and what it can't do now it does later, for ever. A pending
//! order ends within 30 seconds. One that has no intent yet is given up here, so it does whoever is out of reach. One
//! whose intent may be open needs the payment service, which alone knows that it is not paid: while that is away it stays
//! pending, and ends within seconds of its return. [`Lane`]s keep what hangs on one service out of the others' way.

use std::time::Duration;

use futures_util::future::join_all;
use service_kit::{Caller, Shutdown};
use tokio::time::timeout;

use crate::{
    life::{Life, Step, Stuck},
    orders::{self, Lane, Record},
};

const EVERY: Duration = Duration::from_millis(500);
/// As many orders of a lane are at work at once.
const AT_ONCE: usize = 16;
/// As many orders are given up in one transaction.
const GIVEN_UP: i64 = 500;

/// Recovers at start, then sweeps until the service stops.
pub(crate) async fn run(life: Life, shutdown: Shutdown) {
    let now = life.clock.now();
    match life.store.write(move |write| orders::recover(write, now)).await {
        Ok(0) => {}
        Ok(unfinished) => tracing::info!(unfinished, "taking up unfinished orders"),
        Err(error) => tracing::warn!(%error, "could not look for unfinished orders"),
    }
    join_all(Lane::ALL.map(|lane| keep(&life, lane, &shutdown))).await;
}

async fn keep(life: &Life, lane: Lane, shutdown: &Shutdown) {
    // A sweep may be ended anywhere: the next one finds what this one left.
    while let Some(swept) = shutdown.run_until_cancelled(sweep(life, lane)).await {
        let more = swept.unwrap_or_else(|error| {
            tracing::warn!(%error, ?lane, "could not sweep");
            false
        });
        let wait = if more { Duration::ZERO } else { EVERY };
        let due = async {
            match lane {
                Lane::Settle => drop(timeout(wait, life.settle.notified()).await),
                Lane::Reserve | Lane::Intent | Lane::Wait => tokio::time::sleep(wait).await,
            }
        };
        if shutdown.run_until_cancelled(due).await.is_none() {
            return;
        }
    }
}

/// Answers whether there may be more to do at once.
async fn sweep(life: &Life, lane: Lane) -> Result<bool, Stuck> {
    let now = life.clock.now();
    // Looked at before it is written: a shop at rest writes nothing.
    while life.store.read(move |db| orders::any_overdue(db, now)).await? {
        life.store.write(move |write| orders::give_up(write, GIVEN_UP, now)).await?;
    }
    if !life.store.read(move |db| orders::any_due(db, lane, now)).await? {
        return Ok(false);
    }
    let due = life.store.write(move |write| orders::take_due(write, lane, AT_ONCE, now)).await?;
    let more = due.len() == AT_ONCE;
    join_all(due.into_iter().map(|order| async move {
        match lane {
            Lane::Wait => look(life, &order).await,
            Lane::Reserve | Lane::Intent | Lane::Settle => finish(life, lane, order).await,
        }
    }))
    .await;
    Ok(more)
}

/// Looks what became of the intent of an order. Without an answer the order goes on waiting.
async fn look(life: &Life, order: &Record) {
    let caller = Caller::nobody();
    match life.ended(order, &caller).await {
        Ok(None) => {}
        Ok(Some(change)) => match life.make(&order.id, change).await {
            Ok(_) => life.settle_soon(),
            Err(error) => tracing::warn!(order = order.id, %error, "an order is stuck"),
        },
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(order = order.id, %error, cause, "can't tell whether an order is paid");
        }
    }
}

/// Goes on with an order as long as it is the lane's, or as far as is possible now.
async fn finish(life: &Life, lane: Lane, mut order: Record) {
    let caller = Caller::nobody();
    while lane.sees_to(order.step) {
        let id = order.id.clone();
        order = match life.advance(order, &caller).await {
            Ok(order) => order,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(order = id, request_id = caller.request_id(), %error, cause, "an order is stuck");
                return;
            }
        };
    }
    if matches!(order.step, Step::Release | Step::Sell) {
        life.settle_soon();
    }
}
