//! A client must say what it speaks before long.
//!
//! Which version of HTTP a connection speaks is found out by reading its first bytes, and the library waits for them
//! without end. This wrapper ends the wait; once the version is known, the timers of that version take over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{self, Sleep};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4). Whatever differs from it is HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pin_project! {
    /// A stream whose first bytes have a deadline.
    #[derive(Debug)]
    pub(super) struct FirstBytes<S> {
        #[pin]
        stream: S,
        #[pin]
        deadline: Sleep,
        // Bytes of the preface seen so far; `None` once the version is known.
        seen: Option<usize>,
    }
}

impl<S> FirstBytes<S> {
    /// Gives the client that long.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, deadline: time::sleep(patience), seen: Some(0) }
    }
}

impl<S: AsyncRead> AsyncRead for FirstBytes<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let Some(seen) = *this.seen else { return this.stream.poll_read(cx, buffer) };
        if this.deadline.poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(this.stream.poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let expected = PREFACE.get(seen..).unwrap_or_default();
        let differs = read.iter().zip(expected).any(|(read, expected)| read != expected);
        let known = differs || read.len() >= expected.len();
        *this.seen = (!known).then_some(seen + read.len());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> AsyncWrite for FirstBytes<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn connection() -> (DuplexStream, Pin<Box<FirstBytes<DuplexStream>>>) {
        let (client, server) = duplex(64);
        (client, Box::pin(FirstBytes::new(server, Duration::from_secs(10))))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_cut_off() {
        let (_client, mut server) = connection();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_within_the_preface_is_cut_off() {
        let (mut client, mut server) = connection();
        client.write_all(b"PRI * HT").await.unwrap();
        server.read_exact(&mut [0; 8]).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_version_is_known_the_deadline_is_gone() {
        for first in [&b"G"[..], b"PRI x", PREFACE] {
            let (mut client, mut server) = connection();
            client.write_all(first).await.unwrap();
            server.read_exact(&mut vec![0; first.len()]).await.unwrap();
            time::advance(Duration::from_mins(1)).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'x');
        }
    }
}
