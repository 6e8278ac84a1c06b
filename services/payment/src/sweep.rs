//! Ends intents whose time is over, in every replica; the conditional update lets one of them do it.

use std::time::Duration;

use service_kit::{Clock, Failure, Shutdown, Store};
use tokio::time::{MissedTickBehavior, interval};

use crate::intents;

const EVERY: Duration = Duration::from_millis(500);
/// As many intents end in one transaction.
const BATCH: i64 = 100;

/// Sweeps until the service stops.
pub(crate) async fn expire(store: Store, clock: Clock, shutdown: Shutdown) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = sweep(&store, &clock).await {
            tracing::warn!(%error, "could not expire intents");
        }
    }
}

async fn sweep(store: &Store, clock: &Clock) -> Result<(), Failure> {
    let now = clock.now();
    // Looked at before it is written: a shop at rest writes nothing.
    while store.read(move |db| intents::is_due(db, now)).await? {
        store.write(move |write| intents::expire(write, BATCH, now)).await?;
    }
    Ok(())
}
