//! Whether a call that failed is made again, and when.

use std::time::Duration;

use crate::context::Then;
use crate::message::Idempotency;

/// How calls of one RPC are made again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    /// Tries at most, the first included.
    pub(crate) attempts: u32,
    /// How long one try may take, where another may follow.
    pub(crate) try_timeout: Duration,
    /// How long everybody waits for the whole call.
    pub(crate) deadline: Duration,
    /// When it is safe to make the call twice.
    pub(crate) repeatable: Repeatable,
    /// The longest wait before the second try; it doubles with each.
    pub(crate) backoff: Duration,
    /// The longest wait before any try.
    pub(crate) max_backoff: Duration,
}

/// When it is safe to make a call twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeatable {
    /// It may charge a card.
    Never,
    /// The service recognizes the same call by its key.
    WithKey,
    /// The descriptors say that twice is like once.
    Always,
}

/// How a try failed, where another may do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// There was no connection: nobody can have acted on it, and this endpoint will not do so the next moment either.
    Unsent,
    /// The endpoint refused the stream, or left, before it looked at it (RFC 9113, sections 6.8 and 8.7).
    Refused,
    /// The connection broke: maybe it was acted on.
    Lost,
    /// There was no answer in the time of one try.
    Late,
    /// The service says UNAVAILABLE, and perhaps when to come again (gRFC A6).
    Unavailable(Pushback),
}

/// What a service says about coming again: `grpc-retry-pushback-ms` (gRFC A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Nothing.
    Unsaid,
    /// After so long.
    After(Duration),
    /// Not at all: a negative number, or what is no number.
    Never,
}

impl Miss {
    /// Whether nobody can have acted on the call.
    fn is_harmless(self) -> bool {
        matches!(self, Self::Unsent | Self::Refused)
    }
}

impl Repeatable {
    /// What the descriptors and the configuration say of an RPC.
    pub(crate) fn of(promise: Idempotency, named: bool) -> Self {
        match promise {
            Idempotency::NoSideEffects | Idempotency::Idempotent => Self::Always,
            Idempotency::Unknown if named => Self::WithKey,
            Idempotency::Unknown => Self::Never,
        }
    }
}

impl Pushback {
    /// Reads the value of the header, if there is one.
    pub(crate) fn read(value: Option<&[u8]>) -> Self {
        let Some(value) = value else { return Self::Unsaid };
        let millis = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
        millis.map_or(Self::Never, |millis| Self::After(Duration::from_millis(millis.into())))
    }
}

impl RetryPolicy {
    /// Whether a call may be made twice, given whether it carries a key.
    pub(crate) fn is_safe(&self, keyed: bool) -> bool {
        match self.repeatable {
            Repeatable::Always => true,
            Repeatable::WithKey => keyed,
            Repeatable::Never => false,
        }
    }

    /// Whether an endpoint that has not answered in so long a time has had what one try may take. What comes before a
    /// call takes a little of its time too.
    pub(crate) fn had_its_time(&self, took: Duration) -> bool {
        took >= self.try_timeout.min(self.deadline).mul_f64(0.9)
    }

    /// How long to wait before the next try after so many, or why there is none.
    pub(crate) fn next(
        &self,
        miss: Miss,
        tries: u32,
        keyed: bool,
        left: Duration,
    ) -> Result<Duration, Then> {
        if !miss.is_harmless() && !self.is_safe(keyed) {
            return Err(Then::Unsafe);
        }
        // What was not sent is tried elsewhere until there is nobody left.
        if miss != Miss::Unsent && tries >= self.attempts {
            return Err(Then::Attempts);
        }
        let wait = match miss {
            // Another endpoint has nothing to recover from.
            Miss::Unsent => Duration::ZERO,
            Miss::Unavailable(Pushback::Never) => return Err(Then::Pushback),
            Miss::Unavailable(Pushback::After(wait)) => wait,
            // Those who failed together do not come again together.
            _ => self.longest(tries).mul_f64(fastrand::f64()),
        };
        // Nobody would wait for the answer of a try that begins at the deadline.
        if wait < left { Ok(wait) } else { Err(Then::Deadline) }
    }

    /// The longest wait after so many tries.
    fn longest(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.backoff.saturating_mul(doubled).min(self.max_backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 3,
        try_timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(5),
        repeatable: Repeatable::Always,
        backoff: Duration::from_millis(25),
        max_backoff: Duration::from_millis(250),
    };
    const LEFT: Duration = Duration::from_secs(5);

    #[test]
    fn only_what_was_never_looked_at_is_repeated_where_twice_is_not_like_once() {
        let unavailable = Miss::Unavailable(Pushback::Unsaid);
        for (repeatable, keyed, safe) in [
            (Repeatable::Always, false, true),
            (Repeatable::WithKey, true, true),
            (Repeatable::WithKey, false, false),
            (Repeatable::Never, true, false),
        ] {
            let policy = RetryPolicy { repeatable, ..POLICY };
            for miss in [Miss::Unsent, Miss::Refused] {
                assert!(policy.next(miss, 1, keyed, LEFT).is_ok(), "{repeatable:?} {miss:?}");
            }
            for miss in [Miss::Lost, Miss::Late, unavailable] {
                let next = policy.next(miss, 1, keyed, LEFT);
                assert_eq!(next.is_ok(), safe, "{repeatable:?} {keyed} {miss:?}");
                assert!(safe || next == Err(Then::Unsafe));
            }
        }
    }

    #[test]
    fn what_the_descriptors_promise_needs_no_key() {
        use Idempotency as I;
        for (promise, named, expected) in [
            (I::NoSideEffects, false, Repeatable::Always),
            (I::Idempotent, true, Repeatable::Always),
            (I::Unknown, true, Repeatable::WithKey),
            (I::Unknown, false, Repeatable::Never),
        ] {
            assert_eq!(Repeatable::of(promise, named), expected);
        }
    }

    #[test]
    fn the_wait_is_any_up_to_one_that_doubles_and_ends_somewhere() {
        let longest = |tries| POLICY.longest(tries).as_millis();
        assert_eq!([1, 2, 3, 4, 5, 99].map(longest), [25, 50, 100, 200, 250, 250]);
        let waits: Vec<_> =
            (0..200).map(|_| POLICY.next(Miss::Lost, 2, false, LEFT).unwrap()).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most <= Duration::from_millis(50) && *least < Duration::from_millis(10));
        assert!(*most > Duration::from_millis(40), "{most:?}");
        assert_eq!(POLICY.next(Miss::Unsent, 2, false, LEFT), Ok(Duration::ZERO));
    }

    #[test]
    fn it_ends_with_the_attempts_and_before_the_deadline() {
        assert_eq!(POLICY.next(Miss::Lost, 3, false, LEFT), Err(Then::Attempts));
        assert!(POLICY.next(Miss::Unsent, 3, false, LEFT).is_ok(), "it was no attempt");
        let after = |millis| Miss::Unavailable(Pushback::After(Duration::from_millis(millis)));
        assert_eq!(POLICY.next(after(4_999), 1, false, LEFT), Ok(Duration::from_millis(4_999)));
        assert_eq!(POLICY.next(after(5_000), 1, false, LEFT), Err(Then::Deadline));
    }

    #[test]
    fn a_service_may_say_when_to_come_again_or_never() {
        assert_eq!(Pushback::read(None), Pushback::Unsaid);
        assert_eq!(Pushback::read(Some(b"0")), Pushback::After(Duration::ZERO));
        assert_eq!(Pushback::read(Some(b"70")), Pushback::After(Duration::from_millis(70)));
        for never in [&b""[..], b"-1", b"soon", b"1.5", b"\xff"] {
            assert_eq!(Pushback::read(Some(never)), Pushback::Never);
        }
        let never = Miss::Unavailable(Pushback::Never);
        assert_eq!(POLICY.next(never, 1, false, LEFT), Err(Then::Pushback));
    }
}
