//! Room 4: decides how often who may ask.
//!
//! Every limit is GCRA by key: a client may ask as often as its rate says, and ahead of it by its burst. Limits by
//! address stand before authentication and count here; the others stand behind it and may count together with other
//! gateways, in a store. The room never looks at a request: it is told who asks for which RPC, and from where.
//! Chapter 4: docs/04-rate-limiting.md

mod bucket;
mod class;
mod clock;
mod config;
mod limits;
mod store;
mod subject;
mod table;

use std::sync::Arc;

use thiserror::Error;

use bucket::Bucket;
pub(crate) use class::Classes;
pub(crate) use config::{Config, Rule};
pub(crate) use limits::{Limit, Limits, Shared};
pub(crate) use store::{Location, Snapshot, Store};
pub(crate) use subject::By;

use crate::context::{Allowance, Counted, Standing, seconds};

/// What a limit has counted: it outlives a reload that does not change what it allows.
#[derive(Debug)]
pub(crate) struct Memory(Bucket);

impl Memory {
    /// Nobody has asked yet.
    pub(crate) fn new(allowance: Arc<Allowance>) -> Self {
        Self(Bucket::new(allowance))
    }

    fn bucket(&self) -> &Bucket {
        &self.0
    }
}

/// A client asked more often than it may.
#[derive(Debug, Error)]
#[error(
    "too many requests: the limit `{}` lets the next one through in {} s",
    standing.allowance.name,
    seconds(standing.next)
)]
pub(crate) struct Exceeded {
    /// Where it stands with the limit that makes it wait longest.
    pub(crate) standing: Standing,
    /// The limits that only count and are exceeded too.
    pub(crate) overrun: Vec<Arc<Allowance>>,
}

impl Exceeded {
    /// What was counted all the same.
    pub(crate) fn counted(&self) -> Counted {
        Counted { tightest: Some(self.standing.clone()), overrun: self.overrun.clone() }
    }
}
