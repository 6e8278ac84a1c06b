//! Room 5: chooses the endpoint of an upstream that takes the next try.
//!
//! It decides per request, not per connection, by what it has learnt from the requests before: how many are in flight at
//! each endpoint, how long they took, how they ended. It never opens a connection and never asks anyone anything.
//! Chapter 5: docs/05-load-balancing.md

mod choice;
mod config;
mod endpoint;
mod health;
mod latency;
mod record;
mod smooth;
mod split;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

pub(crate) use config::{Algorithm, Config, Ejection, HealthCheck};
pub(crate) use endpoint::{Endpoint, Standing};
pub(crate) use health::Answer;
pub(crate) use record::Reason;
pub(crate) use split::Split;

use smooth::Smooth;

/// Averages closer to each other than this are alike, whatever their ratio. A silence that is shorter is none.
const NOTICEABLE: Duration = Duration::from_millis(50);

/// Chooses among the endpoints of one upstream. `P` is what stands behind an endpoint.
#[derive(Debug)]
pub(crate) struct Balancer<P> {
    algorithm: Algorithm,
    limits: Ejection,
    set: ArcSwap<Set<P>>,
    /// Held by whoever decides that an endpoint is ejected, so that two do not eject one too many.
    ejecting: Mutex<()>,
}

/// The endpoints there are at a time.
#[derive(Debug)]
struct Set<P> {
    members: Vec<Member<P>>,
    turns: Smooth,
}

/// An endpoint and its weight: how much it takes compared to the others. Never zero.
#[derive(Clone, Debug)]
pub(crate) struct Member<P> {
    pub(crate) peer: P,
    pub(crate) weight: u32,
}

/// How an endpoint is doing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    /// Its address.
    pub(crate) address: Arc<str>,
    /// How much it takes compared to the others.
    pub(crate) weight: u32,
    /// How many calls it has.
    pub(crate) in_flight: usize,
    /// The moving average of its latency; none when it was not asked lately.
    pub(crate) latency: Option<Duration>,
    /// Whether it is chosen.
    pub(crate) standing: Standing,
}

/// How a call ended, as far as it says something about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was an answer, and it took as long as it took.
    Answered,
    /// There was an answer that is no sign of trouble, and whose time means nothing: a no comes sooner than a yes.
    Declined,
    /// There was an answer that says that others may do it.
    Unable,
    /// There was none, or one that says that the endpoint is in trouble.
    Failed,
}

impl<P: AsRef<Endpoint> + Clone> Balancer<P> {
    /// A balancer over these endpoints.
    pub(crate) fn new(algorithm: Algorithm, limits: Ejection, members: Vec<Member<P>>) -> Self {
        let set = ArcSwap::from_pointee(Set::new(members));
        Self { algorithm, limits, set, ejecting: Mutex::default() }
    }

    /// Replaces the endpoints. What they remember is theirs, so those that stay are known as well as before.
    pub(crate) fn update(&self, members: Vec<Member<P>>) {
        let _alone = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let set = Arc::new(Set::new(members));
        let now = Instant::now();
        let ejected = |member: &&Member<P>| {
            let standing = member.peer.as_ref().standing(&self.limits, now);
            matches!(standing, Standing::Ejected(_))
        };
        // In a smaller set fewer may be left out.
        let most = set.members.len() / 2;
        for member in set.members.iter().filter(ejected).skip(most) {
            member.peer.as_ref().readmit(now);
        }
        self.set.store(set);
    }

    /// Picks an endpoint that `admits` lets through; `None` when there is none. Of those that are alike it is one that
    /// `prefers` says yes to.
    ///
    /// One that is ejected is picked only if no other is left, and one that is down only if all of those are. Asking who
    /// is probably gone is better than asking nobody: the checks may be what fails.
    ///
    /// The choice counts as in flight until the [`Pick`] is dropped.
    pub(crate) fn pick(
        &self,
        admits: impl Fn(&P) -> bool,
        prefers: impl Fn(&P) -> bool,
    ) -> Option<Pick<'_, P>> {
        let set = self.set.load();
        let now = Instant::now();
        let index = choice::choose(self.algorithm, &set, &self.limits, now, admits, prefers)?;
        let peer = set.members.get(index)?.peer.clone();
        peer.as_ref().begin(now);
        Some(Pick { balancer: self, peer, began: now, told: false })
    }

    /// What there is to choose from.
    pub(crate) fn peers(&self) -> Vec<P> {
        self.set.load().members.iter().map(|member| member.peer.clone()).collect()
    }

    /// How many endpoints there are.
    pub(crate) fn len(&self) -> usize {
        self.set.load().members.len()
    }

    /// How the endpoints are doing.
    pub(crate) fn snapshot(&self) -> Vec<Snapshot> {
        let now = Instant::now();
        let snapshot = |Member { peer, weight }: &Member<P>| {
            let endpoint = peer.as_ref();
            Snapshot {
                address: Arc::clone(endpoint.address()),
                weight: *weight,
                in_flight: endpoint.load(),
                latency: endpoint.latency(now).map(Duration::from_secs_f64),
                standing: endpoint.standing(&self.limits, now),
            }
        };
        self.set.load().members.iter().map(snapshot).collect()
    }

    /// Takes a call into account that ended now.
    fn ended(&self, endpoint: &Endpoint, began: Instant, outcome: Outcome) {
        let now = Instant::now();
        let good = outcome == Outcome::Answered;
        let reason = endpoint.ended(began, outcome, &self.limits, now);
        let slow = || (good && self.is_slow(endpoint, now)).then_some(Reason::Slowness);
        if let Some(reason) = reason.or_else(slow) {
            self.eject(endpoint, reason, now);
        }
    }

    /// Whether it takes many times as long as the others: as the one of them in the middle.
    fn is_slow(&self, endpoint: &Endpoint, now: Instant) -> bool {
        let Some(own) = endpoint.average_due(&self.limits, now) else { return false };
        let set = self.set.load();
        let others = set.members.iter().map(|member| member.peer.as_ref());
        let others = others.filter(|other| !std::ptr::eq(*other, endpoint));
        let mut averages: Vec<_> =
            others.filter_map(|other| other.average(&self.limits, now)).collect();
        averages.sort_unstable();
        let usual = averages.get(averages.len().saturating_sub(1) / 2);
        usual.is_some_and(|usual| {
            own >= usual.saturating_mul(self.limits.slowness) && own >= *usual + NOTICEABLE
        })
    }

    /// Leaves an endpoint out, unless half of the set is out already.
    fn eject(&self, endpoint: &Endpoint, reason: Reason, now: Instant) {
        let _alone = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let set = self.set.load();
        let standings = set.members.iter().map(|member| {
            let other = member.peer.as_ref();
            (std::ptr::eq(other, endpoint), other.standing(&self.limits, now))
        });
        let out = |standing| matches!(standing, Standing::Ejected(_) | Standing::Down);
        let (mut outside, mut inside) = (0, false);
        for (same, standing) in standings {
            outside += usize::from(out(standing));
            inside |= same && !out(standing);
        }
        if inside && outside < set.members.len() / 2 {
            endpoint.eject(reason, &self.limits, now);
        }
    }
}

impl<P> Set<P> {
    fn new(members: Vec<Member<P>>) -> Self {
        Self { turns: Smooth::new(members.len()), members }
    }
}

/// A chosen endpoint, in flight while this lives.
pub(crate) struct Pick<'a, P: AsRef<Endpoint> + Clone> {
    balancer: &'a Balancer<P>,
    peer: P,
    began: Instant,
    /// Whether it was said how the call ended.
    told: bool,
}

impl<P: AsRef<Endpoint> + Clone> Pick<'_, P> {
    /// What was chosen.
    pub(crate) fn peer(&self) -> &P {
        &self.peer
    }

    /// Says how the call ended. Of one that does not, because the client has left or the deadline was too close, it is only
    /// known that it took no less than until then.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.told = true;
        self.balancer.ended(self.peer.as_ref(), self.began, outcome);
    }
}

impl<P: AsRef<Endpoint> + Clone> Drop for Pick<'_, P> {
    fn drop(&mut self) {
        let given_up = (!self.told).then_some(self.began);
        self.peer.as_ref().leave(given_up, Instant::now());
    }
}

impl<P: AsRef<Endpoint> + Clone> fmt::Debug for Pick<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pick").field(self.peer.as_ref().address()).finish()
    }
}
