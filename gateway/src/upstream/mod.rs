//! The life of one upstream call: a deadline over everything, room for it, and its tries.
//!
//! It introduces `load_balancing` and `resilience` to each other, which do not know one another, and it is the
//! only place that holds connections to services. It never reads a message and never decides who may call.

mod answer;
mod attempts;
mod config;
mod connections;
mod error;
mod outcome;
mod peer;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;

pub(crate) use config::Config;
pub(crate) use error::Error;
pub(crate) use peer::{InvalidAddress, Peer};

use attempts::Attempts;

use crate::context::{CallRecord, Deadline, Reply};
use crate::load_balancing::{Algorithm, Balancer};
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
    balancer: Balancer,
    peers: Vec<Arc<Peer>>,
    trip: Trip,
    bulkhead: Arc<Bulkhead>,
    budget: Arc<RetryBudget>,
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
    /// An upstream over these peers.
    pub(crate) fn new(
        name: &str,
        algorithm: Algorithm,
        peers: Vec<Arc<Peer>>,
        containment: Containment,
    ) -> Self {
        let endpoints = peers.iter().map(|peer| Arc::clone(peer.endpoint())).collect();
        let Containment { trip, bulkhead, budget } = containment;
        let balancer = Balancer::new(algorithm, endpoints);
        Self { name: name.into(), balancer, peers, trip, bulkhead, budget }
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The endpoints with their connections.
    pub(crate) fn peers(&self) -> &[Arc<Peer>] {
        &self.peers
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
            let _place = self.bulkhead.enter().await.map_err(|source| {
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
