//! How much of an upstream's traffic may be retries.
//!
//! A limit of tries for each request is not enough: when everything fails, three tries of each are three times the load,
//! just when the service can't even bear the load itself. So retries are a share of the requests, of all together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;
use crate::setting::Percent;

/// What the share is taken of: the requests of so long.
const PERIOD: Duration = Duration::from_secs(10);

/// Retries in a period that are always allowed: of little traffic a share is nothing.
const ALWAYS: u64 = 3;

/// The period in buckets. Retries are looked at in one more, so that no ten seconds, wherever they begin, hold more of
/// them than the share of their own requests.
const BUCKETS: u64 = 20;

const REQUEST: usize = 0;
const RETRY: usize = 1;

/// The retries of one upstream: at most a share of the requests of the last ten seconds, or three, whichever is more.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    share: Percent,
    lately: Mutex<Window<21>>,
}

impl RetryBudget {
    /// A budget of that share.
    pub(crate) fn new(share: Percent) -> Self {
        let width = PERIOD / u32::try_from(BUCKETS).unwrap_or(1);
        Self { share, lately: Mutex::new(Window::new(width)) }
    }

    /// Counts a request: its first try, whatever becomes of it.
    pub(crate) fn deposit(&self) {
        self.lately().add(REQUEST, Instant::now());
    }

    /// Takes one retry out of the budget, if there is one in it.
    pub(crate) fn withdraw(&self) -> bool {
        let (mut lately, now) = (self.lately(), Instant::now());
        let allowed = self.share.of(lately.count(REQUEST, BUCKETS, now)).max(ALWAYS);
        let left = lately.count(RETRY, BUCKETS + 1, now) < allowed;
        if left {
            lately.add(RETRY, now);
        }
        left
    }

    fn lately(&self) -> std::sync::MutexGuard<'_, Window<21>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Request,
        Retry,
        Later(u64),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            6 => Just(Event::Request),
            4 => Just(Event::Retry),
            2 => (0_u64..4_000).prop_map(Event::Later),
        ];
        proptest::collection::vec(event, 0..400)
    }

    /// The moments of a kind that are younger than so much.
    fn younger(moments: &[Instant], age: Duration) -> u64 {
        moments.iter().filter(|moment| moment.elapsed() < age).count() as u64
    }

    /// Against exact times: never more than the budget, and never much less.
    async fn holds(share: Percent, events: Vec<Event>) {
        let budget = RetryBudget::new(share);
        let (mut requests, mut retries) = (Vec::new(), Vec::new());
        let bucket = PERIOD / 20;
        let shorter = bucket * 19;
        for event in events {
            match event {
                Event::Later(millis) => time::advance(Duration::from_millis(millis)).await,
                Event::Request => {
                    budget.deposit();
                    requests.push(Instant::now());
                }
                Event::Retry => {
                    let most = share.of(younger(&requests, PERIOD)).max(ALWAYS);
                    let surely = share.of(younger(&requests, shorter)).max(ALWAYS);
                    let surely = younger(&retries, PERIOD + bucket) < surely;
                    let allowed = budget.withdraw();
                    if allowed {
                        retries.push(Instant::now());
                        assert!(younger(&retries, PERIOD) <= most, "more than the budget");
                    }
                    assert!(allowed || !surely, "less than the budget");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_ten_seconds_hold_more_retries_than_their_share_and_no_fewer_are_refused(
            share in 0_u8..=100, events in events()
        ) {
            let clock = tokio::runtime::Builder::new_current_thread();
            let clock = { clock }.enable_time().start_paused(true).build().unwrap();
            clock.block_on(holds(Percent::of_hundred(share), events));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_traffic_and_always_three() {
        let budget = RetryBudget::new(Percent::of_hundred(20));
        assert_eq!((0..9).filter(|_| budget.withdraw()).count(), 3, "of no traffic at all");
        (0..100).for_each(|_| budget.deposit());
        assert_eq!((0..99).filter(|_| budget.withdraw()).count(), 17);
        time::advance(PERIOD + Duration::from_millis(500)).await;
        assert_eq!(
            (0..9).filter(|_| budget.withdraw()).count(),
            3,
            "what is long ago counts no more"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn when_everything_fails_for_a_minute_the_tries_stay_within_a_fifth() {
        let budget = RetryBudget::new(Percent::of_hundred(20));
        let (mut requests, mut tries) = (0_u64, 0);
        for _ in 0..6_000 {
            budget.deposit();
            (requests, tries) = (requests + 1, tries + 1);
            tries += (0..2).filter(|_| budget.withdraw()).count() as u64;
            time::advance(Duration::from_millis(10)).await;
        }
        assert!(tries * 10 <= requests * 12 + 6 * 3 * 10, "{tries} tries of {requests} requests");
        assert!(tries * 10 >= requests * 11, "{tries} tries of {requests} requests");
    }
}
