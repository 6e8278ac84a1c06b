//! Where a client stands with a limit.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// What a limit allows to everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// The limit's name.
    pub(crate) name: Arc<str>,
    /// How many requests are let through at once.
    pub(crate) burst: u32,
    /// In which time one more is.
    pub(crate) interval: Duration,
}

/// Where one client stands with a limit, after its request was counted or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What is allowed.
    pub(crate) allowance: Arc<Allowance>,
    /// How many more requests would be let through now.
    pub(crate) remaining: u32,
    /// After which time there is certainly one more.
    pub(crate) next: Duration,
}

impl Standing {
    /// Whether this one leaves less room than another.
    pub(crate) fn is_tighter_than(&self, other: &Self) -> bool {
        (self.remaining, other.next) < (other.remaining, self.next)
    }

    /// The standing as a client reads it (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4): seconds are whole
    /// and rounded up, so that nobody who goes by them comes too early.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let Allowance { name, burst, interval } = &*self.allowance;
        let window = seconds(interval.saturating_mul(*burst));
        let policy = item(name, (";q=", *burst), (";w=", window));
        let state = item(name, (";r=", self.remaining), (";t=", seconds(self.next)));
        let headers = [(POLICY, policy), (STATE, state)].into_iter();
        headers.filter_map(|(header, value)| Some((header, value?)))
    }
}

/// The name of a limit with two numbers. Every answer has two of these, so they are not left to `format!`.
fn item(
    name: &str,
    (requests, how_many): (&str, u32),
    (seconds, how_long): (&str, u64),
) -> Option<HeaderValue> {
    let (mut many, mut long) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (many, long) = (many.format(how_many), long.format(how_long));
    HeaderValue::try_from(["\"", name, "\"", requests, many, seconds, long].concat()).ok()
}

/// What the limits of a request have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Where the client stands with the tightest of them; none when there is no limit.
    pub(crate) tightest: Option<Standing>,
    /// Those that only count and would have refused.
    pub(crate) overrun: Vec<Arc<Allowance>>,
}

impl Counted {
    /// Takes into account what others have counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.overrun.extend(other.overrun);
        if let Some(standing) = other.tightest {
            self.tighten(standing);
        }
    }

    /// Takes a standing into account.
    pub(crate) fn tighten(&mut self, standing: Standing) {
        if self.tightest.as_ref().is_none_or(|tightest| standing.is_tighter_than(tightest)) {
            self.tightest = Some(standing);
        }
    }
}

/// Whole seconds, rounded up; never zero.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(remaining: u32, next: Duration) -> Standing {
        let interval = Duration::from_millis(100);
        let allowance = Allowance { name: "principal".into(), burst: 100, interval };
        Standing { allowance: Arc::new(allowance), remaining, next }
    }

    #[test]
    fn tells_burst_and_window_and_what_is_left() {
        let headers: Vec<(String, HeaderValue)> = standing(7, Duration::from_millis(100))
            .headers()
            .map(|(name, value)| (name.to_string(), value))
            .collect();
        let [(policy, allowed), (state, left)] = &headers[..] else { panic!("{headers:?}") };
        assert_eq!((&**policy, &**state), ("ratelimit-policy", "ratelimit"));
        assert_eq!(allowed, "\"principal\";q=100;w=10");
        assert_eq!(left, "\"principal\";r=7;t=1");
    }

    #[test]
    fn seconds_are_never_too_few() {
        for (millis, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
        assert_eq!(seconds(Duration::new(1, 1)), 2);
    }

    #[test]
    fn the_tighter_of_two_leaves_less_or_lets_one_wait_longer() {
        let second = Duration::from_secs(1);
        assert!(standing(1, second).is_tighter_than(&standing(2, 9 * second)));
        assert!(standing(1, 2 * second).is_tighter_than(&standing(1, second)));
        assert!(!standing(1, second).is_tighter_than(&standing(1, second)));
        assert!(!standing(2, second).is_tighter_than(&standing(1, second)));
    }
}
