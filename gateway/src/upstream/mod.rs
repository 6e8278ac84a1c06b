//! The life of one upstream call: a deadline over everything, an endpoint picked, one try.
//!
//! It introduces `load_balancing` and `resilience` to each other, which do not know one another, and it is the
//! only place that holds connections to services. It never reads a message and never decides who may call.

mod answer;
mod config;
mod connections;
mod peer;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use thiserror::Error;
use tonic::Code;

pub(crate) use config::Config;
pub(crate) use peer::{InvalidAddress, Peer};

use crate::context::{BoxError, CallRecord, Deadline, Failure, Reply, Try};
use crate::load_balancing::{Algorithm, Balancer, Pick};
use crate::resilience::{self, DeadlineExceeded};

/// Why an upstream call brought no answer.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The deadline passed first.
    #[error(transparent)]
    DeadlineExceeded(#[from] DeadlineExceeded),
    /// No endpoint can take the call.
    #[error("upstream `{upstream}` has no endpoint that can take the call")]
    NoEndpoint {
        /// The upstream's name.
        upstream: Arc<str>,
    },
    /// The service failed, or what answered in its place.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The endpoint could not be reached, or the connection broke before the answer.
    #[error("endpoint {endpoint} of upstream `{upstream}` could not be reached")]
    Unreachable {
        /// The upstream's name.
        upstream: Arc<str>,
        /// The endpoint's address.
        endpoint: Arc<str>,
        /// What the transport says.
        #[source]
        source: BoxError,
    },
}

impl Error {
    /// Whether the request never left: then nobody can have acted on it.
    fn is_unsent(&self) -> bool {
        let Self::Unreachable { source, .. } = self else { return false };
        causes(&**source).any(<dyn std::error::Error>::is::<tonic::ConnectError>)
    }
}

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
}

impl Upstream {
    /// An upstream over these peers.
    pub(crate) fn new(name: &str, algorithm: Algorithm, peers: Vec<Arc<Peer>>) -> Self {
        let endpoints = peers.iter().map(|peer| Arc::clone(peer.endpoint())).collect();
        Self { name: name.into(), balancer: Balancer::new(algorithm, endpoints), peers }
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
    pub(crate) async fn call(
        &self,
        method: &Method,
        message: Bytes,
        metadata: HeaderMap,
        deadline: Deadline,
        record: &mut CallRecord,
    ) -> Result<Reply, Error> {
        let attempts = async {
            let turn = self.balancer.turn();
            let mut tried = HashSet::new();
            loop {
                // Nobody waits for what would be sent now.
                if deadline.remaining().is_zero() {
                    return Err(DeadlineExceeded.into());
                }
                let pick = self.balancer.pick(&turn, |index| !tried.contains(&index));
                let pick =
                    pick.ok_or_else(|| Error::NoEndpoint { upstream: Arc::clone(&self.name) })?;
                match self
                    .attempt(&pick, method, message.clone(), metadata.clone(), deadline, record)
                    .await
                {
                    // A connection that could not be made carried nothing: another endpoint may take the call.
                    Err(error) if error.is_unsent() && tried.len() + 1 < self.peers.len() => {
                        tried.insert(pick.index());
                    }
                    outcome => return outcome,
                }
            }
        };
        resilience::within(deadline, attempts).await?
    }

    async fn attempt(
        &self,
        pick: &Pick,
        method: &Method,
        message: Bytes,
        mut metadata: HeaderMap,
        deadline: Deadline,
        record: &mut CallRecord,
    ) -> Result<Reply, Error> {
        let no_endpoint = || Error::NoEndpoint { upstream: Arc::clone(&self.name) };
        let peer = self.peers.get(pick.index()).ok_or_else(no_endpoint)?;
        let endpoint = pick.endpoint().address();
        // Of a stream the deadline covers the first message only; a service would end the whole stream by it.
        if !method.streams {
            metadata.insert("grpc-timeout", resilience::timeout_header(deadline));
        }
        let this = record.tries.push_mut(Try { endpoint: Arc::clone(endpoint), code: None });
        let outcome = peer.send(method, message, metadata).await;
        this.code = Some(outcome.as_ref().map_or_else(Failure::code, |_| Code::Ok));
        outcome.map_err(|failure| self.judge(endpoint, failure))
    }

    /// Tells an answer of the service from a failure on the way to it, of which the log is to know where it was.
    fn judge(&self, endpoint: &Arc<str>, failure: Failure) -> Error {
        let Failure::Broken(source) = failure else { return Error::Failure(failure) };
        if causes(&*source).any(<dyn std::error::Error>::is::<tonic::TimeoutExpired>) {
            // The transport reads `grpc-timeout` too and may notice the deadline a moment before us.
            return Error::DeadlineExceeded(DeadlineExceeded);
        }
        Error::Unreachable {
            upstream: Arc::clone(&self.name),
            endpoint: Arc::clone(endpoint),
            source,
        }
    }
}

/// What the transport says, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
