//! Decides what a principal may do.
//!
//! Each RPC has a [`Rule`]. It is asked before the body is read, before the service is called and before the answer
//! leaves, and says no as soon as it can. The first yes is a [`Permit`], which only this room can make and without which
//! no call is made. It never looks at credentials: who the principal is was proven before.
//!
//! Rules are written in CEL. The crate `cel` parses them and does no more: `check` gives every part a type by the
//! descriptors, and `evaluate` decides the typed tree.
//! Chapter 3: docs/03-authorization.md

mod access;
mod check;
mod config;
mod evaluate;
mod expression;
mod rule;
mod source;

use thiserror::Error;

pub(crate) use self::access::Access;
pub(crate) use self::config::{Config, Line, corrected};
pub(crate) use self::evaluate::Undecided;
pub(crate) use self::rule::{AnswerRule, Rule};
use crate::context::Denial;

/// The proof that a principal was admitted to an RPC.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit(());

/// What a client reads where it may not learn whether something exists.
pub(crate) const HIDDEN: &str =
    "there is no such thing, or it is not for this client: check the id and the account";

/// Why a principal may not make a call.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Denied {
    /// Nobody is known to be asking: 401.
    #[error("this needs a signed-in client")]
    NeedsAuthentication,
    /// The principal may not: 403.
    #[error("this is not allowed for the signed-in principal: use an account that has the right")]
    Forbidden,
    /// Nobody may, whoever they are: 403.
    #[error("this request is not allowed, whoever makes it")]
    ForbiddenToAll,
    /// It can't be found out whether they may, so they may not: 403.
    #[error("this is not allowed: it can't be decided whether it may be")]
    Undecided(#[source] Undecided),
    /// The principal may not, and may not learn whether there is anything that they might not: 404.
    #[error("{HIDDEN}")]
    Hidden(#[source] Option<Undecided>),
}

impl Denied {
    /// Whether it was decided, or the lack of a decision.
    pub(crate) fn denial(&self) -> Denial {
        match self {
            Self::Undecided(_) | Self::Hidden(Some(_)) => Denial::Undecided,
            _ => Denial::Refused,
        }
    }
}

#[cfg(test)]
mod tests;
