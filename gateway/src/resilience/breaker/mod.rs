//! Stops asking an endpoint that only fails, and finds out with single calls whether it is well again.
//!
//! ```text
//!            too many failures                the time is over
//!   Closed ─────────────────────► Open ────────────────────────────► HalfOpen
//!   flows ◄──────────────────┐    refuses ◄───────────────────────── one probe
//!                            └─────────────────────────────────────────┘
//!                                  the probe fails: Open, longer; it succeeds: Closed
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use crate::setting::Percent;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    /// Failures in a row that open it; `None` when nothing ever does.
    pub(crate) failures: Option<u32>,
    /// The share of failures in the window that opens it.
    pub(crate) rate: Percent,
    /// How many calls there must be in the window before a share means anything.
    pub(crate) volume: u64,
    /// How long the window is.
    pub(crate) window: Duration,
    /// For how long it opens first; it doubles each time.
    pub(crate) open: Duration,
    /// For how long it opens at most.
    pub(crate) max_open: Duration,
}

const BUCKETS: u64 = 10;
const SUCCESS: usize = 0;
const FAILURE: usize = 1;

/// What one endpoint's breaker remembers. What it goes by comes with each call, and so may change at any time.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Which phase it is, counted: what began in another says nothing about this one.
    epoch: u64,
    /// How often it has opened without having been well for long in between.
    openings: u32,
    closed: Option<Instant>,
    /// How calls have ended while it was closed.
    lately: Option<Window<10>>,
}

#[derive(Debug)]
enum Phase {
    /// With so many failures in a row.
    Closed {
        row: u32,
    },
    Open {
        until: Instant,
    },
    HalfOpen {
        probing: bool,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed { row: 0 }
    }
}

/// What a breaker would say at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// Calls flow.
    Closed,
    /// They do not, for so long.
    Open(Duration),
    /// A probe is under way.
    Probing,
    /// The next call is the probe.
    Ready,
}

/// Leave to make one call. Dropped without a word about how it went, it says nothing: a probe that was cancelled frees
/// its place for another.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Arc<CircuitBreaker>,
    trip: Trip,
    epoch: u64,
}

impl CircuitBreaker {
    /// What [`Self::admit`] would say.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match self.state().phase {
            Phase::Closed { .. } => Snapshot::Closed,
            Phase::Open { until } => match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Snapshot::Ready,
                left => Snapshot::Open(left),
            },
            Phase::HalfOpen { probing: true } => Snapshot::Probing,
            Phase::HalfOpen { probing: false } => Snapshot::Ready,
        }
    }

    /// Whether a call would be let through.
    pub(crate) fn admits(&self) -> bool {
        matches!(self.snapshot(), Snapshot::Closed | Snapshot::Ready)
    }

    /// Lets a call through, or not. While it is half open, only one at a time.
    pub(crate) fn admit(self: &Arc<Self>, trip: Trip) -> Option<Permit> {
        let mut state = self.state();
        match state.phase {
            Phase::Closed { .. } => {}
            Phase::Open { until } if Instant::now() >= until => {
                state.enter(Phase::HalfOpen { probing: true });
            }
            Phase::HalfOpen { probing: false } => state.enter(Phase::HalfOpen { probing: true }),
            Phase::Open { .. } | Phase::HalfOpen { probing: true } => return None,
        }
        Some(Permit { breaker: Arc::clone(self), trip, epoch: state.epoch })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The endpoint has answered.
    pub(crate) fn succeeded(self) {
        self.conclude(SUCCESS);
    }

    /// The endpoint has failed.
    pub(crate) fn failed(self) {
        self.conclude(FAILURE);
    }

    fn conclude(&self, outcome: usize) {
        let mut guard = self.breaker.state();
        let state = &mut *guard;
        if state.epoch != self.epoch {
            return;
        }
        let (now, trip) = (Instant::now(), self.trip);
        match &mut state.phase {
            Phase::Closed { row } => {
                *row = if outcome == FAILURE { row.saturating_add(1) } else { 0 };
                let width = trip.window / u32::try_from(BUCKETS).unwrap_or(1);
                let lately = match &mut state.lately {
                    Some(lately) if lately.width() == width => lately,
                    other => other.insert(Window::new(width)),
                };
                lately.add(outcome, now);
                let [good, bad] = [SUCCESS, FAILURE].map(|kind| lately.count(kind, BUCKETS, now));
                let enough =
                    good + bad >= trip.volume && bad * 100 >= trip.rate.of(100) * (good + bad);
                let in_a_row = trip.failures.is_some_and(|failures| *row >= failures);
                if outcome == FAILURE && trip.failures.is_some() && (in_a_row || enough) {
                    state.open(trip, now);
                }
            }
            Phase::HalfOpen { .. } if outcome == FAILURE => state.open(trip, now),
            Phase::HalfOpen { .. } => {
                state.closed = Some(now);
                state.enter(Phase::default());
            }
            Phase::Open { .. } => {}
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.breaker.state();
        // After a word about how it went it is another phase, unless nothing has changed.
        if state.epoch == self.epoch
            && let Phase::HalfOpen { probing } = &mut state.phase
        {
            *probing = false;
        }
    }
}

impl State {
    fn open(&mut self, trip: Trip, now: Instant) {
        let was_well = self.closed.is_some_and(|since| now - since >= trip.window);
        self.openings = if was_well { 1 } else { self.openings.saturating_add(1) };
        self.lately = None;
        let doubled = 2_u32.saturating_pow(self.openings - 1);
        let longest = trip.open.saturating_mul(doubled).min(trip.max_open);
        // Up to a quarter less, so that gateways that saw the same failure do not probe together.
        self.enter(Phase::Open { until: now + longest.mul_f64(1.0 - fastrand::f64() / 4.0) });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests;
