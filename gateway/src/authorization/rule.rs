//! Who may call one RPC, ready to be asked.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::check::Reads;
use super::evaluate::{Facts, Stop, Undecided};
use super::expression::Condition;
use super::{Access, Denied, Permit};
use crate::context::{Identity, Principal};

/// Who may call one RPC. It is asked up to three times, each time with more at hand: [`Self::admit`] before the body is
/// read, [`Self::allow`] before the service is called, [`AnswerRule::allow_answer`] before its answer leaves.
///
/// Each time the whole rule is asked, so no answer rests on an earlier one: a no is final, and a yes is not before
/// everything is at hand.
#[derive(Debug)]
pub(crate) struct Rule {
    access: Access,
    decision: Decision,
    reads: Reads,
    /// Whether the service decides whose an object is.
    ownership_upstream: bool,
}

#[derive(Debug)]
enum Decision {
    Everybody,
    Known,
    Role(String),
    Written(Condition),
    Nobody,
}

/// What an answer must be for the client to see it.
#[derive(Debug)]
pub(crate) struct AnswerRule {
    rule: Arc<Rule>,
    principal: Principal,
    request: Bytes,
}

impl Rule {
    /// A rule that reads no message.
    pub(super) fn of_access(access: Access, ownership_upstream: bool) -> Self {
        let decision = match &access {
            Access::Public => Decision::Everybody,
            Access::Authenticated => Decision::Known,
            Access::Role(role) => Decision::Role(role.clone()),
            // A rule that nobody wrote lets nobody in.
            Access::Rule(_) | Access::Internal => Decision::Nobody,
        };
        Self { access, decision, reads: Reads::default(), ownership_upstream }
    }

    /// A rule of the configuration.
    pub(super) fn written(
        access: Access,
        (condition, reads): (Condition, Reads),
        ownership_upstream: bool,
    ) -> Self {
        Self { access, decision: Decision::Written(condition), reads, ownership_upstream }
    }

    /// Who may, as written.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether it lets nobody in who is not known.
    pub(crate) fn needs_principal(&self) -> bool {
        match self.decision {
            Decision::Everybody | Decision::Nobody => false,
            Decision::Known | Decision::Role(_) => true,
            Decision::Written(_) => self.reads.claims,
        }
    }

    /// Whether nobody may learn from a refusal that an object exists: the answer to a no is then that of one that does
    /// not.
    pub(crate) fn conceals(&self) -> bool {
        self.reads.response
    }

    /// Judges the principal alone. Lets pass what the messages have still to decide.
    pub(crate) fn admit(self: &Arc<Self>, principal: &Principal) -> Result<Permit, Denied> {
        match self.decide(principal, None, None) {
            Ok(true) | Err(Refusal::Stop(Stop::Unknown)) => Ok(Permit(())),
            Ok(false) => Err(self.forbidden()),
            Err(Refusal::Stop(Stop::Failed(cause))) => Err(Denied::Undecided(cause)),
            Err(Refusal::Anonymous) => Err(Denied::NeedsAuthentication),
        }
    }

    /// Judges the principal together with the request. What it answers judges the answer, where that is needed.
    pub(crate) fn allow(
        self: &Arc<Self>,
        _admitted: Permit,
        principal: &Principal,
        request: &Bytes,
    ) -> Result<Option<AnswerRule>, Denied> {
        let truth = self.decide(principal, Some(request), None);
        match truth {
            Ok(true) if !self.reads.response => Ok(None),
            Ok(true) | Err(Refusal::Stop(Stop::Unknown)) if self.reads.response => {
                let (principal, request) = (principal.clone(), request.clone());
                Ok(Some(AnswerRule { rule: Arc::clone(self), principal, request }))
            }
            other => Err(self.no(other)),
        }
    }

    /// The answer to a no, once a message was looked at.
    fn no(&self, truth: Result<bool, Refusal>) -> Denied {
        let cause = match truth {
            Err(Refusal::Anonymous) => return Denied::NeedsAuthentication,
            Err(Refusal::Stop(Stop::Failed(cause))) => Some(cause),
            Err(Refusal::Stop(Stop::Unknown)) => Some(Undecided::Missing),
            Ok(_) => None,
        };
        match cause {
            cause if self.conceals() => Denied::Hidden(cause),
            Some(cause) => Denied::Undecided(cause),
            None => self.forbidden(),
        }
    }

    fn forbidden(&self) -> Denied {
        let by_principal = self.reads.claims || !matches!(self.decision, Decision::Written(_));
        if by_principal { Denied::Forbidden } else { Denied::ForbiddenToAll }
    }

    fn decide(
        &self,
        principal: &Principal,
        request: Option<&[u8]>,
        response: Option<&[u8]>,
    ) -> Result<bool, Refusal> {
        let identity: Option<&Identity> = match principal {
            Principal::Anonymous => None,
            Principal::Known(identity) => Some(identity),
        };
        match (&self.decision, identity) {
            (Decision::Nobody, _) => Ok(false),
            (Decision::Everybody, _) | (Decision::Known, Some(_)) => Ok(true),
            // Whatever else a rule says: who reads claims asks for somebody who has them.
            (_, None) if self.needs_principal() => Err(Refusal::Anonymous),
            (Decision::Known, None) => Err(Refusal::Anonymous),
            (Decision::Role(role), identity) => {
                Ok(identity.is_some_and(|identity| identity.roles.contains(role)))
            }
            (Decision::Written(condition), identity) => {
                condition.decide(Facts { identity, request, response }).map_err(Refusal::Stop)
            }
        }
    }
}

impl AnswerRule {
    /// Judges one message of the answer, together with the principal and the request.
    pub(crate) fn allow_answer(&self, answer: &[u8]) -> Result<(), Denied> {
        match self.rule.decide(&self.principal, Some(&self.request), Some(answer)) {
            Ok(true) => Ok(()),
            other => Err(self.rule.no(other)),
        }
    }
}

/// Why there is no truth.
enum Refusal {
    Anonymous,
    Stop(Stop),
}

impl fmt::Display for Rule {
    /// Who decides, and on what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reads { claims, request, response } = match self.decision {
            Decision::Everybody | Decision::Nobody => Reads::default(),
            Decision::Known | Decision::Role(_) => Reads { claims: true, ..Reads::default() },
            Decision::Written(_) => self.reads,
        };
        let parts = [(claims, "principal"), (request, "request"), (response, "answer")];
        let parts: Vec<&str> =
            parts.into_iter().filter_map(|(read, name)| read.then_some(name)).collect();
        let gateway = if parts.is_empty() {
            "open to all".to_owned()
        } else {
            format!("gateway: {}", parts.join(", "))
        };
        f.write_str(&gateway)?;
        if self.ownership_upstream { f.write_str("; service: ownership") } else { Ok(()) }
    }
}

#[cfg(test)]
impl Rule {
    /// Whether the rule holds when everything is at hand from the beginning.
    pub(super) fn holds(&self, principal: &Principal, request: &[u8], answer: &[u8]) -> bool {
        matches!(self.decide(principal, Some(request), Some(answer)), Ok(true))
    }
}
