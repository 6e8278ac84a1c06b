//! HTTP by hand: what no client library would send.

use std::time::Duration;

use e2e::shop::Shop;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the gateway may take to answer or to close.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back on one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// The statuses of all answers, in order.
    pub(crate) statuses: Vec<u16>,
    /// Everything that came back.
    pub(crate) text: String,
    /// Whether the gateway closed the connection.
    pub(crate) closed: bool,
}

/// Sends bytes as they are and reads until the gateway closes, or has been silent for a moment after an answer.
pub(crate) async fn converse(shop: &Shop, bytes: &[u8]) -> Conversation {
    let address = shop.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The gateway may close while we still write; what it said before is what counts.
    let _ = stream.write_all(bytes).await;
    let mut received = Vec::new();
    let closed = loop {
        let mut piece = [0; 4096];
        let silence = if received.is_empty() { PATIENCE } else { Duration::from_millis(300) };
        match timeout(silence, stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(length)) => received.extend_from_slice(&piece[..length]),
            Err(_) => break false,
        }
    };
    let text = String::from_utf8_lossy(&received).into_owned();
    let statuses = text
        .match_indices("HTTP/1.")
        .filter(|(at, _)| *at == 0 || text[..*at].ends_with(['\n', '}']))
        .filter_map(|(at, _)| text[at..].split(' ').nth(1)?.parse().ok())
        .collect();
    Conversation { statuses, text, closed }
}

/// Sends one request line with a Host and the given extra header lines.
pub(crate) async fn ask(shop: &Shop, line: &str, headers: &[&str]) -> Conversation {
    let more = headers.join(
        "
",
    ) + if headers.is_empty() {
        ""
    } else {
        "
"
    };
    converse(shop, format!("{line}\r\nHost: shop.example\r\n{more}\r\n").as_bytes()).await
}
