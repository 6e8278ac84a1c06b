//! One limit, counted in this process.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};

use super::clock::Clock;
use super::table::{Kept, Table, Visit};
use crate::context::{Allowance, Standing};

/// The most gateways that a limit is divided among. More than these have more than the limit together; the bound keeps
/// times within 64 bits.
pub(super) const MOST_SHARES: u32 = 256;

/// GCRA over a table of keys, for this gateway's share of an allowance.
#[derive(Debug)]
pub(super) struct Bucket {
    allowance: Arc<Allowance>,
    table: Arc<Table>,
    share: ArcSwap<Share>,
}

#[derive(Debug)]
struct Share {
    of: u32,
    /// In which time this share lets one more request through.
    interval: Duration,
    limiter: RateLimiter<Visit, Kept, Clock, StateInformationMiddleware>,
}

/// What a limit says to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may pass.
    Pass(Standing),
    /// It may not before the time that the standing names.
    Refuse(Standing),
}

impl Decision {
    pub(super) fn standing(self) -> Standing {
        let (Self::Pass(standing) | Self::Refuse(standing)) = self;
        standing
    }

    pub(super) fn refuses(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }
}

impl Bucket {
    pub(super) fn new(allowance: Arc<Allowance>) -> Self {
        let table = Arc::new(Table::new());
        let share = ArcSwap::from_pointee(Share::new(&allowance, &table, 1));
        Self { allowance, table, share }
    }

    /// What is allowed, by all gateways together.
    pub(super) fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// The table of its keys.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Decides on a visit as one of so many gateways.
    pub(super) fn decide(&self, visit: Visit, gateways: u32) -> Decision {
        let of = gateways.clamp(1, MOST_SHARES);
        let mut share = self.share.load();
        if share.of != of {
            self.share.store(Arc::new(Share::new(&self.allowance, &self.table, of)));
            share = self.share.load();
        }
        let standing = |remaining, next| {
            let allowance = Arc::clone(&self.allowance);
            Standing { allowance, remaining, next }
        };
        match share.limiter.check_key(&visit) {
            Ok(state) => Decision::Pass(standing(state.remaining_burst_capacity(), share.interval)),
            Err(until) => {
                let now = governor::clock::Clock::now(share.limiter.clock());
                Decision::Refuse(standing(0, until.wait_time_from(now)))
            }
        }
    }
}

impl Share {
    fn new(allowance: &Allowance, table: &Arc<Table>, of: u32) -> Self {
        let interval = allowance.interval.saturating_mul(of);
        let burst = NonZeroU32::new(allowance.burst / of).unwrap_or(NonZeroU32::MIN);
        // An interval is never zero: `Rate` sees to that.
        let quota = Quota::with_period(interval)
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        let (kept, clock) = (Kept(Arc::clone(table)), Clock::since(table.origin));
        Self { of, interval, limiter: RateLimiter::new(quota, kept, clock) }
    }
}

#[cfg(test)]
mod tests;
