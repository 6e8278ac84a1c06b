//! Finishes what requests left unfinished: orders that are pending, being cancelled, or not yet settled with the stock.
//!
//! It goes forward as long as there is time, then back. What it can't do now it does later, for ever: an order ends
//! within 30 seconds if the services it needs answer, and otherwise within seconds of their return.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use proto::order::v1::OrderStatus;
use service_kit::{Caller, Shutdown};
use tokio::time::timeout;

use crate::{
    life::{Life, Move, Step, Stuck},
    orders::{self, Record},
};

const EVERY: Duration = Duration::from_millis(500);
/// When a pending order has had its time and is taken back, in microseconds.
const PATIENCE: i64 = 20_000_000;
const BATCH: i64 = 64;
const AT_ONCE: usize = 16;

/// Recovers at start, then sweeps until the service stops.
pub(crate) async fn run(life: Life, shutdown: Shutdown) {
    let now = life.clock.now();
    match life.store.write(move |write| orders::recover(write, now)).await {
        Ok(0) => {}
        Ok(unfinished) => tracing::info!(unfinished, "taking up unfinished orders"),
        Err(error) => tracing::warn!(%error, "could not look for unfinished orders"),
    }
    // A sweep may be ended anywhere: the next one finds what this one left.
    while let Some(swept) = shutdown.run_until_cancelled(sweep(&life)).await {
        if let Err(error) = swept {
            tracing::warn!(%error, "could not sweep");
        }
        let due = timeout(EVERY, life.due.notified());
        if shutdown.run_until_cancelled(due).await.is_none() {
            return;
        }
    }
}

async fn sweep(life: &Life) -> Result<(), Stuck> {
    let now = life.clock.now();
    // Looked at before it is written: a shop at rest writes nothing.
    if !life.store.read(move |db| orders::any_due(db, now)).await? {
        return Ok(());
    }
    let due = life.store.write(move |write| orders::take_due(write, BATCH, now)).await?;
    if i64::try_from(due.len()).is_ok_and(|taken| taken == BATCH) {
        life.due.notify_one();
    }
    stream::iter(due).for_each_concurrent(AT_ONCE, |order| finish(life, order)).await;
    Ok(())
}

/// Goes on with an order until it rests, or as far as is possible now.
async fn finish(life: &Life, mut order: Record) {
    let caller = Caller::nobody();
    while !matches!(order.step, Step::Wait | Step::Done) {
        let id = order.id.clone();
        let had_its_time = order.status == OrderStatus::Pending
            && order.step != Step::Void
            && life.clock.now().as_microsecond() - order.create_time >= PATIENCE;
        let advanced = if had_its_time {
            life.make(&id, Move::TimedOut).await
        } else {
            life.advance(order, &caller).await
        };
        order = match advanced {
            Ok(order) => order,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(order = id, request_id = caller.request_id(), %error, cause, "an order is stuck");
                return;
            }
        };
    }
}

/// Has the sweep look at once.
pub(crate) fn wake(life: &Life) {
    life.due.notify_one();
}
