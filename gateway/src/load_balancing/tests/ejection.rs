use tokio::time::advance;

use super::traffic::{Script, around, shares};
use super::*;

const MS: Duration = Duration::from_millis(1);

async fn fail(balancer: &Peers, endpoint: usize, times: usize) {
    for _ in 0..times {
        call(balancer, endpoint, MS, Outcome::Failed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_eject_and_time_brings_it_back() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    fail(&balancer, 0, 4).await;
    assert_eq!(standing(&balancer, 0), Standing::In);
    fail(&balancer, 0, 1).await;
    assert_eq!(standing(&balancer, 0), Standing::Ejected(Reason::Failures));
    assert_eq!(picks(&balancer, 4), [1, 1, 1, 1]);
    advance(1000 * MS).await;
    assert_eq!(standing(&balancer, 0), Standing::Returning(0.1));
    advance(2500 * MS).await;
    assert_eq!(standing(&balancer, 0), Standing::Returning(0.5));
    advance(2500 * MS).await;
    assert_eq!(standing(&balancer, 0), Standing::In);
}

#[tokio::test(start_paused = true)]
async fn it_stays_out_longer_each_time_until_it_has_been_well_for_long() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    let mut times = Vec::new();
    for round in 0..8 {
        fail(&balancer, 0, 5).await;
        let mut out = 0;
        while matches!(standing(&balancer, 0), Standing::Ejected(_)) {
            advance(100 * MS).await;
            out += 1;
        }
        times.push(out / 10);
        if round == 6 {
            advance(Ejection::default().max_time.duration()).await;
        }
    }
    assert_eq!(times, [1, 2, 4, 8, 16, 30, 30, 1]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_takes_its_share_slowly() {
    let balancer = balancer(Algorithm::LeastLatency, &[1, 1]);
    let good: Script = |_| (5 * MS, Outcome::Answered);
    let second = Duration::from_secs(1);
    shares(&balancer, &[good; 2], 200, second).await;
    fail(&balancer, 0, 5).await;
    assert_eq!(shares(&balancer, &[good; 2], 200, second).await[0], 0);
    let mut back = Vec::new();
    for _ in 0..6 {
        back.push(shares(&balancer, &[good; 2], 200, second).await[0]);
    }
    assert!((3..25).contains(&back[0]), "{back:?}");
    assert!(back[0] < back[2] && back[2] < back[4] && back[5] > 75, "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn half_of_the_calls_failing_is_too_many() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    for _ in 0..9 {
        call(&balancer, 0, MS, Outcome::Answered).await;
        fail(&balancer, 0, 1).await;
    }
    call(&balancer, 0, MS, Outcome::Answered).await;
    assert_eq!(standing(&balancer, 0), Standing::In);
    fail(&balancer, 0, 1).await;
    assert_eq!(standing(&balancer, 0), Standing::Ejected(Reason::ErrorRate));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_many_times_as_slow_as_the_others_is_ejected() {
    fastrand::seed(7);
    let limits = Ejection { time: Ejection::default().max_time, ..Ejection::default() };
    let balancer = Balancer::new(Algorithm::RoundRobin, limits, members(&[1, 1, 1]));
    let good: Script = |_| (around(20.0), Outcome::Answered);
    let slow: Script = |_| (around(200.0), Outcome::Answered);
    let rather_slow: Script = |_| (around(60.0), Outcome::Answered);
    let time = Duration::from_secs(3);
    shares(&balancer, &[rather_slow, good, good], 60, time).await;
    assert_eq!(standing(&balancer, 0), Standing::In);
    shares(&balancer, &[slow, good, good], 60, 3 * time).await;
    assert_eq!(standing(&balancer, 0), Standing::Ejected(Reason::Slowness));
    // In the times of one thousandth of a second, ten times as slow is noise.
    let balancer = self::balancer(Algorithm::RoundRobin, &[1, 1, 1]);
    let good: Script = |_| (around(1.0), Outcome::Answered);
    let slow: Script = |_| (around(10.0), Outcome::Answered);
    shares(&balancer, &[slow, good, good], 60, 2 * time).await;
    assert_eq!(standing(&balancer, 0), Standing::In);
}

#[tokio::test(start_paused = true)]
async fn never_more_than_half_is_out_and_never_the_only_one() {
    for (count, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let balancer = balancer(Algorithm::RoundRobin, &vec![1; count]);
        for endpoint in 0..count {
            fail(&balancer, endpoint, 20).await;
        }
        let out = (0..count)
            .filter(|endpoint| matches!(standing(&balancer, *endpoint), Standing::Ejected(_)))
            .count();
        assert_eq!(out, most, "of {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_any_more_says_nothing() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    for _ in 0..20 {
        drop(balancer.pick(|peer| &**peer.address() == "0", |_| true).unwrap());
    }
    assert_eq!(standing(&balancer, 0), Standing::In);
    assert_eq!((balancer.snapshot()[0].latency, balancer.snapshot()[0].in_flight), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_it_came_back_say_nothing() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    let old: Vec<_> =
        (0..9).map(|_| balancer.pick(|peer| &**peer.address() == "0", |_| true).unwrap()).collect();
    fail(&balancer, 0, 5).await;
    advance(1000 * MS).await;
    for pick in old {
        pick.end(Outcome::Failed);
    }
    assert_eq!(standing(&balancer, 0), Standing::Returning(0.1));
    assert_eq!(balancer.snapshot()[0].latency, None);
}

/// 200 calls a second over three endpoints, one of which refuses every call from now on.
#[tokio::test(start_paused = true)]
async fn a_killed_one_of_three_loses_its_calls_within_a_second() {
    let good: Script = |_| (around(5.0), Outcome::Answered);
    let killed: Script = |_| (MS / 2, Outcome::Failed);
    for algorithm in [Algorithm::LeastLatency, Algorithm::LeastRequests, Algorithm::RoundRobin] {
        let balancer = balancer(algorithm, &[1, 1, 1]);
        shares(&balancer, &[good; 3], 200, Duration::from_secs(10)).await;
        let shares = shares(&balancer, &[killed, good, good], 200, Duration::from_secs(1)).await;
        assert!(shares[0] <= 5, "{algorithm:?}: {shares:?}");
    }
}
