//! What comes in: a bounded number of connections, each of which must say soon what it speaks.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tonic::transport::server::Connected;

/// The next client waits in the listener's backlog.
const MOST_CONNECTIONS: usize = 1024;
/// hyper has no limit of its own before it knows which protocol a client speaks, so a few bytes would hold a place for
/// ever. Afterwards the protocol's own timers take over: keepalive pings, or the time for an HTTP/1 head.
const FIRST_BYTES: Duration = Duration::from_secs(10);
/// What an HTTP/2 connection begins with (RFC 9113, section 3.4). Whatever differs from it is HTTP/1, or refused.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// When the process is out of file descriptors, accepting fails at once, again and again.
const BREATH: Duration = Duration::from_millis(50);

/// The connections of a listener. It never ends, and no failed accept ends it.
pub(super) fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    stream::unfold((listener, places), |(listener, places)| async {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = Connection::new(stream, place);
                    return Some((Ok(connection), (listener, places)));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    })
}

/// A connection that has a place among those that are allowed.
pub(super) struct Connection {
    stream: TcpStream,
    /// None once it is known what the client speaks.
    greeting: Option<Greeting>,
    _place: OwnedSemaphorePermit,
}

/// The wait for the first bytes.
struct Greeting {
    deadline: Pin<Box<Sleep>>,
    /// Bytes of the preface that have come.
    seen: usize,
}

impl Connection {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        // Small answers must not wait for the client's acknowledgement; without the option they are only slower.
        let _ = stream.set_nodelay(true);
        let deadline = Box::pin(tokio::time::sleep(FIRST_BYTES));
        Self { stream, greeting: Some(Greeting { deadline, seen: 0 }), _place: place }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(greeting) = &mut this.greeting else {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        };
        if greeting.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let expected = PREFACE.get(greeting.seen..).unwrap_or_default();
        let differs = read.iter().zip(expected).any(|(read, expected)| read != expected);
        if differs || read.len() >= expected.len() {
            this.greeting = None;
        } else {
            greeting.seen += read.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut incoming = Box::pin(connections(listener));
        (client, incoming.next().await.unwrap().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_let_go() {
        let (_client, mut connection) = pair().await;
        let silent = connection.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_within_the_preface_is_let_go() {
        for first in [&b"P"[..], PREFACE.split_last().unwrap().1] {
            let (mut client, mut connection) = pair().await;
            client.write_all(first).await.unwrap();
            connection.read_exact(&mut vec![0; first.len()]).await.unwrap();
            let stalled =
                tokio::time::timeout(FIRST_BYTES * 10, connection.read(&mut [0; 8])).await;
            assert_eq!(stalled.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut, "{first:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_said_what_it_speaks_may_take_its_time() {
        for first in [&b"G"[..], b"PRI x", PREFACE] {
            let (mut client, mut connection) = pair().await;
            client.write_all(first).await.unwrap();
            connection.read_exact(&mut vec![0; first.len()]).await.unwrap();
            let waiting =
                tokio::time::timeout(FIRST_BYTES * 10, connection.read(&mut [0; 8])).await;
            assert!(waiting.is_err(), "{first:?}: {waiting:?}");
        }
    }
}
