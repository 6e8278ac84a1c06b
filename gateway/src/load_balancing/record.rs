//! What an endpoint has done lately: how often it failed, and how long it took.

use std::time::Duration;

use tokio::time::Instant;

use super::config::Ejection;

/// The parts of a window. The oldest is forgotten as a whole.
const PARTS: usize = 5;

/// What is counted of one part of the window.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Which part it is, counted from the first answer.
    number: u128,
    answers: u32,
    failures: u32,
    took: Duration,
}

/// The last answers and failures of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Record {
    row: u32,
    parts: [Part; PARTS],
    began: Option<Instant>,
}

/// Why an endpoint does too badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It failed too many times in a row.
    Failures,
    /// Too large a share of its calls failed.
    ErrorRate,
    /// It is much slower than the others.
    Slowness,
}

impl Record {
    /// Counts an answer.
    pub(super) fn answered(&mut self, took: Duration, limits: &Ejection, now: Instant) {
        self.row = 0;
        let part = self.part(limits, now);
        part.answers = part.answers.saturating_add(1);
        part.took = part.took.saturating_add(took);
    }

    /// Counts a failure, and says whether it was one too many.
    pub(super) fn failed(&mut self, limits: &Ejection, now: Instant) -> Option<Reason> {
        self.row = self.row.saturating_add(1);
        let part = self.part(limits, now);
        part.failures = part.failures.saturating_add(1);
        if self.row >= limits.failures {
            return Some(Reason::Failures);
        }
        let sum = |count: fn(&Part) -> u32| self.parts.iter().map(count).map(u64::from).sum();
        let failures: u64 = sum(|part| part.failures);
        let calls = failures + sum(|part| part.answers);
        let too_many = calls >= limits.volume.into() && failures >= limits.error_rate.of(calls);
        (too_many && !limits.error_rate.is_zero()).then_some(Reason::ErrorRate)
    }

    /// How long its answers took on average; none while there are too few of them.
    pub(super) fn average(&mut self, limits: &Ejection, now: Instant) -> Option<Duration> {
        self.part(limits, now);
        let answers: u32 = self.parts.iter().map(|part| part.answers).sum();
        let took: Duration = self.parts.iter().map(|part| part.took).sum();
        (answers > 0 && answers >= limits.volume).then(|| took / answers)
    }

    /// The part of the window that is now. Forgets those that are no longer in the window.
    fn part(&mut self, limits: &Ejection, now: Instant) -> &mut Part {
        let parts = PARTS as u128;
        let length = limits.window.duration().as_nanos().div_ceil(parts);
        let began = *self.began.get_or_insert(now);
        let number = now.saturating_duration_since(began).as_nanos() / length;
        for part in self.parts.iter_mut().filter(|part| part.number + parts <= number) {
            *part = Part::default();
        }
        let part = &mut self.parts[usize::try_from(number % parts).unwrap_or_default()];
        part.number = number;
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_failures_in_a_row_count_as_such() {
        let (limits, now) = (Ejection::default(), Instant::now());
        let mut record = Record::default();
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(record.failed(&limits, now), None);
            }
            record.answered(SECOND, &limits, now);
        }
        for _ in 0..4 {
            assert_eq!(record.failed(&limits, now), None);
        }
        assert_eq!(record.failed(&limits, now), Some(Reason::Failures));
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_failures_means_nothing_among_few_calls_and_only_counts_what_is_recent() {
        let (limits, start) = (Ejection::default(), Instant::now());
        let mut record = Record::default();
        for call in 0..9 {
            record.answered(SECOND, &limits, start);
            assert_eq!(record.failed(&limits, start), None, "{call}");
        }
        record.answered(SECOND, &limits, start);
        assert_eq!(record.failed(&limits, start), Some(Reason::ErrorRate), "the twentieth call");
        let later = start + limits.window.duration();
        record.answered(SECOND, &limits, later);
        assert_eq!(record.failed(&limits, later), None, "the others are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn the_average_is_of_the_window() {
        let limits = Ejection { volume: 2, ..Ejection::default() };
        let start = Instant::now();
        let mut record = Record::default();
        record.answered(SECOND, &limits, start);
        assert_eq!(record.average(&limits, start), None);
        record.answered(3 * SECOND, &limits, start + 3 * SECOND);
        assert_eq!(record.average(&limits, start + 9 * SECOND), Some(2 * SECOND));
        assert_eq!(record.average(&limits, start + 11 * SECOND), None, "one is forgotten");
        record.answered(5 * SECOND, &limits, start + 11 * SECOND);
        assert_eq!(record.average(&limits, start + 11 * SECOND), Some(4 * SECOND));
    }
}
