//! All limits of one RPC, and how they are decided together.

use std::net::IpAddr;
use std::sync::Arc;

use super::bucket::{Bucket, Decision};
use super::class::Classes;
use super::store::{Question, Store};
use super::subject::{By, Names, Subject};
use super::table::Visit;
use super::{Exceeded, Memory};
use crate::context::{Counted, Principal, RpcId};

/// A limit, with what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) by: By,
    pub(crate) class: Option<Arc<str>>,
    pub(crate) dry_run: bool,
    pub(crate) memory: Arc<Memory>,
}

/// The limits of one RPC, in the two places where they stand.
#[derive(Debug)]
pub(crate) struct Limits {
    rpc: RpcId,
    before: Box<[Limit]>,
    after: Box<[Limit]>,
    classes: Arc<Classes>,
    shared: Option<Shared>,
}

/// Where limits are counted together with other gateways, and by which names.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) names: Names,
}

/// A limit that is about this request, and whom it counts.
struct Due<'a> {
    limit: &'a Limit,
    subject: Subject<'a>,
}

impl Limits {
    /// The limits that an RPC has.
    pub(crate) fn new(
        rpc: RpcId,
        limits: Vec<Limit>,
        classes: Arc<Classes>,
        shared: Option<Shared>,
    ) -> Self {
        let (before, after): (Vec<_>, Vec<_>) =
            limits.into_iter().partition(|limit| limit.by == By::Address);
        Self { rpc, before: before.into(), after: after.into(), classes, shared }
    }

    /// Counts a request by where it comes from, before anything is done for it. That is decided here alone, so it costs
    /// no call, and a flood from one address does not reach the store.
    pub(crate) fn before(&self, client: IpAddr) -> Result<Counted, Exceeded> {
        let due: Vec<Due<'_>> = self.due(&self.before, &Principal::Anonymous, client).collect();
        sum(&due, decide_here(&due, 1))
    }

    /// Counts a request by who asks, in the store if there is one that answers.
    ///
    /// Who is counted by address is counted here all the same, as before authentication, and first: so a flood from one
    /// address does not reach the store by this way either. Until the store has answered that is only a look, so that what
    /// the store refuses takes nothing here.
    pub(crate) async fn after(
        &self,
        principal: &Principal,
        client: IpAddr,
    ) -> Result<Counted, Exceeded> {
        let mut due: Vec<Due<'_>> = self.due(&self.after, principal, client).collect();
        let Some(Shared { store, names }) = &self.shared else {
            return sum(&due, decide_here(&due, 1));
        };
        due.sort_by_key(|due| !due.is_local());
        let (local, shared) = due.split_at(due.partition_point(Due::is_local));
        if shared.is_empty() {
            return sum(local, decide_here(local, 1));
        }
        let mut decisions = look_here(local, 1);
        if is_refused(local, &decisions) {
            return sum(local, decisions);
        }
        let questions: Vec<Question> = shared.iter().map(|due| due.question(names)).collect();
        let answers = match store.decide(questions).await {
            Some(answers) => answers,
            None => decide_here(shared, store.gateways()),
        };
        if !is_refused(shared, &answers) {
            decisions = decide_here(local, 1);
        }
        decisions.extend(answers);
        sum(&due, decisions)
    }

    fn due<'a>(
        &'a self,
        limits: &'a [Limit],
        principal: &'a Principal,
        client: IpAddr,
    ) -> impl Iterator<Item = Due<'a>> {
        limits.iter().filter_map(move |limit| {
            if limit.class.as_deref().is_some_and(|class| class != self.classes.of(principal)) {
                return None;
            }
            let subject = Subject::of(limit.by, &self.rpc, principal, client)?;
            Some(Due { limit, subject })
        })
    }
}

impl Due<'_> {
    fn bucket(&self) -> &Bucket {
        self.limit.memory.bucket()
    }

    fn question(&self, names: &Names) -> Question {
        Question {
            allowance: Arc::clone(self.bucket().allowance()),
            subject: names.of(&self.subject),
            dry_run: self.limit.dry_run,
        }
    }

    /// Whether it is decided in this process, whatever is decided elsewhere.
    fn is_local(&self) -> bool {
        matches!(self.subject, Subject::Address(_))
    }
}

/// Decides in this process, as one of so many gateways.
///
/// A request that one limit refuses takes nothing from the others: all are looked at before any is charged. Two requests
/// that look at the same time may both go on to be charged, and then the later one is refused after all, having taken
/// from the limits before; too many never pass.
fn decide_here(due: &[Due<'_>], gateways: u32) -> Vec<Decision> {
    if due.len() > 1 {
        let looked = look_here(due, gateways);
        if is_refused(due, &looked) {
            return looked;
        }
    }
    visit_here(due, true, gateways)
}

/// What would be decided in this process; nothing is taken.
fn look_here(due: &[Due<'_>], gateways: u32) -> Vec<Decision> {
    visit_here(due, false, gateways)
}

fn visit_here(due: &[Due<'_>], charge: bool, gateways: u32) -> Vec<Decision> {
    let visit = |due: &Due<'_>| {
        let bucket = due.bucket();
        bucket.decide(Visit { key: bucket.table().key(&due.subject), charge }, gateways)
    };
    due.iter().map(visit).collect()
}

/// Whether one of the decisions refuses the request; a limit that only counts does not.
fn is_refused(due: &[Due<'_>], decisions: &[Decision]) -> bool {
    due.iter().zip(decisions).any(|(due, decision)| decision.refuses() && !due.limit.dry_run)
}

/// What the decisions say together: no, if one does, and then for as long as the slowest; else where it is tightest.
fn sum(due: &[Due<'_>], decisions: Vec<Decision>) -> Result<Counted, Exceeded> {
    let mut counted = Counted::default();
    let mut refusal = None;
    for (due, decision) in due.iter().zip(decisions) {
        let refuses = decision.refuses();
        let standing = decision.standing();
        if due.limit.dry_run {
            counted.overrun.extend(refuses.then(|| Arc::clone(&standing.allowance)));
        } else if refuses {
            let longer = |other: &crate::context::Standing| standing.next > other.next;
            if refusal.as_ref().is_none_or(longer) {
                refusal = Some(standing);
            }
        } else {
            counted.tighten(standing);
        }
    }
    match refusal {
        None => Ok(counted),
        Some(standing) => Err(Exceeded { standing, overrun: counted.overrun }),
    }
}

#[cfg(test)]
mod tests;
