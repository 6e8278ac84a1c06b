//! Which endpoint it is: first who can be, then who is best.

use tokio::time::Instant;

use super::config::{Algorithm, Ejection};
use super::endpoint::Standing;
use super::{Endpoint, Set};

/// Costs are alike when one is not this much of the other: what differs less is chance.
const ALIKE: f64 = 1.25;

/// Somebody who may be chosen.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    index: usize,
    weight: u32,
    endpoint: &'a Endpoint,
}

/// The index of the endpoint that takes the next try.
pub(super) fn choose<P: AsRef<Endpoint>>(
    algorithm: Algorithm,
    set: &Set<P>,
    limits: &Ejection,
    now: Instant,
    admits: impl Fn(&P) -> bool,
    prefers: impl Fn(&P) -> bool,
) -> Option<usize> {
    let mut all = Vec::with_capacity(set.members.len());
    for (index, member) in set.members.iter().enumerate() {
        if !admits(&member.peer) {
            continue;
        }
        let endpoint = member.peer.as_ref();
        let standing = endpoint.standing(limits, now);
        let candidate = Candidate { index, weight: member.weight, endpoint };
        all.push(((rank(standing), !prefers(&member.peer)), candidate));
    }
    let best = all.iter().map(|(rank, _)| *rank).min()?;
    all.retain(|(rank, _)| *rank == best);
    let best: Vec<Candidate<'_>> = all.into_iter().map(|(_, candidate)| candidate).collect();
    match (algorithm, &best[..]) {
        (_, [only]) => Some(only.index),
        (Algorithm::RoundRobin, all) => set.turns.turn(all.iter().map(turn)),
        (Algorithm::LeastRequests, all) => least_requests(set, all),
        (Algorithm::LeastLatency, all) => least_latency(all, now),
    }
}

/// In which order they are asked: nobody while there are others who stand better.
fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::In => 0,
        Standing::Returning(share) if fastrand::f64() < share => 0,
        Standing::Returning(_) => 1,
        Standing::Ejected(_) => 2,
        Standing::Down => 3,
    }
}

fn turn(candidate: &Candidate<'_>) -> (usize, u32) {
    (candidate.index, candidate.weight)
}

/// Who has the fewest requests for its weight; among equals each in turn.
fn least_requests<P>(set: &Set<P>, candidates: &[Candidate<'_>]) -> Option<usize> {
    let load = |candidate: &Candidate<'_>| {
        #[expect(clippy::cast_precision_loss, reason = "nobody has that many requests")]
        let load = candidate.endpoint.load() as f64;
        load / f64::from(candidate.weight)
    };
    let loads: Vec<f64> = candidates.iter().map(load).collect();
    let least = loads.iter().copied().min_by(f64::total_cmp)?;
    let idle = candidates.iter().zip(&loads).filter(|(_, load)| **load <= least);
    set.turns.turn(idle.map(|(candidate, _)| turn(candidate)))
}

/// The better of two that are drawn by lot.
///
/// The first is drawn by weight, and the second takes the call from it the more likely the cheaper it is: almost always
/// if it costs next to nothing beside the first, never if both are alike. If the cheaper of two always took it, who is
/// slower by a hair would get far too little as long as nothing is in flight.
fn least_latency(candidates: &[Candidate<'_>], now: Instant) -> Option<usize> {
    let first = draw(candidates, None)?;
    let second = draw(candidates, Some(first))?;
    let (first, second) = (candidates.get(first)?, candidates.get(second)?);
    let latencies = (first.endpoint.latency(now), second.endpoint.latency(now));
    // Of whom nothing is known, it is assumed that it is like the other.
    let (of_first, of_second) = match latencies {
        (Some(first), Some(second)) => (first, second),
        _ => (1.0, 1.0),
    };
    let ratio = ALIKE * cost(of_second, second.endpoint) / cost(of_first, first.endpoint);
    Some(if fastrand::f64() < ratio { first.index } else { second.index })
}

/// How long a call would wait if those in flight were answered one after the other.
fn cost(latency: f64, endpoint: &Endpoint) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody has that many requests")]
    let waiting = (endpoint.load() + 1) as f64;
    latency * waiting
}

/// Draws one by weight, and not the one that was drawn already.
fn draw(candidates: &[Candidate<'_>], drawn: Option<usize>) -> Option<usize> {
    let weights = || {
        let weights = candidates.iter().map(|candidate| u64::from(candidate.weight)).enumerate();
        weights.filter(move |(at, _)| Some(*at) != drawn)
    };
    let mut lot = fastrand::u64(..weights().map(|(_, weight)| weight).sum::<u64>().max(1));
    weights().find_map(|(at, weight)| {
        let hit = lot < weight;
        lot = lot.saturating_sub(weight);
        hit.then_some(at)
    })
}
