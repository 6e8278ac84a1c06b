//! Where operators come in: a second listener that clients never reach.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::{Door, Limits, listen};

/// What operators may take up: a few people, probes and scrapers, all of them quick.
const LIMITS: Limits = Limits { connections: 64, drain: Duration::from_secs(2) };

/// Serves operators until `stop`, with the limits on connections that clients have too.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, stop: CancellationToken) {
    let router = router(door);
    listen(listener, LIMITS, stop, |_| TowerToHyperService::new(router.clone())).await;
}

fn router(door: Arc<Door>) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(door)
}

/// The process lives.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Requests may come.
async fn readyz(State(door): State<Arc<Door>>) -> (StatusCode, &'static str) {
    if door.ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
