//! One address, with what the balancer remembers about it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::config::Ejection;
use super::health::{Answer, Health};
use super::latency::Latency;
use super::record::{Reason, Record};
use super::{NOTICEABLE, Outcome};

/// What part of its share an endpoint gets the moment it is back.
const FIRST_SHARE: f64 = 0.1;

/// How often an endpoint is compared with the others in a window.
const COMPARISONS: u32 = 20;

/// One address of an upstream. What is remembered here stays as long as the address does.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: Arc<str>,
    in_flight: AtomicUsize,
    memory: Mutex<Memory>,
}

/// What was learnt from calls and from asking.
#[derive(Debug, Default)]
struct Memory {
    latency: Latency,
    record: Record,
    health: Health,
    /// Since when it has been silent although it has calls.
    silent: Option<Instant>,
    /// When it comes back, or came back the last time. Calls from before say nothing about it any more.
    back: Option<Instant>,
    /// Why it was ejected the last time.
    reason: Option<Reason>,
    /// When it was compared with the others.
    compared: Option<Instant>,
    /// How often it was ejected without a longer while in between.
    times: u32,
}

/// Whether an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    /// It is, like the others.
    In,
    /// It has just come back and is chosen as often as this part of one says.
    Returning(f64),
    /// It is left out for a while because of what it did.
    Ejected(Reason),
    /// It says that it is not well, or says nothing.
    Down,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "it is chosen",
            Self::Returning(_) => "it has just come back",
            Self::Ejected(Reason::Failures) => "it failed too many times in a row",
            Self::Ejected(Reason::ErrorRate) => "too many of its calls failed",
            Self::Ejected(Reason::Slowness) => "it is much slower than the others",
            Self::Down => "it says that it does not serve, or does not answer",
        })
    }
}

impl Endpoint {
    /// An endpoint of which nothing is known.
    pub(crate) fn new(address: &str) -> Self {
        let (in_flight, memory) = (AtomicUsize::new(0), Mutex::default());
        Self { address: address.into(), in_flight, memory }
    }

    /// The address as `http://host:port`.
    pub(crate) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// How many calls it has.
    pub(super) fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How it stands.
    pub(super) fn standing(&self, limits: &Ejection, now: Instant) -> Standing {
        self.memory().standing(limits, now)
    }

    /// A call begins.
    pub(super) fn begin(&self, now: Instant) {
        if self.in_flight.fetch_add(1, Ordering::Relaxed) == 0 {
            self.memory().silent = Some(now);
        }
    }

    /// A call is over. Of one that was given up it is known that it took no less than until now.
    pub(super) fn leave(&self, given_up: Option<Instant>, now: Instant) {
        let mut memory = self.memory();
        if let Some(began) = given_up {
            memory.latency.at_least(now.saturating_duration_since(began), now);
        }
        if self.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            memory.silent = None;
        }
    }

    /// The moving average of its latency in seconds. While it has calls and is silent, no less than that: whoever hangs
    /// would otherwise be forgiven while everybody waits.
    pub(super) fn latency(&self, now: Instant) -> Option<f64> {
        let memory = self.memory();
        let silence = memory.silent.map(|since| now.saturating_duration_since(since));
        let silence = silence.filter(|silence| *silence >= NOTICEABLE);
        let silence = silence.map(|silence| silence.as_secs_f64());
        let estimate = memory.latency.estimate(now);
        estimate.map(|estimate| estimate.max(silence.unwrap_or_default())).or(silence)
    }

    /// How long its answers took on average lately.
    pub(super) fn average(&self, limits: &Ejection, now: Instant) -> Option<Duration> {
        self.memory().record.average(limits, now)
    }

    /// The same, if it is time to compare it with the others again: not with every answer.
    pub(super) fn average_due(&self, limits: &Ejection, now: Instant) -> Option<Duration> {
        let mut memory = self.memory();
        let pause = limits.window.duration() / COMPARISONS;
        if memory.compared.is_some_and(|last| now.saturating_duration_since(last) < pause) {
            return None;
        }
        memory.compared = Some(now);
        memory.record.average(limits, now)
    }

    /// Takes an answer to the question whether it is well into account.
    pub(crate) fn checked(&self, answer: Answer) {
        let mut memory = self.memory();
        if memory.health.hear(answer) {
            // Whoever is there now is not the one that did badly.
            memory.forget(Instant::now());
            memory.times = 0;
        }
    }

    /// Whether to ask it how it is. One that does not know such questions is left in peace while it does well.
    pub(crate) fn wants_check(&self) -> bool {
        let memory = self.memory();
        memory.back.is_some_and(|back| Instant::now() < back) || memory.health.wants_check()
    }

    /// Takes a call that ended into account, and says whether it was one too many failures. Calls from before the
    /// endpoint came back say nothing about it.
    pub(super) fn ended(
        &self,
        began: Instant,
        outcome: Outcome,
        limits: &Ejection,
        now: Instant,
    ) -> Option<Reason> {
        let mut memory = self.memory();
        memory.silent = memory.silent.map(|_| now);
        if memory.back.is_some_and(|back| began < back) {
            return None;
        }
        let took = now.saturating_duration_since(began);
        match outcome {
            Outcome::Answered => memory.latency.answered(took, now),
            Outcome::Declined => {}
            Outcome::Unable | Outcome::Failed => memory.latency.failed(took, now),
        }
        if outcome == Outcome::Failed {
            return memory.record.failed(limits, now);
        }
        memory.record.answered(took, limits, now);
        None
    }

    /// Leaves it out for a while: the longer the more often it has happened.
    pub(super) fn eject(&self, reason: Reason, limits: &Ejection, now: Instant) {
        let mut memory = self.memory();
        let (time, max_time) = (limits.time.duration(), limits.max_time.duration());
        let well = |back: Instant| now.saturating_duration_since(back) >= max_time;
        if memory.back.is_none_or(well) {
            memory.times = 0;
        }
        let time = time.saturating_mul(1 << memory.times.min(20)).min(max_time);
        memory.forget(now + time);
        memory.times += 1;
        memory.reason = Some(reason);
    }

    /// Lets it come back now.
    pub(super) fn readmit(&self, now: Instant) {
        let mut memory = self.memory();
        memory.back = memory.back.map(|back| back.min(now));
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Begins anew at that time.
    fn forget(&mut self, back: Instant) {
        self.latency = Latency::default();
        self.record = Record::default();
        self.back = Some(back);
    }

    fn standing(&self, limits: &Ejection, now: Instant) -> Standing {
        if self.health.is_down() {
            return Standing::Down;
        }
        let Some(back) = self.back else { return Standing::In };
        if now < back {
            return self.reason.map_or(Standing::In, Standing::Ejected);
        }
        let passed = now.saturating_duration_since(back).as_secs_f64();
        let share = passed / limits.slow_start.duration().as_secs_f64();
        if share < 1.0 { Standing::Returning(share.max(FIRST_SHARE)) } else { Standing::In }
    }
}
