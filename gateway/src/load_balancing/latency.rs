//! How long an endpoint takes: a moving average that believes bad news sooner than good.
//!
//! ```text
//! ms  40 ┤        ╭──╮              a few slow answers lift it,
//!        │      ╭─╯  ╰──╮           quick ones bring it down with time
//!      5 ┤──────╯       ╰──────
//! ```
//!
//! An average that weighs both alike would need many answers to notice that an endpoint is slow, and those would all
//! wait. One that jumps to each peak (as the original does: peak EWMA, Finagle) lets a single bad answer decide who of
//! equals is asked for seconds. A failure does jump: it is no noise.

use std::time::Duration;

use tokio::time::Instant;

use super::NOTICEABLE;

/// In which time what was seen loses two thirds of its weight.
const DECAY: Duration = Duration::from_secs(2);

/// How far one slower answer lifts the average towards itself.
const RISE: f64 = 0.1;

/// What a failure counts as. Whoever fails at once would otherwise be the quickest of all and be given everything.
const FAILURE: Duration = Duration::from_secs(1);

/// The moving average of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    seen: Option<(f64, Instant)>,
}

impl Latency {
    /// Takes an answer into account.
    pub(super) fn answered(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let average = match self.seen {
            None => took,
            Some((average, _)) if took > average => average + (took - average) * RISE,
            Some((average, at)) => took + (average - took) * kept(at, now),
        };
        self.seen = Some((average, now));
    }

    /// Takes a failure into account, as an answer that took long.
    pub(super) fn failed(&mut self, took: Duration, now: Instant) {
        let least = took.max(FAILURE).as_secs_f64();
        let average = self.seen.map_or(least, |(average, _)| average.max(least));
        self.seen = Some((average, now));
    }

    /// Takes into account that a call took no less than that, without an answer.
    pub(super) fn at_least(&mut self, took: Duration, now: Instant) {
        let slower = self.estimate(now).is_none_or(|average| average < took.as_secs_f64());
        if slower && took >= NOTICEABLE {
            self.answered(took, now);
        }
    }

    /// The average in seconds; none before the first answer. While nothing is heard of an endpoint it falls, so that it
    /// is asked again in the end.
    pub(super) fn estimate(&self, now: Instant) -> Option<f64> {
        self.seen.map(|(average, at)| (average * kept(at, now)).max(f64::MIN_POSITIVE))
    }
}

/// How much of an average is left after a while.
fn kept(at: Instant, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(at).as_secs_f64();
    (-passed / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn millis(latency: &Latency, now: Instant) -> f64 {
        latency.estimate(now).unwrap() * 1000.0
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_count_sooner_than_quick_ones() {
        let start = Instant::now();
        let mut latency = Latency::default();
        assert_eq!(latency.estimate(start), None);
        latency.answered(5 * MS, start);
        for _ in 0..10 {
            latency.answered(40 * MS, start);
        }
        let risen = millis(&latency, start);
        assert!((27.0..29.0).contains(&risen), "{risen}");
        for _ in 0..100 {
            latency.answered(5 * MS, start + MS);
        }
        assert!(millis(&latency, start + MS) > risen - 0.1);
        latency.answered(5 * MS, start + MS + DECAY);
        let fallen = millis(&latency, start + MS + DECAY);
        assert!((13.0..14.0).contains(&fallen), "{fallen}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_failure_counts_as_much_as_many_slow_answers() {
        let start = Instant::now();
        let mut latency = Latency::default();
        latency.answered(5 * MS, start);
        latency.failed(MS, start);
        assert!(millis(&latency, start) >= 999.9);
        latency.failed(3000 * MS, start);
        assert!(millis(&latency, start) >= 2999.9);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_asked_is_thought_quicker_with_time() {
        let start = Instant::now();
        let mut latency = Latency::default();
        latency.answered(40 * MS, start);
        let after = millis(&latency, start + 2 * DECAY);
        assert!((5.0..6.0).contains(&after), "{after}");
        assert!(latency.estimate(start + 10_000 * DECAY).unwrap() > 0.0);
    }
}
