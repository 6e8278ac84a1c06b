//! How long to wait before trying again: longer each time, and never all at the same moment.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// The pause after `tries` failures. Different `salt`s, for example ids, spread over its last quarter.
pub(crate) fn pause(tries: u32, salt: &str) -> Duration {
    let longest =
        FIRST.saturating_mul(1_u32.checked_shl(tries.min(16)).unwrap_or(u32::MAX)).min(LONGEST);
    // The end of a UUID is random.
    let spread = salt
        .bytes()
        .rev()
        .take(4)
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
        % 256;
    longest.saturating_sub(longest.saturating_mul(spread) / 1024)
}

#[cfg(test)]
mod tests {
    use service_kit::ids;

    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut before = Duration::ZERO;
        for tries in 0..5 {
            let now = pause(tries, "");
            assert!(now > before && now <= LONGEST, "{tries}");
            before = now;
        }
        assert_eq!((pause(5, ""), pause(u32::MAX, "")), (LONGEST, LONGEST));
    }

    #[test]
    fn not_all_wait_equally_long() {
        let pauses: Vec<_> = (0..100).map(|_| pause(9, &ids::fresh())).collect();
        assert!(pauses.iter().all(|pause| *pause <= LONGEST && *pause >= LONGEST.mul_f64(0.75)));
        assert!(pauses.iter().max() > pauses.iter().min());
    }
}
