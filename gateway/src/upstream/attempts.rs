//! The tries of one call: an endpoint picked, its breaker asked, one try; and if it failed, perhaps another.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::time::{self, Instant};
use tonic::Code;

use super::outcome::Missed;
use super::{Error, Method, Peer, Upstream};
use crate::context::{CallRecord, Deadline, Reply, Then, Try};
use crate::load_balancing::{Outcome, Pick};
use crate::resilience::{self, DeadlineExceeded, Miss, Permit, RetryPolicy, Snapshot};

/// What is tried.
pub(super) struct Attempts<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) method: &'a Method,
    pub(super) policy: &'a RetryPolicy,
    pub(super) message: Bytes,
    pub(super) metadata: HeaderMap,
    pub(super) deadline: Deadline,
}

/// Which endpoints have been tried, by their address.
#[derive(Debug, Default)]
struct Tried {
    /// Others are better.
    once: HashSet<Arc<str>>,
    /// They can't be reached, so they are no choice at all.
    unreachable: HashSet<Arc<str>>,
}

impl Attempts<'_> {
    /// Tries until there is an answer, or a failure that no further try would mend.
    pub(super) async fn run(self, record: &mut CallRecord) -> Result<Reply, Error> {
        let mut tried = Tried::default();
        let (mut last, mut sent) = (None, 0);
        self.upstream.containment.budget.deposit();
        loop {
            // Nobody waits for what would be sent now.
            if self.deadline.remaining().is_zero() {
                return Err(DeadlineExceeded.into());
            }
            let Some((pick, permit)) = self.choose(&tried) else {
                note(record, Then::Endpoints);
                return Err(last.unwrap_or_else(|| self.nobody()));
            };
            let missed = match self.attempt(pick.peer(), record).await {
                Ok(reply) => {
                    permit.succeeded();
                    // When a stream has something to say is not up to its endpoint.
                    let streams = self.method.streams;
                    pick.end(if streams { Outcome::Declined } else { Outcome::Answered });
                    return Ok(reply);
                }
                Err(missed) => missed,
            };
            tried.add(pick.peer(), missed.miss);
            missed.tell(pick, permit);
            let Some(miss) = missed.miss else { return Err(missed.error) };
            sent += u32::from(miss != Miss::Unsent);
            match self.next(miss, sent, &tried) {
                Ok(wait) => {
                    let again = if miss == Miss::Unsent { Then::Elsewhere } else { Then::Again };
                    note(record, again);
                    last = Some(missed.error);
                    time::sleep(wait).await;
                }
                Err(reason) => {
                    note(record, reason);
                    return Err(missed.error);
                }
            }
        }
    }

    /// How long to wait before the next try, or why there is none. What it costs of the budget is spent with that.
    fn next(&self, miss: Miss, sent: u32, tried: &Tried) -> Result<Duration, Then> {
        let wait = self.policy.next(miss, sent, self.is_keyed(), self.deadline.remaining())?;
        if tried.unreachable.len() >= self.upstream.balancer.len() {
            return Err(Then::Endpoints);
        }
        // What was not sent was no load for anybody.
        if miss == Miss::Unsent || self.upstream.containment.budget.withdraw() {
            Ok(wait)
        } else {
            Err(Then::Budget)
        }
    }

    fn is_keyed(&self) -> bool {
        self.metadata.contains_key("idempotency-key")
    }

    /// An endpoint whose breaker lets the call through: one that was not tried yet, if there is one.
    fn choose(&self, tried: &Tried) -> Option<(Pick<'_, Arc<Peer>>, Permit)> {
        let Upstream { balancer, containment, .. } = self.upstream;
        let mut lost = tried.unreachable.clone();
        loop {
            let admits = |peer: &Arc<Peer>| {
                !lost.contains(peer.endpoint().address()) && peer.breaker().admits()
            };
            let is_fresh = |peer: &Arc<Peer>| !tried.once.contains(peer.endpoint().address());
            let pick = balancer.pick(admits, is_fresh)?;
            if let Some(permit) = pick.peer().breaker().admit(containment.trip) {
                return Some((pick, permit));
            }
            // Somebody else became its one probe in between.
            lost.insert(Arc::clone(pick.peer().endpoint().address()));
        }
    }

    /// Why nobody can be asked.
    fn nobody(&self) -> Error {
        let upstream = Arc::clone(&self.upstream.name);
        let waits = self.upstream.balancer.peers().into_iter();
        let waits = waits.filter_map(|peer| match peer.breaker().snapshot() {
            Snapshot::Open(left) => Some(left),
            Snapshot::Probing => Some(Duration::ZERO),
            Snapshot::Closed | Snapshot::Ready => None,
        });
        match waits.min() {
            Some(wait) => Error::Open { upstream, wait },
            None => Error::NoEndpoint { upstream },
        }
    }

    async fn attempt(&self, peer: &Peer, record: &mut CallRecord) -> Result<Reply, Missed> {
        let Self { method, policy, deadline, .. } = self;
        let (upstream, endpoint) = (&self.upstream.name, peer.endpoint().address());
        let mut metadata = self.metadata.clone();
        // Of a stream the deadline covers the first message only; a service would end the whole stream by it.
        if !method.streams {
            metadata.insert("grpc-timeout", resilience::timeout_header(*deadline));
        }
        if !record.tries.is_empty() {
            metadata.insert("grpc-previous-rpc-attempts", HeaderValue::from(record.tries.len()));
        }
        let this = Try { endpoint: Arc::clone(endpoint), code: None, then: None };
        let this = record.tries.push_mut(this);
        let answer = peer.send(method, self.message.clone(), metadata);
        let (began, last) = (Instant::now(), deadline.instant());
        // Where no other could ever follow, it is of no use to give one up.
        let may_follow = policy.attempts > 1 && policy.is_safe(self.is_keyed());
        let own = began + policy.try_timeout;
        let until = if may_follow { own.min(last) } else { last };
        let outcome = match time::timeout_at(until, answer).await {
            Ok(Err(failure)) if !Missed::is_deadline(&failure) => {
                Err(Missed::judge(upstream, endpoint, failure))
            }
            Ok(Ok(reply)) => Ok(reply),
            Err(_elapsed) if until < last => Err(Missed::late(upstream, endpoint)),
            Ok(Err(_)) | Err(_) => Err(Missed::timed_out(policy.had_its_time(began.elapsed()))),
        };
        this.code = Some(outcome.as_ref().map_or_else(|missed| missed.code, |_| Code::Ok));
        outcome
    }
}

impl Tried {
    fn add(&mut self, peer: &Peer, miss: Option<Miss>) {
        let address = peer.endpoint().address();
        self.once.insert(Arc::clone(address));
        if miss == Some(Miss::Unsent) {
            self.unreachable.insert(Arc::clone(address));
        }
    }
}

/// Writes down what came of the last try.
fn note(record: &mut CallRecord, then: Then) {
    if let Some(last) = record.tries.last_mut() {
        last.then = Some(then);
    }
}
