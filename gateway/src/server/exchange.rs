//! One exchange: a request, its answer, and the journey that is read when both are over.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::client;
use super::door::Door;
use super::sanity::{self, Insane};
use crate::context::{Body, BoxError, Journey, RequestId};
use crate::error::GatewayError;
use crate::monitoring::{Monitor, trace_parent};
use crate::routing::METHODS;
use crate::transcoding::Dialect;

/// Answers one request, whatever happens.
pub(super) async fn exchange(
    door: &Door,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<RecordedBody> {
    let current = door.current();
    let client = client::address(peer, request.headers(), current.trusted_hops);
    let mut record =
        Record { journey: begin(&request, client), monitor: Arc::clone(door.monitor()) };
    let journey = &mut record.journey;
    let pipeline = &current.pipeline;
    let dialect = Dialect::of(&request);
    let head = request.method() == Method::HEAD;
    // In HTTP/2 the header is forbidden (RFC 9113, section 8.2.2), and connections are ended by a frame of their own.
    let closable = request.version() < Version::HTTP_2;
    let mut last = door.is_draining();

    let (parts, body) = request.into_parts();
    let mut answer = if let Err(insane) = sanity::check(&parts) {
        // Where the next request begins may be another matter of opinion: after CONNECT there is none.
        last = true;
        pipeline.refuse(dialect, &insane.into(), journey)
    } else {
        let request = Request::from_parts(parts, body);
        let handled = AssertUnwindSafe(pipeline.handle(request, door.draining(), journey))
            .catch_unwind()
            .await;
        handled.unwrap_or_else(|_panic| pipeline.refuse(dialect, &GatewayError::Panicked, journey))
    };

    answer.headers_mut().insert("x-request-id", journey.request_id.header());
    if closable && last {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    journey.status = Some(answer.status());
    if head {
        answer = without_body(answer);
    }
    journey.complete = answer.body().is_end_stream();
    answer.map(|body| RecordedBody { body, record })
}

impl From<Insane> for GatewayError {
    fn from(insane: Insane) -> Self {
        let (status, allow) = match insane {
            Insane::UnknownMethod => (StatusCode::NOT_IMPLEMENTED, None),
            Insane::RefusedMethod => {
                let methods = METHODS.each_ref().map(Method::as_str).join(", ");
                (StatusCode::METHOD_NOT_ALLOWED, HeaderValue::try_from(methods).ok())
            }
            _ => (StatusCode::BAD_REQUEST, None),
        };
        Self::Insane { status, problem: insane.to_string(), allow }
    }
}

fn begin<B>(request: &Request<B>, client: IpAddr) -> Journey {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(RequestId::accept)
        .unwrap_or_else(RequestId::fresh);
    let trace = trace_parent(request.headers());
    Journey::begin(id, trace, client, request.method().clone(), request.uri().path().to_owned())
}

/// The answer to HEAD says how long the body would be, and has none (RFC 9110, section 9.3.2).
fn without_body(answer: Response<Body>) -> Response<Body> {
    let length = answer.body().size_hint().exact();
    let mut answer = answer.map(|_| Empty::new().map_err(|never| match never {}).boxed_unsync());
    if let Some(length) = length {
        answer.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    answer
}

/// A journey that is read when it is dropped: after the last byte of the answer, or when the client has gone.
#[derive(Debug)]
struct Record {
    journey: Journey,
    monitor: Arc<Monitor>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.monitor.record(&self.journey);
    }
}

pin_project! {
    /// The body of an answer, which notes what of it was handed over.
    #[derive(Debug)]
    pub(super) struct RecordedBody {
        #[pin]
        body: Body,
        record: Record,
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        let journey = &mut this.record.journey;
        journey.complete = match &frame {
            None => true,
            Some(Ok(frame)) => {
                journey.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                // Behind trailers nothing is asked for any more.
                frame.is_trailers() || this.body.is_end_stream()
            }
            Some(Err(_)) => false,
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
