//! Where clients come in: the listener, limits on connections, request sanity, and the way out.
//!
//! It wraps whole exchanges and decides nothing about what a request may do.

mod connection;
mod door;
mod exchange;
mod first_bytes;
mod sanity;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;

pub(crate) use door::Door;

/// Connections that are served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 10_000;

/// How long requests under way may take once the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(15);

/// Serves clients until `stop`, then lets the requests under way end.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let builder = Arc::new(connection::builder());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = connection::accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, client, slot)) => {
                let served = connection::serve(&builder, stream, client, Arc::clone(&door));
                let watched = graceful.watch(served);
                tokio::spawn(async move {
                    if let Err(error) = watched.await {
                        tracing::debug!(%client, error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: accepting again at once would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            "some requests did not end in time and are cut off"
        );
    }
}
