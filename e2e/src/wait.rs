//! Waiting for a condition, never for a time.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks again and again until there is an answer; `None` when there was none for `patience`.
pub async fn until<T>(patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        sleep(PAUSE).await;
    }
}

/// [`until`] for tests: panics with `what` when the condition did not come true.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    match until(patience, ask).await {
        Some(answer) => answer,
        None => panic!("waited {patience:?} in vain for this: {what}"),
    }
}

/// Waits until a person or the system asks this process to stop: SIGINT or SIGTERM.
pub(crate) async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
