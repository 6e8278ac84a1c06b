//! An answer that a test writes while the gateway reads it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;
use tonic::Code;

use super::framed;

/// A part of an answer that streams.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A message as wire bytes.
    Message(Bytes),
    /// The end: the status of the call and the text beside it.
    End(Code, &'static str),
}

/// The body of such an answer. Nothing is taken from the writer before the gateway has room for it, and the writer sees
/// at once (`Sender::closed`) when the call is given up.
#[derive(Debug)]
pub(super) struct Pieces(pub(super) mpsc::Receiver<Piece>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match ready!(self.0.poll_recv(context)) {
            Some(Piece::Message(message)) => Frame::data(framed(&message)),
            Some(Piece::End(code, text)) => Frame::trailers(status(code, text)),
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

/// The status of a call as trailers.
pub(super) fn status(code: Code, text: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(i32::from(code)));
    if let Ok(text) = text.parse() {
        trailers.insert("grpc-message", text);
    }
    trailers
}
