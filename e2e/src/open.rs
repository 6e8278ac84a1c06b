//! An answer whose body is read as it comes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::time::timeout;

/// How long a test waits for more: longer than a stream is silent, which has a heartbeat every 15 seconds.
const PATIENCE: Duration = Duration::from_secs(25);

/// An answer that has begun. Dropping it gives it up: the connection closes.
#[derive(Debug)]
pub struct Open {
    what: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    response: reqwest::Response,
    unread: BytesMut,
}

impl Open {
    pub(crate) fn new(what: String, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { what, status, headers, response, unread: BytesMut::new() }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The id under which the logs know this exchange; empty when the answer does not say it.
    pub fn request_id(&self) -> String {
        self.header("x-request-id").unwrap_or_default().to_owned()
    }

    /// Reads up to and including `end`. Panics when the body ends before, or nothing more comes.
    pub async fn until(&mut self, end: &str) -> String {
        let behind = |unread: &[u8]| {
            let at = unread.windows(end.len()).position(|part| part == end.as_bytes());
            at.map(|at| at + end.len())
        };
        self.take(end, behind).await
    }

    /// Reads as much as `text` is long. Panics as [`until`](Self::until) does.
    pub async fn as_long_as(&mut self, text: &str) -> String {
        let long = |unread: &[u8]| (unread.len() >= text.len()).then_some(text.len());
        self.take(text, long).await
    }

    async fn take(&mut self, wanted: &str, end: impl Fn(&[u8]) -> Option<usize>) -> String {
        loop {
            if let Some(end) = end(&self.unread) {
                let read = self.unread.split_to(end);
                return String::from_utf8_lossy(&read).into_owned();
            }
            match self.more().await {
                Ok(Some(piece)) => self.unread.extend_from_slice(&piece),
                ended => {
                    let read = String::from_utf8_lossy(&self.unread);
                    panic!("{}: wanted {wanted:?}, got {read:?}, then {ended:?}", self.what)
                }
            }
        }
    }

    /// The next bytes; none at a clean end, an error at an unclean one. Panics when nothing more comes.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        if self.unread.is_empty() {
            self.more().await
        } else {
            Ok(Some(self.unread.split().freeze()))
        }
    }

    async fn more(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
        match timeout(PATIENCE, self.response.chunk()).await {
            Ok(piece) => piece,
            Err(late) => panic!("{}: nothing more came for {PATIENCE:?}: {late}", self.what),
        }
    }

    /// Reads the rest, and whether it came to a clean end.
    pub async fn rest(mut self) -> (String, bool) {
        let clean = loop {
            match self.more().await {
                Ok(Some(piece)) => self.unread.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        (String::from_utf8_lossy(&self.unread).into_owned(), clean)
    }
}
