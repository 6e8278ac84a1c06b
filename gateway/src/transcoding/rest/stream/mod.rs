//! A stream becomes one body: a JSON array, lines of JSON, or server-sent events; or raw bytes one after the other.
//!
//! `google.api.http` says nothing of streams. What is said here is chapter 7's table.

mod accept;
mod events;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time;

use self::accept::{Form, preferred};
pub(in crate::transcoding) use self::events::LAST_EVENT_ID;
use super::output::Output;
use crate::context::{Body, BoxError, Failure, Messages};
use crate::message::{FieldPath, WireError};
use crate::transcoding::Error;

/// How long the last piece of a body that is about to be broken off has to leave: breaking off drops what waits.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The form in which one client gets the messages of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Framing {
    form: Form,
    /// Of server-sent events, the last that the client has seen.
    last_event_id: Option<HeaderValue>,
}

impl Framing {
    /// What the client takes.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        let form = preferred(headers).ok_or(Error::NotAcceptable)?;
        let last_event_id = match form {
            Form::Events => events::last_event_id(headers)?,
            Form::Array | Form::Lines => None,
        };
        Ok(Self { form, last_event_id })
    }

    /// Whether the client has seen the end already.
    pub(crate) fn is_over(&self) -> bool {
        self.last_event_id.as_ref().is_some_and(events::is_end)
    }

    /// Where the client wants to go on.
    pub(in crate::transcoding) fn last_event_id(&self) -> Option<&HeaderValue> {
        self.last_event_id.as_ref()
    }

    /// The type of the body.
    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match self.form {
            Form::Array => "application/json",
            Form::Lines => "application/x-ndjson",
            Form::Events => "text/event-stream",
        })
    }

    /// What stands for a message; the first is told from those behind it.
    fn message(&self, first: bool, id: Option<&str>, json: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(json.len() + 64);
        match self.form {
            Form::Array => {
                out.extend_from_slice(if first { b"[" } else { b",\n" });
                out.extend_from_slice(json);
            }
            Form::Lines => {
                out.extend_from_slice(json);
                out.push(b'\n');
            }
            Form::Events => events::message(id, json, &mut out),
        }
        out.into()
    }

    /// What stands behind all messages, or where the first would have been.
    fn end(&self, first: bool) -> Bytes {
        match self.form {
            Form::Array => Bytes::from_static(if first { b"[]" } else { b"]" }),
            Form::Lines => Bytes::new(),
            Form::Events => {
                let mut out = Vec::new();
                events::end(&mut out);
                out.into()
            }
        }
    }

    /// What tells of a failure.
    fn failure(&self, first: bool, problem: &[u8]) -> Bytes {
        if self.form == Form::Events {
            let mut out = Vec::new();
            events::failure(problem, &mut out);
            return out.into();
        }
        self.message(first, None, &[b"{\"error\":", problem, b"}"].concat())
    }
}

/// What the messages of a stream are written by.
#[derive(Debug)]
pub(super) struct Writing {
    /// What of a message is told.
    pub(super) output: Output,
    /// The field that is the id of an event.
    pub(super) event_id: Option<FieldPath>,
    /// How often a client hears that its stream is alive.
    pub(super) heartbeat: Duration,
}

/// The body of a stream of messages; `tell` makes a problem of a failure.
///
/// A first message that is there already is written before the head is sent: what is wrong with it can be told by a
/// status then.
pub(super) fn body(
    mut messages: Messages,
    framing: Framing,
    writing: Arc<Writing>,
    tell: impl FnMut(Failure) -> Bytes + Send + 'static,
) -> Result<Body, Error> {
    let ready = messages.next().now_or_never();
    let mut sender = Sender { messages, framing, writing, tell, first: true };
    let mut first = None;
    match ready {
        Some(Some(Ok(wire))) => {
            first = Some(Ok(sender.write(&wire)?));
            sender.first = false;
        }
        Some(Some(Err(failure))) => return Err(failure.into()),
        Some(None) => sender.messages = stream::empty().boxed(),
        None => {}
    }
    let rest = stream::unfold(Next::Message(sender), Next::step);
    Ok(frames(stream::iter(first).chain(rest)))
}

/// The body of a stream of `google.api.HttpBody`: their bytes, and nothing between them. What is broken off is all that
/// can be seen of a failure, so `note` is only told of it.
pub(super) fn raw(
    messages: Messages,
    output: Output,
    mut note: impl FnMut(Failure) + Send + 'static,
) -> Body {
    let pieces = messages.map(move |message| {
        let piece = message.and_then(|wire| output.raw(&wire).map_err(|error| malformed(&error)));
        piece.map(|piece| piece.data).map_err(|failure| {
            note(failure);
            broken_off()
        })
    });
    // Behind what broke off nothing may follow.
    frames(pieces.scan(false, |broken, piece| {
        let piece = (!*broken).then_some(piece);
        *broken = matches!(piece, Some(Err(_)));
        async { piece }
    }))
}

fn frames(pieces: impl stream::Stream<Item = Result<Bytes, BoxError>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// What comes next in a body.
enum Next<F> {
    Message(Sender<F>),
    BreakOff,
    Nothing,
}

impl<F: FnMut(Failure) -> Bytes> Next<F> {
    async fn step(self) -> Option<(Result<Bytes, BoxError>, Self)> {
        match self {
            Self::Message(sender) => sender.next().await.map(|(piece, next)| (Ok(piece), next)),
            Self::BreakOff => {
                time::sleep(LAST_WORDS).await;
                Some((Err(broken_off()), Self::Nothing))
            }
            Self::Nothing => None,
        }
    }
}

struct Sender<F> {
    messages: Messages,
    framing: Framing,
    writing: Arc<Writing>,
    tell: F,
    first: bool,
}

impl<F: FnMut(Failure) -> Bytes> Sender<F> {
    async fn next(mut self) -> Option<(Bytes, Next<F>)> {
        let message = {
            let next = pin!(self.messages.next());
            match self.framing.form {
                Form::Events => time::timeout(self.writing.heartbeat, next).await,
                Form::Array | Form::Lines => Ok(next.await),
            }
        };
        let Ok(message) = message else {
            return Some((Bytes::from_static(events::HEARTBEAT), Next::Message(self)));
        };
        let Some(message) = message else {
            let end = self.framing.end(self.first);
            return (!end.is_empty()).then_some((end, Next::Nothing));
        };
        match message.and_then(|wire| self.write(&wire).map_err(|error| malformed(&error))) {
            Ok(piece) => {
                self.first = false;
                Some((piece, Next::Message(self)))
            }
            Err(failure) => {
                let piece = self.framing.failure(self.first, &(self.tell)(failure));
                // Only an array has no other way to say that it is not whole.
                let next =
                    if self.framing.form == Form::Array { Next::BreakOff } else { Next::Nothing };
                Some((piece, next))
            }
        }
    }

    fn write(&self, wire: &[u8]) -> Result<Bytes, WireError> {
        let mut json = Vec::new();
        self.writing.output.json(wire, &mut json)?;
        let id = self.writing.event_id.as_ref().filter(|_| self.framing.form == Form::Events);
        let id = id.and_then(|field| events::id(field, wire));
        Ok(self.framing.message(self.first, id.as_deref(), &json))
    }
}

fn malformed(error: &WireError) -> Failure {
    Failure::Malformed(error.to_string())
}

fn broken_off() -> BoxError {
    "the stream failed".into()
}
