//! Traffic over a balancer on a paused clock: calls come at a rate, and each endpoint takes its time.

use tokio::time::Instant;

use super::*;

/// What an endpoint does with a call: how long it takes, and how it ends.
pub(super) type Script = fn(Duration) -> (Duration, Outcome);

/// How many calls each endpoint got in that time.
pub(super) async fn shares(
    balancer: &Peers,
    endpoints: &[Script],
    rate: u32,
    time: Duration,
) -> Vec<u32> {
    let start = Instant::now();
    let mut shares = vec![0; endpoints.len()];
    let mut calls: Vec<(Instant, Outcome, Pick<'_, Arc<Endpoint>>)> = Vec::new();
    let mut next = start;
    while next < start + time {
        // Those that end before the next call begins, in their order.
        calls.sort_by_key(|(end, ..)| std::cmp::Reverse(*end));
        while calls.last().is_some_and(|(end, ..)| *end <= next) {
            let (end, outcome, pick) = calls.pop().unwrap();
            tokio::time::advance(end - Instant::now()).await;
            pick.end(outcome);
        }
        tokio::time::advance(next - Instant::now()).await;
        let pick = balancer.pick(|_| true, |_| true).unwrap();
        let endpoint = name(&pick);
        shares[endpoint] += 1;
        let (took, outcome) = endpoints[endpoint](next - start);
        calls.push((next + took, outcome, pick));
        let gap = Duration::from_secs(1) / rate;
        next += gap.mul_f64(0.5 + fastrand::f64());
    }
    shares
}

/// Around so many milliseconds, now and then ten times as long.
pub(super) fn around(millis: f64) -> Duration {
    let usual = millis * (0.6 + 0.8 * fastrand::f64());
    let peak = if fastrand::u32(..100) == 0 { 10.0 } else { 1.0 };
    Duration::from_secs_f64(usual * peak / 1000.0)
}
