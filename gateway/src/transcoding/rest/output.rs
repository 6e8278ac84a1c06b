//! What a route answers with: a message, or one field of it, as JSON; or the raw bytes of a `google.api.HttpBody`.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderValue;
use prost::Message as _;

use crate::message::{FieldPath, JsonOut, MessageType, Value, WireError};

/// The type of bytes that nothing is known about (RFC 2046, section 4.5.1).
pub(super) const OCTETS: &str = "application/octet-stream";

/// The longest type that is passed on, in bytes: clients have no room for more than some kilobytes of headers.
const LONGEST: usize = 1024;

/// `google.api.HttpBody` (google/api/httpbody.proto), of which the extensions are of no use to a client.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) data: Bytes,
}

/// How the messages that a route answers with are written.
#[derive(Clone, Debug)]
pub(super) struct Output {
    message: MessageType,
    /// The one field that is the answer (http.proto, `response_body`); without it, the whole message.
    field: Option<FieldPath>,
    options: JsonOut,
}

impl Output {
    /// The answers are of this type; `field` is a top-level field of it.
    pub(super) fn new(message: MessageType, field: Option<FieldPath>, options: JsonOut) -> Self {
        Self { message, field, options }
    }

    /// Whether the answers are bytes of a type of their own.
    pub(super) fn is_raw(&self) -> bool {
        match &self.field {
            Some(field) => !field.is_repeated() && is_http_body(field.leaf().message_type()),
            None => is_http_body(Some(self.message.clone())),
        }
    }

    /// Appends a message as JSON.
    pub(super) fn json(&self, wire: &[u8], json: &mut Vec<u8>) -> Result<(), WireError> {
        json.reserve(wire.len() * 2 + 64);
        match &self.field {
            Some(field) => field.leaf().wire_to_json(wire, &self.options, json),
            None => self.message.wire_to_json(wire, &self.options, json),
        }
    }

    /// Takes the bytes out of a message, which it shares with them.
    pub(super) fn raw(&self, wire: &Bytes) -> Result<HttpBody, WireError> {
        let body = match &self.field {
            None => wire.clone(),
            Some(field) => match field.find(wire)? {
                Some(Value::Message(Cow::Borrowed(body))) => wire.slice_ref(body),
                Some(Value::Message(Cow::Owned(body))) => body.into(),
                _ => Bytes::new(),
            },
        };
        HttpBody::decode(body).map_err(|_| WireError::from("it is not a google.api.HttpBody"))
    }
}

impl HttpBody {
    /// Its type, if it says one.
    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_str(&self.content_type)
            .ok()
            .filter(|value| (1..=LONGEST).contains(&value.len()))
            .unwrap_or(HeaderValue::from_static(OCTETS))
    }
}

pub(super) fn is_http_body(message: Option<MessageType>) -> bool {
    message.is_some_and(|message| message.full_name() == "google.api.HttpBody")
}
