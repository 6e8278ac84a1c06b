mod algorithms;
mod ejection;
mod health;
mod keys;
mod model;
mod set;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use super::*;

type Peers = Balancer<Arc<Endpoint>>;

fn members(weights: &[u32]) -> Vec<Member<Arc<Endpoint>>> {
    let member = |(number, weight): (usize, &u32)| Member {
        peer: Arc::new(Endpoint::new(&number.to_string())),
        weight: *weight,
    };
    weights.iter().enumerate().map(member).collect()
}

/// A balancer over endpoints with the names 0, 1, 2, … and these weights.
fn balancer(algorithm: Algorithm, weights: &[u32]) -> Peers {
    fastrand::seed(7);
    Balancer::new(algorithm, Ejection::default(), members(weights))
}

fn name(pick: &Pick<'_, Arc<Endpoint>>) -> usize {
    pick.peer().address().parse().unwrap()
}

/// Picks so many times, each call ending before the next.
fn picks(balancer: &Peers, count: usize) -> Vec<usize> {
    (0..count).map(|_| name(&balancer.pick(|_| true, |_| true).unwrap())).collect()
}

/// One call to that endpoint with that end.
async fn call(balancer: &Peers, endpoint: usize, took: Duration, outcome: Outcome) {
    let address = endpoint.to_string();
    let pick = balancer.pick(|peer| **peer.address() == *address, |_| true).unwrap();
    tokio::time::advance(took).await;
    pick.end(outcome);
}

fn standing(balancer: &Peers, endpoint: usize) -> Standing {
    balancer.snapshot()[endpoint].standing
}

fn endpoint_of(balancer: &Peers, endpoint: usize) -> Arc<Endpoint> {
    Arc::clone(&balancer.set.load().members[endpoint].peer)
}
