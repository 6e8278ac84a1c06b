//! One endpoint with its connections. It outlives a reload of the configuration.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use thiserror::Error;
use tokio::sync::Notify;
use tonic::transport;

use super::connections::Connections;
use super::{Method, answer, probe};
use crate::context::{Failure, Reply};
use crate::load_balancing::{Endpoint, HealthCheck};
use crate::resilience::CircuitBreaker;

impl AsRef<Endpoint> for Arc<Peer> {
    fn as_ref(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// So many calls that were given up are remembered for a second each: what still comes of their answers is expected.
const GIVEN_UP: usize = 1024;

/// So many frames of calls that are no longer remembered may come over a connection in all its life before it is closed,
/// with all calls on it. Nothing ever lowers that count, so a small number would end every connection that lives long.
const LATE: usize = 1_000_000;

/// There is no place for another stream.
#[derive(Debug, Error)]
#[error("it has as many streams as it may have")]
pub(super) struct Full;

/// One endpoint and the connections to it.
#[derive(Debug)]
pub(crate) struct Peer {
    endpoint: Endpoint,
    connections: Connections,
    breaker: Arc<CircuitBreaker>,
    watched: AtomicBool,
    tried: AtomicBool,
    /// Told when a connection to it fails: for whoever asks how it is, and for whoever asks where it is.
    trouble: Arc<Notify>,
    moved: Arc<Notify>,
}

impl Peer {
    /// Prepares connections to an address, where the services go by that authority if it is another. One that is silent
    /// for `ping` is pinged. `moved` is told when the address can't be reached. Needs a runtime; connects to nothing yet.
    pub(super) fn new(
        address: SocketAddr,
        authority: Option<&str>,
        ping: Duration,
        moved: Arc<Notify>,
    ) -> Result<Self, transport::Error> {
        let address = format!("http://{address}");
        // What tonic leaves open or unlimited is decided here, once. A connection without calls is pinged too: a firewall
        // that has forgotten it says so to nobody, and the next call would wait in vain.
        let mut transport = transport::Endpoint::from_shared(address.clone())?
            .user_agent(concat!("gateway/", env!("CARGO_PKG_VERSION")))?
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(ping)
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .http2_max_header_list_size(16 * 1024)
            .http2_max_concurrent_reset_streams(GIVEN_UP)
            .http2_max_local_error_reset_streams(LATE);
        if let Some(origin) = authority.and_then(|name| format!("http://{name}").parse().ok()) {
            transport = transport.origin(origin);
        }
        Ok(Self {
            endpoint: Endpoint::new(&address),
            connections: Connections::new(&transport),
            breaker: Arc::default(),
            watched: AtomicBool::new(false),
            tried: AtomicBool::new(false),
            trouble: Arc::default(),
            moved,
        })
    }

    /// The endpoint as the balancer knows it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it is asked at the moment.
    pub(super) fn breaker(&self) -> &Arc<CircuitBreaker> {
        &self.breaker
    }

    /// Begins to ask it how it is, once, for as long as somebody holds it.
    pub(super) fn watch(self: &Arc<Self>, settings: &HealthCheck) {
        if !self.watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(probe::watch(Arc::downgrade(self), settings.clone()));
        }
    }

    /// Whether it was asked once, well or badly.
    pub(crate) fn tried(&self) -> bool {
        self.tried.load(Ordering::Acquire)
    }

    /// Notes that it was asked once.
    pub(super) fn set_tried(&self) {
        self.tried.store(true, Ordering::Release);
    }

    /// Tells those who watch it that a connection to it failed.
    pub(super) fn doubt(&self) {
        self.trouble.notify_one();
        self.moved.notify_one();
    }

    /// Told when a connection to it fails.
    pub(super) fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.trouble)
    }

    /// One try.
    pub(super) async fn send(
        &self,
        method: &Method,
        message: Bytes,
        metadata: HeaderMap,
    ) -> Result<Reply, Failure> {
        let line = if method.streams {
            self.connections.for_stream().ok_or_else(|| Failure::Broken(Full.into()))?
        } else {
            self.connections.for_call()
        };
        answer::ask(line, method, message, metadata).await
    }
}
