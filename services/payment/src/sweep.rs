//! Ends intents whose time is over, in every replica; the conditional update lets one of them do it.

use std::time::Duration;

use service_kit::{Clock, Failure, Shutdown, Store, sweep};

use crate::intents;

const EVERY: Duration = Duration::from_millis(500);
/// As many intents end in one transaction.
const BATCH: i64 = 100;

/// Sweeps until the service stops.
pub(crate) async fn expire(store: Store, clock: Clock, shutdown: Shutdown) {
    sweep::every(EVERY, &shutdown, || async {
        if let Err(error) = sweep(&store, &clock).await {
            tracing::warn!(%error, "could not expire intents");
        }
    })
    .await;
}

async fn sweep(store: &Store, clock: &Clock) -> Result<(), Failure> {
    let now = clock.now();
    // Looked at before it is written: a shop at rest writes nothing.
    while store.read(move |db| intents::is_due(db, now)).await? {
        store.write(move |write| intents::expire(write, BATCH, now)).await?;
    }
    Ok(())
}
