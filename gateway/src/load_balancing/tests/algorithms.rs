use super::traffic::{Script, around, shares};
use super::*;

const ALL: [Algorithm; 3] =
    [Algorithm::LeastLatency, Algorithm::LeastRequests, Algorithm::RoundRobin];

#[tokio::test(start_paused = true)]
async fn round_robin_takes_each_endpoint_in_turn() {
    assert_eq!(picks(&balancer(Algorithm::RoundRobin, &[1, 1, 1]), 6), [0, 1, 2, 0, 1, 2]);
    assert_eq!(picks(&balancer(Algorithm::RoundRobin, &[3, 1]), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_over_does_not_take_the_turn_of_the_next() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    let first_tries: Vec<usize> = (0..4)
        .map(|_| {
            let first = name(&balancer.pick(|_| true, |_| true).unwrap());
            let second =
                balancer.pick(|peer| **peer.address() != *first.to_string(), |_| true).unwrap();
            assert_ne!(name(&second), first);
            first
        })
        .collect();
    assert_eq!(first_tries, [0, 1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn round_robin_does_not_look_at_what_is_in_flight() {
    let balancer = balancer(Algorithm::RoundRobin, &[1, 1]);
    let _busy = balancer.pick(|_| true, |_| true).unwrap();
    assert_eq!(picks(&balancer, 3), [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn least_requests_avoids_the_busy_endpoint_until_it_is_free() {
    let balancer = balancer(Algorithm::LeastRequests, &[1, 1]);
    let busy = balancer.pick(|_| true, |_| true).unwrap();
    assert_eq!(name(&busy), 0);
    assert_eq!(picks(&balancer, 3), [1, 1, 1]);
    drop(busy);
    let free = picks(&balancer, 4);
    assert!(free.contains(&0) && free.contains(&1), "{free:?}");
}

#[tokio::test(start_paused = true)]
async fn least_requests_lets_the_heavier_one_hold_more() {
    let balancer = balancer(Algorithm::LeastRequests, &[3, 1]);
    let held: Vec<_> = (0..8).map(|_| balancer.pick(|_| true, |_| true).unwrap()).collect();
    assert_eq!(held.iter().filter(|pick| name(pick) == 0).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_the_predicate_refuses_is_never_picked() {
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[1, 1, 1]);
        for _ in 0..9 {
            let pick = balancer.pick(|peer| &**peer.address() == "1", |_| true).unwrap();
            assert_eq!(name(&pick), 1);
        }
        assert!(balancer.pick(|_| false, |_| true).is_none());
        assert!(self::balancer(algorithm, &[]).pick(|_| true, |_| true).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn three_equals_are_even_within_a_tenth() {
    for algorithm in ALL {
        let same: Script = |_| (around(5.0), Outcome::Answered);
        for rate in [200, 2000] {
            let balancer = balancer(algorithm, &[1, 1, 1]);
            let time = Duration::from_mins(1);
            let shares = shares(&balancer, &[same; 3], rate, time).await;
            let mean = shares.iter().sum::<u32>() / 3;
            for share in &shares {
                assert!(share.abs_diff(mean) * 10 <= mean, "{algorithm:?} {rate}: {shares:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_twice_as_long_gets_visibly_less() {
    let quick: Script = |_| (around(5.0), Outcome::Answered);
    let slow: Script = |_| (around(10.0), Outcome::Answered);
    for rate in [20, 200] {
        let balancer = balancer(Algorithm::LeastLatency, &[1, 1, 1]);
        let endpoints = [slow, quick, quick];
        let shares = shares(&balancer, &endpoints, rate, Duration::from_mins(1)).await;
        let (slow, quick) = (shares[0], u32::midpoint(shares[1], shares[2]));
        assert!(slow * 4 < quick * 3, "{rate}: {shares:?}");
        assert!(slow * 10 > quick, "it is still asked, {rate}: {shares:?}");
    }
}

/// Nothing is in flight when the next call comes, so latency alone decides.
#[tokio::test(start_paused = true)]
async fn one_that_is_slower_by_a_hair_gets_its_share_nevertheless() {
    let usual: Script = |_| (Duration::from_millis(10), Outcome::Answered);
    let slower: Script = |_| (Duration::from_millis(11), Outcome::Answered);
    let balancer = balancer(Algorithm::LeastLatency, &[1, 1]);
    let shares = shares(&balancer, &[slower, usual], 20, Duration::from_mins(1)).await;
    assert!(shares[0] * 10 > shares[1] * 9, "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn weights_are_shares_among_equals() {
    let same: Script = |_| (Duration::from_millis(5), Outcome::Answered);
    for algorithm in ALL {
        let balancer = balancer(algorithm, &[3, 1, 1]);
        let shares = shares(&balancer, &[same; 3], 100, Duration::from_mins(1)).await;
        let all = shares.iter().sum::<u32>();
        let heavy = f64::from(shares[0]) / f64::from(all);
        assert!((0.55..0.65).contains(&heavy), "{algorithm:?}: {shares:?}");
    }
}

/// Without ejection: the measure alone keeps it from being the favourite.
#[tokio::test(start_paused = true)]
async fn one_that_fails_at_once_does_not_attract_calls() {
    let good: Script = |_| (around(5.0), Outcome::Answered);
    let broken: Script = |_| (Duration::from_millis(1), Outcome::Failed);
    let limits = Ejection { failures: u32::MAX, volume: u32::MAX, ..Ejection::default() };
    fastrand::seed(7);
    let balancer = Balancer::new(Algorithm::LeastLatency, limits, members(&[1, 1, 1]));
    let endpoints = [broken, good, good];
    let shares = shares(&balancer, &endpoints, 200, Duration::from_mins(1)).await;
    assert!(shares[0] * 30 < shares[1], "{shares:?}");
}
