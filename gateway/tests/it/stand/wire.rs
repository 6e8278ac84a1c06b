//! HTTP/1 by hand: what no client library would send.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::Gate;
use super::reply::Reply;
use super::soon;

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects and says nothing.
    pub(crate) async fn open(gate: &Gate) -> Self {
        Self::open_at(gate.address).await
    }

    /// Connects to any address and says nothing.
    pub(crate) async fn open_at(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Connects, sends, and reads every answer until the gateway closes.
    pub(crate) async fn talk(gate: &Gate, bytes: impl AsRef<[u8]>) -> Vec<Reply> {
        let mut wire = Self::open(gate).await;
        wire.send(bytes).await;
        wire.rest().await
    }

    /// Sends a request line with a host and `Connection: close`, and returns the one answer.
    pub(crate) async fn ask(gate: &Gate, line: &str) -> Reply {
        Self::ask_with(gate, line, "").await
    }

    /// The same with further header lines.
    pub(crate) async fn ask_with(gate: &Gate, line: &str, headers: &str) -> Reply {
        let request =
            format!("{line} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n{headers}\r\n");
        let mut answers = Self::talk(gate, request).await;
        assert_eq!(answers.len(), 1, "{line}: {answers:?}");
        answers.remove(0)
    }

    /// Sends bytes as they are. What a closed connection no longer takes is lost.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _closed = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads one answer.
    pub(crate) async fn answer(&mut self) -> Reply {
        loop {
            if let Some((reply, length)) = parse(&self.read, false) {
                self.read.drain(..length);
                return reply;
            }
            assert!(self.more().await, "closed within an answer: {}", self.read.escape_ascii());
        }
    }

    /// Reads every answer until the gateway closes.
    pub(crate) async fn rest(mut self) -> Vec<Reply> {
        while self.more().await {}
        let mut answers = Vec::new();
        while let Some((reply, length)) = parse(&self.read, true) {
            self.read.drain(..length);
            answers.push(reply);
        }
        assert!(self.read.is_empty(), "not an answer: {}", self.read.escape_ascii());
        answers
    }

    /// Waits until the gateway closes, and returns what it has said since the last answer.
    pub(crate) async fn closed(mut self) -> String {
        while self.more().await {}
        self.read.escape_ascii().to_string()
    }

    async fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        match soon("bytes or the end of the connection", self.stream.read(&mut piece)).await {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.read.extend_from_slice(&piece[..length]);
                true
            }
        }
    }
}

/// The first answer and its length; `ended` says that nothing follows, so that a body without length is whole.
fn parse(bytes: &[u8], ended: bool) -> Option<(Reply, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&bytes[..head]).unwrap().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        })
        .collect();
    let body = &bytes[head + 4..];
    let length = match headers.get("content-length") {
        Some(length) => length.to_str().unwrap().parse().unwrap(),
        None if status == 204 || status == 100 => 0,
        None if ended => body.len(),
        None => return None,
    };
    // The answer to HEAD names a length and has no body.
    let length = if body.len() < length && ended && body.is_empty() { 0 } else { length };
    let body = body.get(..length)?.to_vec();
    Some((Reply { status, headers, body }, head + 4 + length))
}
