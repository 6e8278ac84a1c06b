//! The life of one upstream call: a deadline over everything, room for it, and its tries.
//!
//! It introduces `load_balancing` and `resilience` to each other, which do not know one another, and it is the
//! only place that holds connections to services. It never reads a message and never decides who may call.

mod address;
mod answer;
mod attempts;
mod config;
mod connections;
mod error;
mod outcome;
mod peer;
mod probe;
mod resolver;
mod source;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;

pub(crate) use address::Address;
pub(crate) use config::{Config, Place};
pub(crate) use error::Error;
pub(crate) use source::{Settings, Source};

use attempts::Attempts;
use peer::Peer;
use watch::Tasks;

use crate::context::{CallRecord, Deadline, Reply};
use crate::load_balancing::{self, Balancer};
use crate::resilience::{self, Bulkhead, RetryBudget, RetryPolicy, Trip};

/// How to call one RPC.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Whether the service answers with a stream.
    pub(crate) streams: bool,
}

/// A named group of endpoints behind the door.
#[derive(Debug)]
pub(crate) struct Upstream {
    name: Arc<str>,
    /// Where its endpoints come from, each with its weight.
    sources: Vec<(Arc<Source>, u32)>,
    balancer: Balancer<Arc<Peer>>,
    containment: Containment,
    tasks: Tasks,
}

/// What contains the failures of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Containment {
    /// When an endpoint is not asked any more.
    pub(crate) trip: Trip,
    /// How many calls there may be at once.
    pub(crate) bulkhead: Arc<Bulkhead>,
    /// How many of them may be retries.
    pub(crate) budget: Arc<RetryBudget>,
}

impl Upstream {
    /// An upstream over the endpoints of these sources.
    pub(crate) fn new(
        name: &str,
        config: &load_balancing::Config,
        sources: Vec<(Arc<Source>, u32)>,
        containment: Containment,
    ) -> Self {
        let balancer = Balancer::new(config.algorithm, config.ejection, watch::members(&sources));
        Self { name: name.into(), sources, balancer, containment, tasks: Tasks::default() }
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Calls a method with an encoded message and writes each try into the record.
    ///
    /// A call has its place from before its first try until its answer is there; a stream until it has begun. From then on
    /// it has one among the streams of its connection.
    pub(crate) async fn call(
        &self,
        method: &Method,
        policy: &RetryPolicy,
        message: Bytes,
        metadata: HeaderMap,
        deadline: Deadline,
        record: &mut CallRecord,
    ) -> Result<Reply, Error> {
        let call = async {
            let _place = self.containment.bulkhead.enter().await.map_err(|source| {
                let upstream = Arc::clone(&self.name);
                Error::Shed { upstream, source }
            })?;
            Attempts { upstream: self, method, policy, message, metadata, deadline }
                .run(record)
                .await
        };
        resilience::within(deadline, call).await?
    }
}
