//! Where operators come in: a second listener that clients never reach.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::Door;

/// Serves operators until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    door: Arc<Door>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(door)).with_graceful_shutdown(stop.cancelled_owned()).await
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
