//! The settings of ejection whose work takes longer than anyone waits for a test: each changes one of them. The others
//! are seen from outside (`settings/balancing.rs` of the integration tests).

use tokio::time::advance;

use super::traffic::{Script, shares};
use super::*;
use crate::setting::Period;

const SECOND: Duration = Duration::from_secs(1);

fn with(limits: Ejection) -> Peers {
    fastrand::seed(7);
    Balancer::new(Algorithm::RoundRobin, limits, members(&[1, 1]))
}

/// How long an endpoint is out the third time, in seconds.
async fn third_time(limits: Ejection) -> u64 {
    let balancer = with(limits);
    let mut out = 0;
    for _ in 0..3 {
        out = 0;
        for _ in 0..5 {
            call(&balancer, 0, Duration::ZERO, Outcome::Failed).await;
        }
        while matches!(standing(&balancer, 0), Standing::Ejected(_)) {
            advance(SECOND).await;
            out += 1;
        }
    }
    out
}

#[tokio::test(start_paused = true)]
async fn ejection_max_time() {
    assert_eq!(third_time(Ejection::default()).await, 4);
    let max_time = Period::millis(3_000);
    assert_eq!(third_time(Ejection { max_time, ..Ejection::default() }).await, 3);
}

#[tokio::test(start_paused = true)]
async fn ejection_slow_start() {
    for (slow_start, expected) in [(5, Standing::Returning(0.4)), (1, Standing::In)] {
        let slow_start = Period::millis(slow_start * 1_000);
        let balancer = with(Ejection { slow_start, ..Ejection::default() });
        for _ in 0..5 {
            call(&balancer, 0, Duration::ZERO, Outcome::Failed).await;
        }
        advance(3 * SECOND).await;
        assert_eq!(standing(&balancer, 0), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn ejection_slowness() {
    let usual: Script = |_| (Duration::from_millis(20), Outcome::Answered);
    let slow: Script = |_| (Duration::from_millis(90), Outcome::Answered);
    for (slowness, expected) in [(5, Standing::In), (4, Standing::Ejected(Reason::Slowness))] {
        let time = Period::millis(60_000);
        let balancer = with(Ejection { slowness, time, ..Ejection::default() });
        shares(&balancer, &[slow, usual], 40, 5 * SECOND).await;
        assert_eq!(standing(&balancer, 0), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn ejection_window() {
    for (window, expected) in [(10, Standing::Ejected(Reason::ErrorRate)), (4, Standing::In)] {
        let window = Period::millis(window * 1_000);
        let balancer = with(Ejection { window, ..Ejection::default() });
        for _ in 0..10 {
            call(&balancer, 0, SECOND / 4, Outcome::Answered).await;
            call(&balancer, 0, SECOND / 4, Outcome::Failed).await;
        }
        assert_eq!(standing(&balancer, 0), expected);
    }
}
