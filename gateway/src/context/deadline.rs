//! Until when an answer is of use.

use std::time::Duration;

use tokio::time::Instant;

/// The moment after which nobody waits for the answer any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now.
    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The moment itself, for timers.
    pub(crate) fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
