//! Takes connections until it is told to stop, then lets what is under way end: for clients and operators alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::connection;
use crate::context::BoxError;

/// How long who connected last may take to send a request. The door is shut already.
const LAST_WORD: Duration = Duration::from_millis(250);

/// How much is served at once, and how long its end may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections that are served at once; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// How long requests under way may take once the listener is told to stop.
    pub(crate) drain: Duration,
}

/// Serves every connection with the service that is made for its address, until `stop`; then lets requests end.
pub(crate) async fn listen<S, B>(
    listener: TcpListener,
    limits: Limits,
    stop: CancellationToken,
    service: impl Fn(SocketAddr) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let builder = connection::builder();
    let mut failures = Failures::default();
    let serve = |stream: TcpStream, client: SocketAddr, slot: OwnedSemaphorePermit| {
        let served = connection::serve(&builder, stream, service(client));
        let watched = graceful.watch(served);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%client, error, "connection ended");
            }
            drop(slot);
        });
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, client, slot)) => serve(stream, client, slot),
            Err(error) => {
                failures.tell(&error);
                // Out of descriptors, most likely: accepting again at once would only spin.
                time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Who stands in the kernel's queue believes to be connected: closing it would refuse what was taken.
    if let Ok(listener) = listener.into_std() {
        while let Ok(slot) = Arc::clone(&slots).try_acquire_owned()
            && let Ok((stream, client)) = take(&listener)
        {
            serve(stream, client, slot);
        }
    }
    if slots.available_permits() < limits.connections {
        time::sleep(LAST_WORD).await;
    }
    if time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = limits.drain.as_secs(),
            "some requests did not end in time and are cut off"
        );
    }
}

/// Waits for a slot and then for a connection.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, client, slot))
}

/// Takes a connection that waits already. The runtime may not have heard of it yet, so the system is asked.
fn take(listener: &std::net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, client) = listener.accept()?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok((TcpStream::from_std(stream)?, client))
}

/// Connections that could not be accepted, told once a second.
#[derive(Default)]
struct Failures {
    told: Option<Instant>,
    untold: u64,
}

impl Failures {
    fn tell(&mut self, error: &io::Error) {
        self.untold += 1;
        if self.told.is_none_or(|told| told.elapsed() >= Duration::from_secs(1)) {
            tracing::warn!(%error, times = self.untold, "connections could not be accepted");
            *self = Self { told: Some(Instant::now()), untold: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMITS: Limits = Limits { connections: 8, drain: Duration::from_secs(10) };

    /// Listens with a service that says `ok`, and returns what a client is told who sent a request before.
    async fn told(stop: &CancellationToken, clients: usize) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut streams = Vec::new();
        for _ in 0..clients {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
            streams.push(stream);
        }
        let ok = || async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("ok")))) };
        let listening = tokio::spawn(listen(listener, LIMITS, stop.clone(), move |_| {
            service_fn(move |_| ok())
        }));
        let mut answers = Vec::new();
        for mut stream in streams {
            let mut answer = String::new();
            let _reset = stream.read_to_string(&mut answer).await;
            answers.push(answer);
        }
        stop.cancel();
        listening.await.unwrap();
        answers
    }

    #[tokio::test]
    async fn who_connected_before_the_end_is_answered() {
        for stop in [CancellationToken::new(), CancellationToken::new()] {
            stop.cancel();
            for answer in told(&stop, 5).await {
                assert!(
                    answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"),
                    "{answer}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_told_once_a_second() {
        let mut failures = Failures::default();
        let error = io::Error::other("too many open files");
        let mut untold = Vec::new();
        for _ in 0..5 {
            failures.tell(&error);
            untold.push(failures.untold);
            time::advance(Duration::from_millis(400)).await;
        }
        assert_eq!(untold, [0, 1, 2, 0, 1]);
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_for_their_turn() {
        let answers = told(&CancellationToken::new(), 30).await;
        assert!(answers.iter().all(|answer| answer.ends_with("ok")), "{answers:?}");
    }
}
