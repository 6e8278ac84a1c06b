//! The set of endpoints changes while calls go on.

use super::*;

#[tokio::test(start_paused = true)]
async fn who_stays_is_remembered_and_who_is_new_is_called() {
    let all = members(&[1, 1, 1]);
    let balancer = Balancer::new(Algorithm::RoundRobin, Ejection::default(), all[..2].to_vec());
    let busy = balancer.pick(|peer| &**peer.address() == "1", |_| true).unwrap();
    call(&balancer, 1, Duration::from_millis(7), Outcome::Answered).await;
    balancer.update(all[1..].to_vec());
    let snapshot = balancer.snapshot();
    let [stays, new] = &snapshot[..] else { panic!("{snapshot:?}") };
    assert_eq!((&*stays.address, stays.in_flight), ("1", 1));
    assert!(stays.latency.is_some());
    assert_eq!((&*new.address, new.in_flight, new.latency), ("2", 0, None));
    assert_eq!(picks(&balancer, 4), [1, 2, 1, 2]);
    drop(busy);
    assert_eq!(balancer.snapshot()[0].in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_end_at_an_endpoint_that_is_gone() {
    let all = members(&[1, 1]);
    let balancer = Balancer::new(Algorithm::RoundRobin, Ejection::default(), all[..1].to_vec());
    let calls: Vec<_> = (0..9).map(|_| balancer.pick(|_| true, |_| true).unwrap()).collect();
    balancer.update(all[1..].to_vec());
    for call in calls {
        call.end(Outcome::Failed);
    }
    assert_eq!(picks(&balancer, 2), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn in_a_smaller_set_fewer_may_be_out() {
    let all = members(&[1, 1, 1, 1]);
    let balancer = Balancer::new(Algorithm::RoundRobin, Ejection::default(), all.clone());
    for endpoint in [0, 1] {
        for _ in 0..5 {
            call(&balancer, endpoint, Duration::ZERO, Outcome::Failed).await;
        }
    }
    balancer.update(all[..2].to_vec());
    assert!(matches!(standing(&balancer, 0), Standing::Ejected(_)));
    assert_eq!(standing(&balancer, 1), Standing::Returning(0.1));
}
