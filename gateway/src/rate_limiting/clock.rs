//! The time that limits go by: tokio's, so that a test can stop it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Counts from the origin that limiters over one table share.
///
/// A limiter of `governor` reads its clock once when it is made, and counts from there. This clock shows zero to that
/// first look: so what one limiter has written means the same to the next one, which has another quota.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Instant,
    looked_at: AtomicBool,
}

impl Clock {
    pub(super) fn since(origin: Instant) -> Self {
        Self { origin, looked_at: AtomicBool::new(false) }
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        if !self.looked_at.load(Ordering::Relaxed) && !self.looked_at.swap(true, Ordering::Relaxed)
        {
            return Duration::ZERO;
        }
        self.origin.elapsed()
    }
}
