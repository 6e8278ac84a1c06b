//! Room 5: chooses the endpoint of an upstream that takes the next try.
//!
//! It counts what is in flight at each endpoint and decides per request, not per connection. It never opens a
//! connection and never judges whether an endpoint is healthy: whoever picks passes a predicate that does.
//! Chapter 5: docs/05-load-balancing.md

mod config;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use config::{Algorithm, Config};

/// One address of an upstream, with what the balancer remembers about it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: Arc<str>,
    in_flight: AtomicUsize,
}

impl Endpoint {
    /// An endpoint that has nothing in flight.
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.into(), in_flight: AtomicUsize::new(0) }
    }

    /// The address as the configuration spells it.
    pub(crate) fn address(&self) -> &Arc<str> {
        &self.address
    }
}

/// Chooses among the endpoints of one upstream.
#[derive(Debug)]
pub(crate) struct Balancer {
    algorithm: Algorithm,
    endpoints: Vec<Arc<Endpoint>>,
    turn: AtomicUsize,
}

impl Balancer {
    /// A balancer over these endpoints.
    pub(crate) fn new(algorithm: Algorithm, endpoints: Vec<Arc<Endpoint>>) -> Self {
        Self { algorithm, endpoints, turn: AtomicUsize::new(0) }
    }

    /// Begins a call. All its tries share one turn: who fails over must not make the next call begin where it did.
    pub(crate) fn turn(&self) -> Turn {
        Turn(self.turn.fetch_add(1, Ordering::Relaxed))
    }

    /// Picks an endpoint that `admits` lets through, given its index; `None` when there is none.
    ///
    /// The choice counts as in flight until the [`Pick`] is dropped.
    pub(crate) fn pick(&self, turn: &Turn, admits: impl Fn(usize) -> bool) -> Option<Pick> {
        let count = self.endpoints.len();
        let Turn(start) = *turn;
        // Starting one further each turn makes both algorithms fair among equals.
        let mut candidates = (0..count)
            .map(|offset| start.wrapping_add(offset) % count)
            .filter(|&index| admits(index));
        let index = match self.algorithm {
            Algorithm::RoundRobin => candidates.next(),
            Algorithm::LeastRequests => candidates.min_by_key(|&index| {
                self.endpoints.get(index).map(|endpoint| endpoint.in_flight.load(Ordering::Relaxed))
            }),
        }?;
        let endpoint = Arc::clone(self.endpoints.get(index)?);
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Pick { index, endpoint })
    }
}

/// Where the tries of one call begin to look.
#[derive(Debug)]
pub(crate) struct Turn(usize);

/// A chosen endpoint, in flight while this lives.
#[derive(Debug)]
pub(crate) struct Pick {
    index: usize,
    endpoint: Arc<Endpoint>,
}

impl Pick {
    /// Which endpoint it is, counted in the order they were given in.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The endpoint.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(algorithm: Algorithm, count: usize) -> Balancer {
        let endpoints = (0..count).map(|n| Arc::new(Endpoint::new(&format!("http://{n}"))));
        Balancer::new(algorithm, endpoints.collect())
    }

    fn pick(balancer: &Balancer) -> Pick {
        balancer.pick(&balancer.turn(), |_| true).unwrap()
    }

    fn picks(balancer: &Balancer, count: usize) -> Vec<usize> {
        (0..count).map(|_| pick(balancer).index()).collect()
    }

    #[test]
    fn round_robin_takes_each_endpoint_in_turn() {
        assert_eq!(picks(&balancer(Algorithm::RoundRobin, 3), 6), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_call_that_fails_over_does_not_take_the_turn_of_the_next() {
        let balancer = balancer(Algorithm::RoundRobin, 2);
        let first_tries: Vec<usize> = (0..4)
            .map(|_| {
                let turn = balancer.turn();
                let first = balancer.pick(&turn, |_| true).unwrap().index();
                assert_ne!(balancer.pick(&turn, |index| index != first).unwrap().index(), first);
                first
            })
            .collect();
        assert_eq!(first_tries, [0, 1, 0, 1]);
    }

    #[test]
    fn round_robin_does_not_look_at_what_is_in_flight() {
        let balancer = balancer(Algorithm::RoundRobin, 2);
        let _busy = pick(&balancer);
        assert_eq!(picks(&balancer, 3), [1, 0, 1]);
    }

    #[test]
    fn least_requests_avoids_the_busy_endpoint_until_it_is_free() {
        let balancer = balancer(Algorithm::LeastRequests, 2);
        let busy = pick(&balancer);
        assert_eq!(busy.index(), 0);
        assert_eq!(picks(&balancer, 3), [1, 1, 1]);
        drop(busy);
        let free = picks(&balancer, 4);
        assert!(free.contains(&0) && free.contains(&1), "{free:?}");
    }

    #[test]
    fn what_the_predicate_refuses_is_never_picked() {
        for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequests] {
            let balancer = balancer(algorithm, 3);
            for _ in 0..9 {
                assert_eq!(balancer.pick(&balancer.turn(), |index| index == 1).unwrap().index(), 1);
            }
            assert!(balancer.pick(&balancer.turn(), |_| false).is_none());
        }
    }

    #[test]
    fn an_upstream_without_endpoints_has_nothing_to_pick() {
        let balancer = balancer(Algorithm::RoundRobin, 0);
        assert!(balancer.pick(&balancer.turn(), |_| true).is_none());
    }
}
