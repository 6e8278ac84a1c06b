//! What comes back becomes a REST answer.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response};

use super::RestBinding;
use super::output::{OCTETS, Output};
use super::stream::{self as framed, Framing, Writing};
use crate::context::{Body, Failure, Messages};
use crate::message::{FieldPath, RpcType, TextPath, WireError};
use crate::transcoding::{Error, Options, full};

/// What the RPC answers with.
#[derive(Debug)]
pub(super) enum Answer {
    /// One message.
    Message(Output),
    /// A stream of messages, which a client can take up again where the variable says.
    Stream(Arc<Writing>, Option<TextPath>),
    /// A stream of raw bytes.
    Raw(Output),
}

impl Answer {
    /// Checks what a rule says about the answers of an RPC; notes one sentence for each mistake.
    pub(super) fn compile(
        rpc: &RpcType,
        response_body: &str,
        options: &Options,
        mistakes: &mut Vec<String>,
    ) -> Option<Self> {
        let field = match response_body {
            "" => None,
            name => Some(top_level(rpc, name, mistakes)?),
        };
        let output = Output::new(rpc.output().clone(), field, options.json_out);
        if !rpc.server_streaming() {
            return Some(Self::Message(output));
        }
        if output.is_raw() {
            return Some(Self::Raw(output));
        }
        let Options { event_id, last_event_id, heartbeat, .. } = options.clone();
        Some(Self::Stream(Arc::new(Writing { output, event_id, heartbeat }), last_event_id))
    }
}

fn top_level(rpc: &RpcType, name: &str, mistakes: &mut Vec<String>) -> Option<FieldPath> {
    // A dot would lead on into a message (http.proto, `response_body`: "the name of the response field").
    let found = rpc.output().field(name).and_then(|_| FieldPath::parse(rpc.output(), name).ok());
    if found.is_none() {
        let message = rpc.output().full_name();
        mistakes.push(format!("response_body: {message} has no field `{name}`"));
    }
    found
}

impl RestBinding {
    /// How the client gets the messages of a stream, if it is for the client to choose.
    pub(in crate::transcoding) fn framing(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Framing>, Error> {
        match &self.answer {
            Answer::Stream(..) => Framing::negotiate(headers).map(Some),
            Answer::Message(_) | Answer::Raw(_) => Ok(None),
        }
    }

    /// Renders the one message of a reply; `headers` are those that the client may see.
    pub(in crate::transcoding) fn render(
        &self,
        wire: &Bytes,
        headers: HeaderMap,
    ) -> Result<Response<Bytes>, WireError> {
        let output = self.answer.output();
        let (content_type, body) = if output.is_raw() {
            let body = output.raw(wire)?;
            (body.content_type(), body.data)
        } else {
            let mut json = Vec::new();
            output.json(wire, &mut json)?;
            (HeaderValue::from_static("application/json"), json.into())
        };
        Ok(answer(body, content_type, headers))
    }

    /// Renders the messages of a stream; `tell` makes a problem of a failure.
    ///
    /// Raw bytes have the type of their first piece, which is waited for.
    pub(in crate::transcoding) async fn stream(
        &self,
        mut messages: Messages,
        framing: Option<Framing>,
        headers: HeaderMap,
        mut tell: impl FnMut(Failure) -> Bytes + Send + 'static,
    ) -> Result<Response<Body>, Error> {
        if let (Answer::Stream(writing, _), Some(framing)) = (&self.answer, framing) {
            let content_type = framing.content_type();
            let body = framed::body(messages, framing, Arc::clone(writing), tell)?;
            let mut answer = answer(body, content_type, headers);
            answer.headers_mut().append(VARY, HeaderValue::from_static("accept"));
            answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Ok(answer);
        }
        let output = self.answer.output().clone();
        let Some(first) = messages.next().await.transpose()? else {
            let nothing = full(Bytes::new());
            return Ok(answer(nothing, HeaderValue::from_static(OCTETS), headers));
        };
        let content_type = output.raw(&first)?.content_type();
        let messages = stream::iter([Ok(first)]).chain(messages).boxed();
        let body = framed::raw(messages, output, move |failure| {
            let _nobody_can_be_told = tell(failure);
        });
        Ok(answer(body, content_type, headers))
    }
}

impl Answer {
    fn output(&self) -> &Output {
        match self {
            Self::Message(output) | Self::Raw(output) => output,
            Self::Stream(writing, _) => &writing.output,
        }
    }
}

fn answer<B>(body: B, content_type: HeaderValue, headers: HeaderMap) -> Response<B> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
