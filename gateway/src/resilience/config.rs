//! The section `resilience`.

use std::time::Duration;

use serde::Deserialize;

use super::{Repeatable, RetryPolicy, Room, Trip};
use crate::message::Idempotency;
use crate::setting::{Percent, Period, Problem, Spanned, layered};

layered! {
    /// How failures are contained.
    own: {
        /// RPCs whose service recognizes the same call by its idempotency key: with one, they are safe to repeat.
        idempotency_key: Vec<Spanned<String>>,
    }
    options: {
        /// The longest a client waits for an answer, all tries included.
        deadline: Spanned<Period>,
        /// How long one try may take, of an RPC that may be repeated.
        try_timeout: Spanned<Period>,
        /// Tries at most, the first included.
        attempts: Spanned<u32>,
        /// The longest wait before the second try; it doubles with each.
        backoff: Spanned<Period>,
        /// The longest wait before any try.
        max_backoff: Spanned<Period>,
        /// How long a stream may be silent. Its deadline covers only its beginning.
        stream_idle: Period,
        /// How long a stream may live.
        stream_age: Period,
        /// The share of an upstream's requests that may be retries.
        retry_budget: Spanned<Percent>,
        /// Calls of an upstream at once.
        max_requests: Spanned<u32>,
        /// Calls that wait until one of those ends.
        max_queue: Spanned<u32>,
        /// How long they wait.
        queue_timeout: Spanned<Period>,
        /// When an endpoint is not asked any more.
        breaker: Spanned<Breaker>,
    }
}

/// When an endpoint is not asked any more, and for how long.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Breaker {
    /// Whether there is one.
    enabled: bool,
    /// Failures in a row that open it.
    failures: u32,
    /// The share of failures in the window that opens it.
    rate: Percent,
    /// How many calls there must be in the window before a share means anything.
    volume: u32,
    /// How long the window is.
    window: Period,
    /// For how long it opens first; it doubles each time.
    open: Period,
    /// For how long it opens at most.
    max_open: Period,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            enabled: true,
            failures: 5,
            rate: Percent::of_hundred(50),
            volume: 20,
            window: Period::millis(10_000),
            open: Period::millis(500),
            max_open: Period::millis(4_000),
        }
    }
}

const DEADLINE: Period = Period::millis(5_000);
const TRY_TIMEOUT: Period = Period::millis(2_000);
const ATTEMPTS: u32 = 3;
const MOST_ATTEMPTS: u32 = 10;
const BACKOFF: Period = Period::millis(25);
const MAX_BACKOFF: Period = Period::millis(250);
const STREAM_IDLE: Period = Period::millis(15 * 60 * 1_000);
const STREAM_AGE: Period = Period::millis(60 * 60 * 1_000);
const RETRY_BUDGET: Percent = Percent::of_hundred(20);
const MAX_REQUESTS: u32 = 1_000;
const MAX_QUEUE: u32 = 100;
const QUEUE_TIMEOUT: Period = Period::millis(100);

/// How long anyone waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest a client waits for an answer, or for the beginning of a stream.
    pub(crate) deadline: Duration,
    /// How long the service may send nothing in a stream while the client is ready to read.
    pub(crate) idle: Duration,
    /// How long a stream may live.
    pub(crate) age: Duration,
}

impl Config {
    /// How long anyone waits for an RPC.
    pub(crate) fn limits(&self, rpc: &str, upstream: &str) -> Limits {
        let layer = self.of_rpc(rpc, upstream);
        Limits {
            deadline: value(layer.deadline, DEADLINE).duration(),
            idle: layer.stream_idle.unwrap_or(STREAM_IDLE).duration(),
            age: layer.stream_age.unwrap_or(STREAM_AGE).duration(),
        }
    }

    /// How calls of an RPC are made again, given what the descriptors promise.
    pub(crate) fn retries(&self, rpc: &str, upstream: &str, promise: Idempotency) -> RetryPolicy {
        let layer = self.of_rpc(rpc, upstream);
        let named = self.idempotency_key.iter().any(|named| named.value == rpc);
        RetryPolicy {
            attempts: value(layer.attempts, ATTEMPTS),
            try_timeout: value(layer.try_timeout, TRY_TIMEOUT).duration(),
            deadline: value(layer.deadline, DEADLINE).duration(),
            repeatable: Repeatable::of(promise, named),
            backoff: value(layer.backoff, BACKOFF).duration(),
            max_backoff: value(layer.max_backoff, MAX_BACKOFF).duration(),
        }
    }

    /// How much of an upstream's traffic may be retries.
    pub(crate) fn budget(&self, upstream: &str) -> Percent {
        value(self.of_upstream(upstream).retry_budget, RETRY_BUDGET)
    }

    /// How many calls of an upstream there is room for.
    pub(crate) fn room(&self, upstream: &str) -> Room {
        let layer = self.of_upstream(upstream);
        let count =
            |written, default| usize::try_from(value(written, default)).unwrap_or(usize::MAX);
        Room {
            requests: count(layer.max_requests, MAX_REQUESTS),
            queue: count(layer.max_queue, MAX_QUEUE),
            patience: value(layer.queue_timeout, QUEUE_TIMEOUT).duration(),
        }
    }

    /// When an upstream's endpoints are not asked any more.
    pub(crate) fn trip(&self, upstream: &str) -> Trip {
        let breaker = value(self.of_upstream(upstream).breaker, Breaker::default());
        Trip {
            failures: breaker.enabled.then_some(breaker.failures),
            rate: breaker.rate,
            volume: breaker.volume.into(),
            window: breaker.window.duration(),
            open: breaker.open.duration(),
            max_open: breaker.max_open.duration(),
        }
    }

    /// Notes the values that contradict themselves or each other, given the upstream of each RPC.
    pub(crate) fn check<'a>(
        &self,
        upstream_of: impl Fn(&str) -> Option<&'a str>,
        problems: &mut Vec<Problem>,
    ) {
        let everywhere = self.defaults();
        everywhere.check("resilience", &Layer::default(), problems);
        for (upstream, layer) in &self.upstreams {
            layer.value.check(&format!("resilience.upstreams.{upstream}"), &everywhere, problems);
        }
        for (rpc, layer) in &self.rpcs {
            let path = format!("resilience.rpcs.{rpc}");
            let wider = upstream_of(rpc).map(|upstream| self.of_upstream(upstream));
            layer.value.check(&path, wider.as_ref().unwrap_or(&everywhere), problems);
            layer.value.refuse_shared(&path, problems);
        }
    }
}

impl Layer {
    fn check(&self, path: &str, wider: &Self, problems: &mut Vec<Problem>) {
        let all = self.clone().or(wider);
        let mut note = |key: &str, place: Problem| {
            problems.push(Problem { path: format!("{path}.{key}"), ..place });
        };
        if let Some(written) = &self.attempts
            && !(1..=MOST_ATTEMPTS).contains(&written.value)
        {
            let message =
                format!("write a number from 1, which is one try and no more, to {MOST_ATTEMPTS}");
            note("attempts", Problem::at(written, "", message));
        }
        if let Some(written) = &self.try_timeout
            && written.value > value(all.deadline, DEADLINE)
        {
            let message = "no try can last longer than the deadline of its call: write less";
            note("try_timeout", Problem::at(written, "", message));
        }
        if let Some(written) = &self.backoff
            && written.value > value(all.max_backoff, MAX_BACKOFF)
        {
            let message =
                "it begins above max_backoff, where it should end: write less, or more there";
            note("backoff", Problem::at(written, "", message));
        }
        if let Some(written) = &self.max_requests
            && written.value == 0
        {
            let message = "without room for a single request nothing works: write at least 1";
            note("max_requests", Problem::at(written, "", message));
        }
        if let Some(written) = &self.breaker {
            for (key, message) in written.value.mistakes() {
                note(&format!("breaker.{key}"), Problem::at(written, "", message));
            }
        }
    }

    /// What all calls of an upstream share can't be said of one RPC.
    fn refuse_shared(&self, path: &str, problems: &mut Vec<Problem>) {
        let shared = [
            (
                "retry_budget",
                self.retry_budget.as_ref().map(|written| Problem::at(written, "", "")),
            ),
            (
                "max_requests",
                self.max_requests.as_ref().map(|written| Problem::at(written, "", "")),
            ),
            ("max_queue", self.max_queue.as_ref().map(|written| Problem::at(written, "", ""))),
            (
                "queue_timeout",
                self.queue_timeout.as_ref().map(|written| Problem::at(written, "", "")),
            ),
            ("breaker", self.breaker.as_ref().map(|written| Problem::at(written, "", ""))),
        ];
        for (key, written) in shared {
            let message = format!(
                "all RPCs of an upstream share it: write {key} under resilience.upstreams.<name>"
            );
            let path = format!("{path}.{key}");
            problems.extend(written.map(|place| Problem { path, message, ..place }));
        }
    }
}

impl Breaker {
    fn mistakes(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let none = "write at least 1";
        [
            ("failures", self.failures == 0, none),
            ("rate", self.rate.is_zero(), "no failure at all is no failure: write at least 1%"),
            ("volume", self.volume == 0, none),
            ("open", self.open > self.max_open, "it opens for longer than max_open: write less"),
        ]
        .into_iter()
        .filter_map(|(key, wrong, message)| wrong.then_some((key, message)))
    }
}

fn value<T>(written: Option<Spanned<T>>, default: T) -> T {
    written.map_or(default, |written| written.value)
}
