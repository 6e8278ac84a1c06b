//! Room 7: translates between what the client speaks and the protobuf messages the services speak.
//!
//! A request becomes wire bytes and a reply becomes the client's answer again; JSON exists nowhere else. It decides
//! what `google.api.http` says about bodies, queries and path variables. It never chooses a route, never calls a service.
//! Chapter 7: docs/07-transcoding.md

mod body;
mod config;
mod grpc;
mod headers;
mod http_rule;
mod options;
mod problem;
mod rest;
mod rules;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use thiserror::Error;

pub(crate) use body::UnreadableBody;
pub(crate) use config::Config;
pub(crate) use grpc::InvalidFrame;
pub(crate) use headers::{HeaderPolicy, InvalidHeader};
pub(crate) use http_rule::{HttpRule, http_rules};
pub(crate) use options::Options;
pub(crate) use rest::{Framing, InvalidField, RestBinding};
pub(crate) use rules::Rules;

use crate::context::{Body, Deadline, Failure, Reply, RequestId, Verdict};
use crate::message::{JsonError, Names, Schema, WireError};
use crate::setting::Problem;

/// Why a request or a reply can't be translated.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The body can't be read.
    #[error(transparent)]
    Body(#[from] UnreadableBody),
    /// The body is not what its frame says.
    #[error(transparent)]
    Frame(#[from] InvalidFrame),
    /// A header can't be passed on.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// The body is not the JSON of the message.
    #[error("the body is not valid")]
    Json(#[from] JsonError),
    /// A path variable or a query parameter is not valid.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The body is in another format.
    #[error("the body must be application/json (curl sends that with --json)")]
    MediaType,
    /// It can't be said what the raw bytes of the body are.
    #[error("the body's Content-Type must be sent once at most, in visible ASCII")]
    SeveralTypes,
    /// The client means gRPC, but not in a form in which it can be served.
    #[error(
        "gRPC is spoken here over HTTP/2, with one content type: application/grpc or application/grpc+proto"
    )]
    OtherGrpc,
    /// The route has no body.
    #[error("this route takes no body")]
    UnexpectedBody,
    /// The service's answer is not a message of its type.
    #[error("the service's answer can't be read")]
    Answer(#[from] WireError),
    /// The stream failed before its answer began.
    #[error(transparent)]
    Stream(#[from] Failure),
    /// The client takes none of the forms that a stream has.
    #[error(
        "this route answers with a stream: accept application/json, application/x-ndjson or text/event-stream"
    )]
    NotAcceptable,
}

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// gRPC: content type `application/grpc`, over HTTP/2.
    Grpc,
    /// JSON over HTTP.
    Rest,
}

impl Dialect {
    /// Finds out from the head, before anything else is decided. Below HTTP/2 nobody speaks gRPC: its answers end with
    /// trailers, which get lost there.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if request.version() == Version::HTTP_2 && grpc::is_protobuf(request.headers()) {
            Self::Grpc
        } else {
            Self::Rest
        }
    }

    /// Refuses what calls itself gRPC and is not the gRPC that is spoken here.
    pub(crate) fn check(self, headers: &HeaderMap) -> Result<(), Error> {
        if self == Self::Rest && grpc::is_named(headers) {
            return Err(Error::OtherGrpc);
        }
        Ok(())
    }

    /// Answers with a failure.
    pub(crate) fn refuse(
        self,
        verdict: &Verdict,
        id: &RequestId,
        settings: &Settings,
    ) -> Response<Body> {
        let mut answer = match self {
            Self::Grpc => grpc::refuse(verdict),
            Self::Rest => problem::render(verdict, id, settings).map(full),
        };
        answer.headers_mut().extend(settings.headers.response_headers(&verdict.metadata));
        answer
    }
}

/// How the requests of one route become messages, and its replies answers.
#[derive(Debug)]
pub(crate) enum Binding {
    /// By a rule of `google.api.http`.
    Rest(Box<RestBinding>),
    /// Not at all: the client sends the message itself.
    Untouched,
}

impl Binding {
    /// In which form the client takes a stream, where it may choose.
    pub(crate) fn framing(&self, headers: &HeaderMap) -> Result<Option<Framing>, Error> {
        match self {
            Self::Rest(binding) => binding.framing(headers),
            Self::Untouched => Ok(None),
        }
    }

    /// Reads the request's message as wire bytes, and how the client spells its fields; `captures` are the values of the
    /// template's variables in their order.
    pub(crate) async fn read(
        &self,
        captures: &[Cow<'_, str>],
        parts: &Parts,
        framing: Option<&Framing>,
        body: Incoming,
        deadline: Deadline,
    ) -> Result<(Bytes, Spelling<'_>), Error> {
        if let Self::Rest(binding) = self
            && let Err(refusal) = binding.admit_body(&parts.headers)
        {
            // What is refused anyway is not read; nothing at all is no body.
            if !rest::is_empty(body, deadline).await? {
                return Err(refusal);
            }
            let (message, names) = binding.read(captures, parts, framing, b"")?;
            return Ok((message, Spelling(Some((binding, names)))));
        }
        let body = body::read(body, deadline).await?;
        match self {
            Self::Rest(binding) => {
                let (message, names) = binding.read(captures, parts, framing, body.as_ref())?;
                Ok((body.becomes(message), Spelling(Some((binding, names)))))
            }
            Self::Untouched => Ok((grpc::unframe(body.into())?, Spelling(None))),
        }
    }

    /// Renders a reply; `judge` says what it means to the client when a stream fails.
    pub(crate) async fn render(
        &self,
        reply: Reply,
        framing: Option<Framing>,
        (settings, id): (&Arc<Settings>, &RequestId),
        mut judge: impl FnMut(Failure) -> Verdict + Send + 'static,
    ) -> Result<Response<Body>, Error> {
        let (Reply::Message { metadata, .. } | Reply::Stream { metadata, .. }) = &reply;
        let headers = settings.headers.response_headers(metadata);
        match (self, reply) {
            (Self::Untouched, reply) => Ok(grpc::render(reply, headers, judge)),
            (Self::Rest(binding), Reply::Message { message, .. }) => {
                Ok(binding.render(&message, headers)?.map(full))
            }
            (Self::Rest(binding), Reply::Stream { messages, .. }) => {
                let (settings, id) = (Arc::clone(settings), id.clone());
                let tell = move |failure| problem::body(&judge(failure), &id, &settings);
                Ok(binding.stream(messages, framing, headers, tell).await?)
            }
        }
    }
}

/// How a client names the fields of its request; one that sent the message itself, as the contract does.
pub(crate) struct Spelling<'b>(Option<(&'b RestBinding, Names)>);

impl Spelling<'_> {
    /// A field of the message as the client would name it, where that is another name than the service's.
    pub(crate) fn of(&self, field: &str) -> Option<String> {
        let (binding, names) = self.0?;
        binding.spell(field, names).filter(|spelled| spelled != field)
    }
}

/// What all routes share.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Which headers pass.
    pub(crate) headers: HeaderPolicy,
    schema: Arc<Schema>,
    status_by_reason: BTreeMap<String, StatusCode>,
    problem_base: String,
}

impl Settings {
    /// Reads the section, noting what is wrong with it.
    pub(crate) fn compile(
        config: &Config,
        schema: Option<Arc<Schema>>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let headers = HeaderPolicy::compile(config, problems);
        let mut status_by_reason = BTreeMap::new();
        for (reason, status) in &config.status_by_reason {
            let code = status.value.parse().ok().filter(|code| (400..600).contains(code));
            if let Some(code) = code.and_then(|code| StatusCode::from_u16(code).ok()) {
                status_by_reason.insert(reason.clone(), code);
                continue;
            }
            problems.push(Problem::at(
                status,
                format!("transcoding.status_by_reason.{reason}"),
                format!(
                    "`{}` is not the HTTP status of a failure: write one from 400 to 599",
                    status.value
                ),
            ));
        }
        let problem_base = config.problem_base.as_ref().map_or("/problems", |base| &base.value);
        if let Some(base) = &config.problem_base
            && base.value.parse::<http::Uri>().is_err()
        {
            let message = format!("`{}` is not a URI reference", base.value);
            problems.push(Problem::at(base, "transcoding.problem_base", message));
        }
        Some(Self {
            headers,
            schema: schema?,
            status_by_reason,
            problem_base: problem_base.trim_end_matches('/').to_owned(),
        })
    }

    /// The status of a failure: its reason may say more than its code.
    fn status(&self, verdict: &Verdict) -> StatusCode {
        let by_reason =
            verdict.reason.as_ref().and_then(|reason| self.status_by_reason.get(reason));
        *by_reason.unwrap_or(&verdict.status)
    }

    /// What travels beside the message: what the client may send, and the exchange's own ids.
    pub(crate) fn metadata(
        &self,
        headers: &HeaderMap,
        framing: Option<&Framing>,
        (id, trace_parent): (&RequestId, &HeaderValue),
    ) -> Result<HeaderMap, Error> {
        let mut metadata = self.headers.request_metadata(headers)?;
        if let Some(last) = framing.and_then(Framing::last_event_id) {
            metadata.insert(rest::LAST_EVENT_ID, last.clone());
        }
        metadata.insert("x-request-id", id.header());
        metadata.insert("traceparent", trace_parent.clone());
        Ok(metadata)
    }
}

/// Answers a client that asks for more of a stream of which it has seen the end (WHATWG HTML, "Server-sent events": who
/// gets this does not ask again).
pub(crate) fn nothing_more() -> Response<Body> {
    let mut answer = Response::new(full(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Answers what a path takes (RFC 9110, section 9.3.7).
pub(crate) fn allow(methods: HeaderValue) -> Response<Body> {
    let mut answer = nothing_more();
    answer.headers_mut().insert(ALLOW, methods);
    answer
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
