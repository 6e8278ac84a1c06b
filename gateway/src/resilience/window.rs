//! What happened lately, counted in buckets of time.

use std::time::Duration;

use tokio::time::Instant;

/// Events of two kinds in the last `N` buckets: as precise as a bucket is short, and as large as there are buckets,
/// however much happens.
#[derive(Debug)]
pub(super) struct Window<const N: usize> {
    began: Instant,
    width: Duration,
    /// Each with the number of the bucket that its counts belong to.
    buckets: [(u64, [u64; 2]); N],
}

impl<const N: usize> Window<N> {
    /// A window over `N` buckets of this width.
    pub(super) fn new(width: Duration) -> Self {
        Self { began: Instant::now(), width, buckets: [(0, [0; 2]); N] }
    }

    /// The width of its buckets.
    pub(super) fn width(&self) -> Duration {
        self.width
    }

    /// Counts one event.
    pub(super) fn add(&mut self, kind: usize, now: Instant) {
        let number = self.number(now);
        let place = usize::try_from(number % N as u64).unwrap_or_default();
        if let Some((owner, counts)) = self.buckets.get_mut(place) {
            if *owner != number {
                (*owner, *counts) = (number, [0; 2]);
            }
            if let Some(count) = counts.get_mut(kind) {
                *count += 1;
            }
        }
    }

    /// The events of a kind in the last so many buckets, the one that is filling included.
    pub(super) fn count(&self, kind: usize, buckets: u64, now: Instant) -> u64 {
        let number = self.number(now);
        let lately = self.buckets.iter().filter(|(owner, _)| number.abs_diff(*owner) < buckets);
        lately.filter_map(|(_, counts)| counts.get(kind)).sum()
    }

    fn number(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(elapsed / self.width.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}
