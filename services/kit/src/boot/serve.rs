//! What a service serves, the limits of its port, and how it stops.

use std::{
    convert::Infallible,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    time::Duration,
};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Request, StatusCode};
use proto::kit::v1::fault_service_server::FaultServiceServer;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tonic::{Status, body::Body, server::NamedService, service::Routes, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower_service::Service;

use super::{
    BootError,
    access::{Access, is_grpc},
    connection::connections,
};
use crate::{Shutdown, faults::Faults};

/// How long calls in flight, and tasks, have to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How long `NOT_SERVING` can be read before the streams that watch health are closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// Bytes of one call, and of all calls of one connection, that wait to be read.
const STREAM_WINDOW: u32 = 80 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;

const HEALTH: &str = "grpc.health.v1.Health";

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a service serves on its one port: gRPC services, HTTP/1.1 routes beside them, and tasks behind them.
#[derive(Default)]
pub struct Site {
    routes: Routes,
    names: Vec<&'static str>,
    http: Option<Router>,
    tasks: Vec<(&'static str, Task)>,
    faults: Option<Faults>,
}

impl Site {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves a gRPC service, its health under its name.
    #[must_use]
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Lets calls fail as `kit.v1.FaultService` is told to, which is served beside the others. For demonstrations and tests.
    #[must_use]
    pub fn faulty(self) -> Self {
        let faults = Faults::default();
        Self { faults: Some(faults.clone()), ..self.grpc(FaultServiceServer::new(faults)) }
    }

    /// Answers plain HTTP requests, of HTTP/1.1 too, on the same port.
    #[must_use]
    pub fn http(mut self, router: Router) -> Self {
        self.http = Some(self.http.unwrap_or_default().merge(router));
        self
    }

    /// Runs in the background while the service serves, until the service's [`Shutdown`] is cancelled. Should it end
    /// before, the service stops and fails ([`Shutdown::vital`]).
    #[must_use]
    pub fn task(
        mut self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.tasks.push((name, Box::pin(work)));
        self
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks: Vec<_> = self.tasks.iter().map(|(name, _)| name).collect();
        f.debug_struct("Site")
            .field("names", &self.names)
            .field("tasks", &tasks)
            .finish_non_exhaustive()
    }
}

/// Serves until `shutdown` is cancelled. Then health says `NOT_SERVING`, the port closes, streams end, calls in flight
/// and tasks have ten seconds to end.
pub async fn serve(listener: TcpListener, site: Site, shutdown: Shutdown) -> Result<(), BootError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in &site.names {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    let with_http = site.http.is_some();
    let mut routes = site
        .routes
        .add_service(health)
        .add_service(reflection(&site.names).build_v1().map_err(unreadable)?)
        .add_service(reflection(&site.names).build_v1alpha().map_err(unreadable)?);
    let router = routes.axum_router_mut();
    *router = std::mem::take(router).merge(site.http.unwrap_or_default()).fallback(unknown);
    let mut tasks = JoinSet::new();
    for (name, task) in site.tasks {
        tasks.spawn(shutdown.clone().vital(name, task));
    }

    let server = limited().accept_http1(with_http);
    let server = server.serve_with_incoming_shutdown(
        Access::new(routes.prepare(), site.faults),
        connections(listener),
        shutdown.cancelled(),
    );
    let farewell = async {
        shutdown.cancelled().await;
        say_farewell(reporter, &site.names).await;
        while tasks.join_next().await.is_some() {}
    };
    let drained = async { tokio::join!(server, farewell).0 };
    let too_late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = drained => served?,
        () = too_late => tracing::warn!("calls were still in flight after the drain"),
    }
    shutdown.failed().map_or(Ok(()), |name| Err(BootError::Task(name)))
}

/// Who speaks gRPC is told so in gRPC, who speaks plain HTTP in plain HTTP.
async fn unknown(headers: HeaderMap) -> Response {
    if is_grpc(&headers) {
        Status::unimplemented("there is no such method").into_http()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// So many calls may have been given up again before they were looked at. A caller who loses patience with many calls at
/// once, because this service was frozen for a moment or its own clients left, is no attacker: whoever closes the
/// connection on him ends all other calls on it too. It is as many as a gateway has in flight (`max_requests`), and
/// each of them holds little: its headers, of which there are at most 16 KiB.
const GIVEN_UP: usize = 1024;

/// The limits of a connection. Without them tonic allows any number of streams, and any number of resets of them
/// (RUSTSEC-2024-0003, CVE-2025-8671).
fn limited() -> Server {
    Server::builder()
        .max_concurrent_streams(128)
        .http2_max_pending_accept_reset_streams(Some(GIVEN_UP))
        .http2_max_local_error_reset_streams(Some(1024))
        .http2_max_header_list_size(16 * 1024)
        // A message and its prefix fit, and what nobody reads yet stays small: hyper allows a megabyte of each.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
}

/// Tells those who watch health, and then ends their streams: a server waits for every stream when it drains.
async fn say_farewell(mut reporter: HealthReporter, names: &[&'static str]) {
    let names = || names.iter().copied().chain([""]);
    for name in names() {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
    tokio::time::sleep(FAREWELL).await;
    for name in names() {
        reporter.clear_service_status(name).await;
    }
}

/// Reflection from the encoded set: a decoded set has lost `google.api.http`. It lists what is served here; asked for a
/// file or a symbol it knows the contracts of the whole shop, which come as one set.
fn reflection(names: &[&'static str]) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(HEALTH);
    names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
}

fn unreadable(error: tonic_reflection::server::Error) -> BootError {
    BootError::Other("can't read the descriptors".to_owned(), Some(error.into()))
}

/// A site served in this process on a free port of the loopback, for tests and for whoever embeds a service.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    shutdown: Shutdown,
    served: JoinHandle<Result<(), BootError>>,
}

impl Running {
    /// Serves `site`; `shutdown` is the one it was started with.
    pub async fn start(site: Site, shutdown: Shutdown) -> Result<Self, BootError> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(BootError::System)?;
        let address = listener.local_addr().map_err(BootError::System)?;
        let served = tokio::spawn(serve(listener, site, shutdown.clone()));
        Ok(Self { address, shutdown, served })
    }

    /// Its URL, for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops as a signal would, and waits for the end of the drain.
    pub async fn stop(self) -> Result<(), BootError> {
        self.shutdown.cancel();
        self.served.await.map_err(|panic| BootError::System(io::Error::other(panic)))?
    }
}
