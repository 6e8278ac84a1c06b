//! The end of a service: asked for from outside, or forced by a part without which it must not go on.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

/// Tells all parts of a service to stop. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    failed: Arc<OnceLock<&'static str>>,
}

impl Shutdown {
    /// Not yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody to stop.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether everybody was told.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until everybody is told.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// What `work` answers, or none when everybody is told to stop before.
    pub async fn run_until_cancelled<W: Future>(&self, work: W) -> Option<W::Output> {
        self.token.run_until_cancelled(work).await
    }

    /// Runs what the service can't do without. Should it panic, or end before everybody is told to stop, the service
    /// stops and fails: half a service that looks whole is worse than none.
    pub async fn vital(self, name: &'static str, work: impl Future<Output = ()>) {
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        if ended.is_ok() && self.is_cancelled() {
            return;
        }
        if self.failed.set(name).is_ok() {
            tracing::error!(name, panicked = ended.is_err(), "a vital task ended, stopping");
        }
        self.cancel();
    }

    /// The vital task that forced the end.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_ends_when_it_is_told_to_fails_nobody() {
        let shutdown = Shutdown::new();
        shutdown.cancel();
        shutdown.clone().vital("sweep", async {}).await;
        assert_eq!(shutdown.failed(), None);
    }

    #[tokio::test]
    async fn what_ends_early_or_panics_ends_the_service() {
        let shutdown = Shutdown::new();
        shutdown.clone().vital("early", async {}).await;
        assert!(shutdown.is_cancelled());
        // The first is the reason.
        shutdown.clone().vital("panics", async { panic!("a bug") }).await;
        assert_eq!(shutdown.failed(), Some("early"));
        let shutdown = Shutdown::new();
        shutdown.clone().vital("panics", async { panic!("a bug") }).await;
        assert_eq!(shutdown.failed(), Some("panics"));
    }
}
