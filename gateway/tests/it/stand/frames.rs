//! HTTP/2 by hand (RFC 9113): headers that no client library would send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::Gate;
use super::soon;

const SETTINGS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 0x05;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, by the first byte of its header block: the status where the static table of HPACK has it.
    Answered(Option<u16>),
    /// The stream was reset.
    Reset,
    /// The connection was given up.
    Closed,
}

/// Sends one request of these headers, as they are, over a connection of its own.
pub(crate) async fn request(gate: &Gate, headers: &[(&str, &str)]) -> Outcome {
    let mut stream = TcpStream::connect(gate.address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(1, END_STREAM_AND_HEADERS, 1, &block(headers)));
    stream.write_all(&bytes).await.unwrap();
    soon("an outcome", async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return Outcome::Closed;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            if stream.read_exact(&mut payload).await.is_err() {
                return Outcome::Closed;
            }
            match head[3] {
                1 => return Outcome::Answered(status(&payload)),
                3 => return Outcome::Reset,
                7 => return Outcome::Closed,
                _ => {}
            }
        }
    })
    .await
}

/// The status of an answer. Updates of the table's size may stand before it.
fn status(block: &[u8]) -> Option<u16> {
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20)?;
    match first {
        0x88 => Some(200),
        0x8c => Some(400),
        0x8d => Some(404),
        _ => None,
    }
}

/// Literal headers without compression (RFC 7541, section 6.2.2).
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, stream.to_be_bytes().as_slice(), payload].concat()
}
