//! One try over one connection, read frame by frame (gRPC over HTTP/2, "Responses").
//!
//! The answer is judged here and not by a library: a library invents a status for what is no gRPC, and nobody could
//! tell that status from the service's own word.

use std::future::poll_fn;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use percent_encoding::percent_decode;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time;
use tonic::body::Body;
use tonic::client::GrpcService as _;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::Method as Rpc;
use super::connections::Line;
use crate::context::{BoxError, Failure, Reply};

/// The largest message that is taken, in bytes: what gRPC clients take by default.
const LIMIT: usize = 4 * 1024 * 1024;

/// How long the first message of a stream is waited for once the service has begun to answer. What fails at once can
/// still be told by a status then, and a stream on which nothing happens yet is open soon.
const FIRST: Duration = Duration::from_millis(500);

/// Binary metadata comes with padding or without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Sends the message and reads the answer: of a stream the beginning, so that what fails at once is a failure.
pub(super) async fn ask(
    Line { mut channel, place }: Line,
    rpc: &Rpc,
    message: Bytes,
    metadata: HeaderMap,
) -> Result<Reply, Failure> {
    let request = request(rpc, message, metadata);
    poll_fn(|cx| channel.poll_ready(cx)).await.map_err(broken)?;
    let mut answer = Answer::begin(channel.call(request).await.map_err(broken)?)?;
    if rpc.streams {
        return begin(answer, place).await;
    }
    let message = answer.next().await?.ok_or_else(|| malformed("it holds no message"))?;
    match answer.next().await? {
        None => Ok(Reply::Message { message, metadata: answer.metadata }),
        Some(_) => Err(malformed("it holds more than one message")),
    }
}

async fn begin(mut answer: Answer, place: Option<OwnedSemaphorePermit>) -> Result<Reply, Failure> {
    let metadata = answer.metadata.clone();
    let (first, rest) = match time::timeout(FIRST, answer.next()).await {
        Ok(first) => match first? {
            Some(message) => (Some(Ok(message)), Some(answer)),
            None => (None, None),
        },
        Err(_nothing_yet) => (None, Some(answer)),
    };
    let rest = stream::unfold(rest.zip(Some(place)), |open| async {
        let (mut answer, place) = open?;
        match answer.next().await.transpose()? {
            Ok(message) => Some((Ok(message), Some((answer, place)))),
            Err(failure) => Some((Err(failure), None)),
        }
    });
    Ok(Reply::Stream { messages: stream::iter(first).chain(rest).boxed(), metadata })
}

fn request(rpc: &Rpc, message: Bytes, metadata: HeaderMap) -> Request<Body> {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put(message);
    let frame = Ok::<_, BoxError>(Frame::data(framed.freeze()));
    let mut request = Request::new(Body::new(StreamBody::new(stream::iter([frame]))));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = rpc.path.clone().into();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata;
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request
}

/// An answer that began as gRPC.
struct Answer {
    body: Body,
    /// What has come of the body and was not handed out yet.
    buffer: BytesMut,
    /// Headers, and at the end the trailers too.
    metadata: HeaderMap,
    ended: bool,
}

impl Answer {
    fn begin(response: Response<Body>) -> Result<Self, Failure> {
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Err(malformed(format!("its HTTP status is {}", head.status)));
        }
        if !is_grpc(&head.headers) {
            return Err(malformed("its content type is not application/grpc"));
        }
        // An answer of trailers only has its status in the head.
        let ended = head.headers.contains_key("grpc-status");
        Ok(Self { body, buffer: BytesMut::new(), metadata: head.headers, ended })
    }

    /// The next message; `None` when the service has said that all is well.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(message) = self.unframe()? {
                return Ok(Some(message));
            }
            if self.ended {
                return self.end();
            }
            let frame = self.body.frame().await.transpose().map_err(interrupted)?;
            match frame.map(Frame::into_data) {
                Some(Ok(data)) => self.buffer.put(data),
                Some(Err(other)) => {
                    self.metadata.extend(other.into_trailers().unwrap_or_default());
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
    }

    fn unframe(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut head = &self.buffer[..];
        let (Ok(flag), Ok(length)) = (head.try_get_u8(), head.try_get_u32()) else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match flag {
            _ if length > LIMIT => return Err(Failure::TooLarge),
            0 if head.len() < length => return Ok(None),
            0 => {}
            1 => return Err(malformed("a message is compressed, which was not asked for")),
            _ => return Err(malformed("the flag before a message is neither 0 nor 1")),
        }
        self.buffer.advance(5);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn end(&self) -> Result<Option<Bytes>, Failure> {
        if !self.buffer.is_empty() {
            return Err(malformed("it ends within a message"));
        }
        let status = status(&self.metadata)?;
        if status.code() == Code::Ok { Ok(None) } else { Err(Failure::Status(Box::new(status))) }
    }
}

/// `application/grpc`, or with the one suffix that stands for messages in protobuf.
fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [&b"application/grpc"[..], b"application/grpc+proto"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// The service's own word. A number beyond the list of codes is none.
fn status(metadata: &HeaderMap) -> Result<Status, Failure> {
    let mut values = metadata.get_all("grpc-status").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(malformed("it does not end with one grpc-status"));
    };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|text| text.parse().ok()).filter(|number| *number <= 16);
    let number = number.ok_or_else(|| malformed(format!("its grpc-status is {value:?}")))?;
    let message = metadata.get("grpc-message").map_or(&b""[..], HeaderValue::as_bytes);
    let details = metadata.get("grpc-status-details-bin").map_or(&b""[..], HeaderValue::as_bytes);
    Ok(Status::with_details_and_metadata(
        Code::from_i32(number),
        percent_decode(message).decode_utf8_lossy(),
        BASE64.decode(details).unwrap_or_default().into(),
        MetadataMap::from_headers(metadata.clone()),
    ))
}

fn malformed(what: impl Into<String>) -> Failure {
    Failure::Malformed(what.into())
}

fn broken(error: impl Into<BoxError>) -> Failure {
    Failure::Broken(error.into())
}

/// The answer had begun: whatever is said now, the service has looked at the call.
#[derive(Debug, Error)]
#[error("the answer broke off")]
pub(super) struct Interrupted(#[source] BoxError);

fn interrupted(error: impl Into<BoxError>) -> Failure {
    Failure::Broken(Interrupted(error.into()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of an answer whose body comes in pieces of that size, and how it ends.
    async fn read(body: &[u8], piece: usize) -> (Vec<Bytes>, Result<(), Failure>) {
        let pieces = body.chunks(piece).map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
        let trailers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]);
        let frames: Vec<_> =
            pieces.chain([Frame::trailers(trailers)]).map(Ok::<_, Status>).collect();
        let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let mut answer = Answer::begin(response).unwrap();
        let mut messages = Vec::new();
        loop {
            match answer.next().await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, Ok(())),
                Err(failure) => return (messages, Err(failure)),
            }
        }
    }

    #[tokio::test]
    async fn messages_may_come_in_any_pieces() {
        let body = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01d";
        for piece in 1..=body.len() {
            let (messages, end) = read(body, piece).await;
            assert_eq!(messages, ["abc", "", "d"], "{piece}");
            assert!(end.is_ok(), "{piece}: {end:?}");
        }
        for cut in 1..body.len() {
            let (messages, end) = read(&body[..cut], 3).await;
            let whole = [8, 13].iter().filter(|end| **end <= cut).count();
            assert_eq!(messages.len(), whole, "{cut}");
            assert_eq!(end.is_ok(), [8, 13].contains(&cut), "{cut}: {end:?}");
        }
    }

    #[tokio::test]
    async fn the_limit_is_the_last_length_that_is_taken() {
        let message = |length: usize| {
            let prefix = u32::try_from(length).unwrap().to_be_bytes();
            [&[0], prefix.as_slice(), &vec![7; length]].concat()
        };
        let (messages, end) = read(&message(LIMIT), 16 * 1024).await;
        assert_eq!((messages[0].len(), end.is_ok()), (LIMIT, true));
        let (messages, end) = read(&message(LIMIT + 1), 16 * 1024).await;
        assert_eq!(messages.len(), 0);
        assert!(matches!(end, Err(Failure::TooLarge)), "{end:?}");
    }

    #[test]
    fn a_status_is_read_as_leniently_as_it_can_be_told_from_none() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let mut trailers = HeaderMap::new();
            for (name, value) in pairs {
                trailers.append(*name, HeaderValue::from_static(value));
            }
            status(&trailers).map(|status| {
                (status.code(), status.message().to_owned(), status.details().to_vec())
            })
        };
        let (code, message, details) = read(&[
            ("grpc-status", "05"),
            ("grpc-message", "a%20%ff"),
            ("grpc-status-details-bin", "YWI="),
        ])
        .unwrap();
        assert_eq!(
            (code, message.as_str(), details),
            (Code::NotFound, "a \u{fffd}", b"ab".to_vec())
        );
        let (_, _, details) =
            read(&[("grpc-status", "5"), ("grpc-status-details-bin", "YWI")]).unwrap();
        assert_eq!(details, b"ab");
        for wrong in ["", "17", "-1", "+1", "1.0", "x", "99999999999"] {
            assert!(
                matches!(read(&[("grpc-status", wrong)]), Err(Failure::Malformed(_))),
                "{wrong}"
            );
        }
        assert!(read(&[]).is_err() && read(&[("grpc-status", "0"), ("grpc-status", "0")]).is_err());
    }
}
