//! The gRPC dialect: message bytes pass untouched, only the frame around them is taken off and put on again
//! (gRPC over HTTP/2, "Length-Prefixed-Message").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use thiserror::Error;
use tonic::Code;

use crate::context::{Body, BoxError, Failure, Reply, Verdict, seconds};

/// What `grpc-message` must not carry bare.
const MESSAGE: &AsciiSet = &CONTROLS.add(b'%').add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

const GRPC: &[u8] = b"application/grpc";

/// In which encodings messages are taken. Every answer says so, for the client that has just used another.
const ACCEPTED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("identity"));

/// The body is not one gRPC message.
#[derive(Debug, Error)]
pub(crate) enum InvalidFrame {
    /// The message is compressed. A client learns from `grpc-accept-encoding` which encodings it may use (gRPC, "Compression").
    #[error(
        "the message is compressed, and no compression is supported here: send it uncompressed, with grpc-encoding identity"
    )]
    Compressed,
    /// The body is shorter or longer than its prefix says.
    #[error("the body is not one length-prefixed gRPC message")]
    Length,
}

/// Whether the one content type is gRPC with messages in protobuf.
pub(super) fn is_protobuf(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == GRPC || essence.strip_prefix(GRPC) == Some(b"+proto")
}

/// Whether any content type begins as those of gRPC do, gRPC-Web and other formats included.
pub(super) fn is_named(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|value| {
        let head = value.as_bytes().get(..GRPC.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(GRPC))
    })
}

/// Takes the frame off the one message of a request.
pub(super) fn unframe(mut body: Bytes) -> Result<Bytes, InvalidFrame> {
    let compressed = body.try_get_u8().map_err(|_| InvalidFrame::Length)?;
    let length = body.try_get_u32().map_err(|_| InvalidFrame::Length)?;
    if compressed != 0 {
        return Err(InvalidFrame::Compressed);
    }
    if body.len() as u64 != u64::from(length) {
        return Err(InvalidFrame::Length);
    }
    Ok(body)
}

/// Renders a reply; `headers` are those that the client may see, and `judge` says what a failed stream means to it.
pub(super) fn render(
    reply: Reply,
    headers: HeaderMap,
    mut judge: impl FnMut(Failure) -> Verdict + Send + 'static,
) -> Response<Body> {
    let messages = match reply {
        Reply::Message { message, .. } => stream::once(async { Ok(message) }).boxed(),
        Reply::Stream { messages, .. } => messages,
    };
    // The status ends the body: after the messages, or instead of the one that failed.
    let items = messages.map(Some).chain(stream::once(async { None }));
    let frames = items.scan(false, move |ended, item| {
        let frame = (!*ended).then(|| match item {
            Some(Ok(message)) => frame(message),
            Some(Err(failure)) => Frame::trailers(trailers(&judge(failure))),
            None => Frame::trailers(status(Code::Ok)),
        });
        *ended = frame.as_ref().is_none_or(Frame::is_trailers);
        async { frame.map(Ok::<_, BoxError>) }
    });
    answer(StreamBody::new(frames).boxed_unsync(), headers)
}

/// Renders a verdict as an answer of trailers only.
pub(super) fn refuse(verdict: &Verdict) -> Response<Body> {
    answer(Empty::new().map_err(|never| match never {}).boxed_unsync(), trailers(verdict))
}

fn answer(body: Body, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response.headers_mut().extend([ACCEPTED]);
    response
}

fn frame(message: Bytes) -> Frame<Bytes> {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put(message);
    Frame::data(framed.freeze())
}

fn trailers(verdict: &Verdict) -> HeaderMap {
    let mut trailers = status(verdict.code);
    if let Some(wait) = verdict.retry_after {
        trailers.insert(RETRY_AFTER, seconds(wait).into());
    }
    let message = utf8_percent_encode(&verdict.detail, MESSAGE).to_string();
    if let Ok(message) = HeaderValue::from_str(&message) {
        trailers.insert(HeaderName::from_static("grpc-message"), message);
    }
    if !verdict.details.is_empty()
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(&verdict.details))
    {
        trailers.insert(HeaderName::from_static("grpc-status-details-bin"), details);
    }
    trailers
}

fn status(code: Code) -> HeaderMap {
    let status = (HeaderName::from_static("grpc-status"), HeaderValue::from(code as i32));
    HeaderMap::from_iter([status])
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::Collected;

    use super::*;
    use crate::context::Origin;

    #[test]
    fn takes_exactly_one_uncompressed_message() {
        let body = |bytes: &'static [u8]| {
            unframe(Bytes::from_static(bytes)).map_err(|error| error.to_string())
        };
        assert_eq!(body(b"\0\0\0\0\x02ab").unwrap(), "ab");
        assert_eq!(body(b"\0\0\0\0\0").unwrap(), "");
        for wrong in
            [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x03ab", b"\0\0\0\0\x01ab", b"\0\xff\xff\xff\xffab"]
        {
            assert!(body(wrong).unwrap_err().contains("length-prefixed"), "{wrong:?}");
        }
        assert!(body(b"\x01\0\0\0\x02ab").unwrap_err().contains("compressed"));
    }

    async fn rendered(reply: Reply) -> Collected<Bytes> {
        let judge = |failure: Failure| Verdict {
            row: None,
            status: StatusCode::BAD_GATEWAY,
            code: failure.code(),
            detail: "100 % gone".to_owned(),
            reason: None,
            retry_after: None,
            origin: Origin::Upstream,
            details: Bytes::new(),
            metadata: HeaderMap::new(),
            headers: Vec::new(),
        };
        render(reply, HeaderMap::new(), judge).into_body().collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_message_is_framed_and_followed_by_its_status() {
        let reply =
            Reply::Message { message: Bytes::from_static(b"ab"), metadata: HeaderMap::new() };
        let body = rendered(reply).await;
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), &b"\0\0\0\0\x02ab"[..]);
    }

    #[tokio::test]
    async fn a_stream_that_fails_ends_with_the_failure() {
        let items =
            [Ok(Bytes::from_static(b"a")), Err(Failure::TooLarge), Ok(Bytes::from_static(b"b"))];
        let reply =
            Reply::Stream { messages: stream::iter(items).boxed(), metadata: HeaderMap::new() };
        let body = rendered(reply).await;
        let trailers = body.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "13");
        assert_eq!(trailers["grpc-message"], "100%20%25%20gone");
        assert_eq!(body.to_bytes(), &b"\0\0\0\0\x01a"[..]);
    }
}
