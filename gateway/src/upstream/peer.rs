//! One endpoint with its connections. It outlives a reload of the configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Uri};
use thiserror::Error;
use tokio::time;
use tonic::transport;

use super::connections::Connections;
use super::{Method, answer};
use crate::context::{Failure, Reply};
use crate::load_balancing::Endpoint;

/// The address of an endpoint is not one.
#[derive(Debug, Error)]
pub(crate) enum InvalidAddress {
    /// Not `http://host:port`.
    #[error(
        "`{0}` is not an endpoint: write http://HOST:PORT, without a path; TLS to services is not built"
    )]
    Shape(String),
    /// The transport refuses it.
    #[error("`{address}` is not an endpoint")]
    Transport {
        /// The address as written.
        address: String,
        /// What the transport says.
        #[source]
        source: transport::Error,
    },
}

impl AsRef<Endpoint> for Arc<Peer> {
    fn as_ref(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// One endpoint and the connections to it.
#[derive(Debug)]
pub(crate) struct Peer {
    endpoint: Arc<Endpoint>,
    connections: Connections,
    tried: AtomicBool,
}

impl Peer {
    /// Prepares connections to `http://host:port`. Needs a runtime; connects to nothing yet.
    pub(crate) fn new(address: &str) -> Result<Self, InvalidAddress> {
        let shape = || InvalidAddress::Shape(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| shape())?;
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or_default());
        // One spelling for each address: without user, path, query or zeros before the port.
        if uri.scheme() != Some(&Scheme::HTTP) || address != format!("http://{host}:{port}") {
            return Err(shape());
        }
        let refused = |source| InvalidAddress::Transport { address: address.to_owned(), source };
        // What tonic leaves open or unlimited is decided here, once.
        let transport = transport::Endpoint::from_shared(address.to_owned())
            .map_err(refused)?
            .user_agent(concat!("gateway/", env!("CARGO_PKG_VERSION")))
            .map_err(refused)?
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .http2_max_header_list_size(16 * 1024);
        let endpoint = Arc::new(Endpoint::new(address));
        let connections = Connections::new(transport);
        Ok(Self { endpoint, connections, tried: AtomicBool::new(false) })
    }

    /// The endpoint as the balancer knows it.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Whether [`Self::warm`] has ended once, well or badly.
    pub(crate) fn tried(&self) -> bool {
        self.tried.load(Ordering::Acquire)
    }

    /// Opens the connection for calls by asking the endpoint for its health, whatever it answers, for at most three seconds.
    pub(crate) async fn warm(&self) {
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let method = Method { path, streams: false };
        let check = self.send(&method, Bytes::new(), HeaderMap::new());
        if let Ok(Err(failure)) = time::timeout(Duration::from_secs(3), check).await {
            tracing::debug!(endpoint = %self.endpoint.address(), ?failure, "endpoint does not say it is well");
        }
        self.tried.store(true, Ordering::Release);
    }

    /// One try.
    pub(super) async fn send(
        &self,
        method: &Method,
        message: Bytes,
        metadata: HeaderMap,
    ) -> Result<Reply, Failure> {
        let line = if method.streams {
            let full = || Failure::Broken("it has as many streams as it may have".into());
            self.connections.for_stream().ok_or_else(full)?
        } else {
            self.connections.for_call()
        };
        answer::ask(line, method, message, metadata).await
    }
}
