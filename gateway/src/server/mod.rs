//! Where clients come in: the listener, limits on connections, request sanity, and the way out.
//!
//! It wraps whole exchanges and decides nothing about what a request may do.

mod client;
mod connection;
mod door;
mod exchange;
mod first_bytes;
mod listener;
mod sanity;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use door::Door;
pub(crate) use listener::{Limits, listen};

/// What clients may take up.
const LIMITS: Limits = Limits { connections: 10_000, drain: Duration::from_secs(12) };

/// Serves clients until `stop`, then lets the requests under way end.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, stop: CancellationToken) {
    listen(listener, LIMITS, stop, |client| {
        let door = Arc::clone(&door);
        service_fn(move |request| {
            let door = Arc::clone(&door);
            async move {
                Ok::<_, Infallible>(exchange::exchange(&door, request, client.ip()).await)
            }
        })
    })
    .await;
}
