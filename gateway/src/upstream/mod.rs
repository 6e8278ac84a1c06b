//! The life of one upstream call: a deadline over everything, an endpoint picked, one try.
//!
//! It introduces `load_balancing` and `resilience` to each other, which do not know one another, and it is the
//! only place that holds connections to services. It never reads a message and never decides who may call.

mod address;
mod answer;
mod config;
mod connections;
mod peer;
mod probe;
mod resolver;
mod source;
mod watch;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use thiserror::Error;
use tonic::Code;

pub(crate) use address::Address;
pub(crate) use config::{Config, Place};
use peer::Peer;
pub(crate) use source::{Settings, Source};
use watch::Tasks;

use crate::context::{BoxError, CallRecord, Deadline, Failure, Reply, Try};
use crate::load_balancing::{self, Balancer, Outcome, Pick};
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
    /// Where its endpoints come from, each with its weight.
    sources: Vec<(Arc<Source>, u32)>,
    balancer: Balancer<Arc<Peer>>,
    tasks: Tasks,
}

impl Upstream {
    /// An upstream over the endpoints of these sources.
    pub(crate) fn new(
        name: &str,
        config: &load_balancing::Config,
        sources: Vec<(Arc<Source>, u32)>,
    ) -> Self {
        let balancer = Balancer::new(config.algorithm, config.ejection, watch::members(&sources));
        Self { name: name.into(), sources, balancer, tasks: Tasks::default() }
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
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
            let mut tried = HashSet::new();
            loop {
                // Nobody waits for what would be sent now.
                if deadline.remaining().is_zero() {
                    return Err(DeadlineExceeded.into());
                }
                let admits = |peer: &Arc<Peer>| !tried.contains(peer.endpoint().address());
                let pick = self.balancer.pick(admits);
                let pick =
                    pick.ok_or_else(|| Error::NoEndpoint { upstream: Arc::clone(&self.name) })?;
                let endpoint = Arc::clone(pick.peer().endpoint().address());
                match self
                    .attempt(pick, method, message.clone(), metadata.clone(), deadline, record)
                    .await
                {
                    // A connection that could not be made carried nothing: another endpoint may take the call.
                    Err(error) if error.is_unsent() && tried.len() + 1 < self.balancer.len() => {
                        tried.insert(endpoint);
                    }
                    outcome => return outcome,
                }
            }
        };
        resilience::within(deadline, attempts).await?
    }

    async fn attempt(
        &self,
        pick: Pick<'_, Arc<Peer>>,
        method: &Method,
        message: Bytes,
        mut metadata: HeaderMap,
        deadline: Deadline,
        record: &mut CallRecord,
    ) -> Result<Reply, Error> {
        let peer = pick.peer();
        let endpoint = Arc::clone(peer.endpoint().address());
        // Of a stream the deadline covers the first message only; a service would end the whole stream by it.
        if !method.streams {
            metadata.insert("grpc-timeout", resilience::timeout_header(deadline));
        }
        let this = record.tries.push_mut(Try { endpoint: Arc::clone(&endpoint), code: None });
        let outcome = peer.send(method, message, metadata).await;
        this.code = Some(outcome.as_ref().map_or_else(Failure::code, |_| Code::Ok));
        let said = outcome.as_ref().map_or_else(of_endpoint, |_| Some(Outcome::Answered));
        if let Some(said) = said {
            if matches!(outcome, Err(Failure::Broken(_))) {
                peer.doubt();
            }
            pick.end(said);
        }
        outcome.map_err(|failure| self.judge(&endpoint, failure))
    }

    /// Tells an answer of the service from a failure on the way to it, of which the log is to know where it was.
    fn judge(&self, endpoint: &Arc<str>, failure: Failure) -> Error {
        let Failure::Broken(source) = failure else { return Error::Failure(failure) };
        if is_deadline(&*source) {
            return Error::DeadlineExceeded(DeadlineExceeded);
        }
        Error::Unreachable {
            upstream: Arc::clone(&self.name),
            endpoint: Arc::clone(endpoint),
            source,
        }
    }
}

/// What a failure says about the endpoint: that it is in trouble, that it is well, or nothing.
fn of_endpoint(failure: &Failure) -> Option<Outcome> {
    match failure {
        Failure::Broken(source) if is_deadline(&**source) => None,
        Failure::Broken(_) | Failure::Malformed(_) => Some(Outcome::Failed),
        Failure::Status(status) => match status.code() {
            Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss => {
                Some(Outcome::Failed)
            }
            // Whether it was too slow or had too little time, it does not know either.
            Code::DeadlineExceeded | Code::Cancelled => None,
            _ => Some(Outcome::Answered),
        },
        Failure::TooLarge => Some(Outcome::Answered),
        Failure::Hidden(_) | Failure::Denied(_) | Failure::Cut(_) => None,
    }
}

/// Whether the transport, which reads `grpc-timeout` too, noticed the deadline a moment before us.
fn is_deadline(source: &(dyn std::error::Error + 'static)) -> bool {
    causes(source).any(<dyn std::error::Error>::is::<tonic::TimeoutExpired>)
}

/// What the transport says, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
