//! HTTP/2 by hand (RFC 9113): headers that no client library would send.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use super::gate::Gate;
use super::soon;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 0x04;
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
    bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block(headers)));
    stream.write_all(&bytes).await.unwrap();
    soon("an outcome", async {
        loop {
            let Some((kind, _, payload)) = next(&mut stream).await else {
                return Outcome::Closed;
            };
            match kind {
                HEADERS => return Outcome::Answered(status(&payload)),
                RST_STREAM => return Outcome::Reset,
                GOAWAY => return Outcome::Closed,
                _ => {}
            }
        }
    })
    .await
}

/// Serves one connection: knows no method of the first call (which asks for health), and over the second leaves for that
/// reason, saying that it has not looked at it.
pub(crate) async fn leave_at_the_second_call(mut stream: TcpStream, reason: h2::Reason) {
    begin(&mut stream).await;
    let mut looked_at = 0;
    while let Some((kind, number, _)) = next(&mut stream).await {
        if kind != HEADERS {
            continue;
        }
        if looked_at > 0 {
            let word = [u32::to_be_bytes(looked_at), u32::from(reason).to_be_bytes()].concat();
            stream.write_all(&frame(GOAWAY, 0, 0, &word)).await.unwrap();
            return;
        }
        looked_at = number;
        stream.write_all(&unimplemented(number)).await.unwrap();
    }
}

/// Serves one connection: knows no method of the first call (which asks for health), begins to answer each other one
/// after it was given up, and answers those that were not when it is told to.
pub(crate) async fn answer_late(mut stream: TcpStream, told: Arc<Notify>) {
    begin(&mut stream).await;
    let (mut reader, mut writer) = stream.into_split();
    let (heard, mut frames) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((kind, number, _)) = next(&mut reader).await {
            heard.send((kind, number)).unwrap();
        }
    });
    let head = block(&[(":status", "200"), ("content-type", "application/grpc")]);
    let head = |number| frame(HEADERS, END_HEADERS, number, &head);
    let mut open = BTreeSet::new();
    loop {
        let bytes = tokio::select! {
            heard = frames.recv() => match heard {
                Some((HEADERS, 1)) => unimplemented(1),
                Some((HEADERS, number)) => {
                    open.insert(number);
                    continue;
                }
                Some((RST_STREAM, number)) => {
                    open.remove(&number);
                    head(number)
                }
                Some(_) => continue,
                None => return,
            },
            () = told.notified() => {
                let answer = |number| {
                    let trailers = block(&[("grpc-status", "0")]);
                    let end = frame(HEADERS, END_STREAM_AND_HEADERS, number, &trailers);
                    [head(number), frame(DATA, 0, number, &[0; 5]), end].concat()
                };
                open.iter().copied().flat_map(answer).collect()
            }
        };
        writer.write_all(&bytes).await.unwrap();
    }
}

/// What a server says and hears first.
async fn begin(stream: &mut TcpStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
}

/// The answer of a service that has no such method.
fn unimplemented(number: u32) -> Vec<u8> {
    let headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")];
    frame(HEADERS, END_STREAM_AND_HEADERS, number, &block(&headers))
}

/// The next frame: its type, the number of its stream, and what it carries.
async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [length @ .., kind, _, one, two, three, four] = head;
    let [high, middle, low] = length;
    let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, u32::from_be_bytes([one, two, three, four]), payload))
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
