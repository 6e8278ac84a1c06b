//! What a scripted service answers.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;
use serde_json::Value;
use tokio::sync::watch;
use tonic::Code;
use tonic_types::pb;

use super::feed::Feed;
use super::schema::encode;

/// The answer to one call: OK with one message, unless something else is said.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) status: u16,
    pub(super) latch: Option<Latch>,
    pub(super) ends: bool,
    pub(super) feed: Option<Feed>,
}

impl Answer {
    /// A message of the kitchen.
    pub(crate) fn of(message: &str, json: &Value) -> Self {
        Self::wire(&encode(message, json))
    }

    /// A dish.
    pub(crate) fn dish(json: &Value) -> Self {
        Self::of("Dish", json)
    }

    /// A message as wire bytes, whatever they are.
    pub(crate) fn wire(message: &[u8]) -> Self {
        Self::wires(&[message])
    }

    /// Several messages.
    pub(crate) fn wires(messages: &[&[u8]]) -> Self {
        Self::framed(messages.iter().flat_map(|message| frame(message)).collect::<Vec<u8>>())
    }

    /// A body as it is, whether it is framed well or not.
    pub(crate) fn framed(body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_static("application/grpc");
        let mut answer = Self {
            headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type)]),
            body: body.into(),
            trailers: None,
            status: 200,
            latch: None,
            ends: true,
            feed: None,
        };
        answer = answer.trailer("grpc-status", "0");
        answer
    }

    /// A failure.
    pub(crate) fn error(code: Code, text: &str) -> Self {
        Self::framed("")
            .trailer("grpc-status", &(code as i32).to_string())
            .trailer("grpc-message", text)
    }

    /// No answer ever.
    pub(crate) fn never() -> Self {
        Self::framed("").when(&Latch::default())
    }

    /// An answer that is not gRPC.
    pub(crate) fn plain(status: u16, body: &str) -> Self {
        let mut answer = Self::framed(body.to_owned());
        answer.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        Self { status, trailers: None, ..answer }
    }

    /// A stream of what the test feeds, which ends when the test says so.
    pub(crate) fn fed(feed: &Feed) -> Self {
        Self { feed: Some(feed.clone()), ..Self::framed("") }
    }

    /// Adds details to a failure.
    pub(crate) fn details(self, details: Vec<prost_types::Any>) -> Self {
        let trailers = self.trailers.as_ref().unwrap();
        let code = trailers["grpc-status"].to_str().unwrap().parse().unwrap();
        let message = trailers["grpc-message"].to_str().unwrap().to_owned();
        let status = pb::Status { code, message, details };
        self.trailer("grpc-status-details-bin", &STANDARD_NO_PAD.encode(status.encode_to_vec()))
    }

    /// Adds metadata before the message.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    /// Adds metadata behind the message, or replaces it.
    pub(crate) fn trailer(mut self, name: &'static str, value: &str) -> Self {
        let trailers = self.trailers.get_or_insert_default();
        trailers.insert(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    /// Says it is of another type.
    pub(crate) fn typed(mut self, content_type: &str) -> Self {
        self.headers.insert(http::header::CONTENT_TYPE, content_type.parse().unwrap());
        self
    }

    /// Ends without a status.
    pub(crate) fn without_trailers(self) -> Self {
        Self { trailers: None, ..self }
    }

    /// Waits with the answer until the latch is opened.
    pub(crate) fn when(self, latch: &Latch) -> Self {
        Self { latch: Some(latch.clone()), ..self }
    }

    /// Takes that long.
    pub(crate) fn after(self, time: Duration) -> Self {
        let latch = Latch::default();
        let answer = self.when(&latch);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            latch.open();
        });
        answer
    }

    /// Keeps the stream open behind its last message.
    pub(crate) fn open_end(self) -> Self {
        Self { ends: false, ..self }
    }
}

/// Holds answers back until the test opens it.
#[derive(Clone)]
pub(crate) struct Latch(Arc<watch::Sender<bool>>);

impl Default for Latch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Latch {
    /// Lets all answers go.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// A message as gRPC sends it, uncompressed.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}
