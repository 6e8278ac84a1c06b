//! Calendar time, passed in so that tests set it. Databases keep it as microseconds since 1970, UTC.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tells the time: the system's, or the one a test has set. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Set(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The system's calendar clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `time` until it is [advanced](Self::advance).
    pub fn set_to(time: Timestamp) -> Self {
        Self(Source::Set(Arc::new(Mutex::new(time))))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Set(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a set clock forward; the system's clock can't be moved.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Set(time) = &self.0 {
            let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
            *time = later(*time, by);
        }
    }
}

/// `time` plus `by`, or the last time there is (the year 9999).
pub fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A column of microseconds as a protobuf timestamp.
pub fn to_proto(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_moves_only_when_told_and_for_all_its_clones() {
        let clock = Clock::set_to(Timestamp::UNIX_EPOCH);
        let same = clock.clone();
        assert_eq!(same.now(), Timestamp::UNIX_EPOCH);
        clock.advance(SignedDuration::from_secs(90));
        assert_eq!(same.now().as_second(), 90);
    }

    #[test]
    fn micros_become_timestamps_also_before_1970() {
        assert_eq!(to_proto(1_500_000), prost_types::Timestamp { seconds: 1, nanos: 500_000_000 });
        assert_eq!(to_proto(-1), prost_types::Timestamp { seconds: -1, nanos: 999_999_000 });
    }
}
