//! gRPC by hand: calls any RPC of a descriptor set with JSON, and shows messages as people read them.
//!
//! The tests and the tour speak to the services through this, so that what they see owes nothing to generated code.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::str::FromStr as _;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _};
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, SerializeOptions,
    Value as Field,
};
use serde_json::Value;
use thiserror::Error;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};

/// Why a call was never made.
#[derive(Debug, Error)]
pub enum Unspeakable {
    /// Nobody declares it.
    #[error("no service of the descriptors has an RPC {0}: write it as package.Service/Method")]
    UnknownRpc(String),
    /// The message does not fit.
    #[error("this is not a {message} in JSON: {source}")]
    BadMessage {
        /// The type that was wanted.
        message: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Metadata that can't be sent.
    #[error("{0} can't be sent as metadata")]
    BadMetadata(String),
}

/// The shop's descriptors. Panics when they can't be read, which only a broken build explains.
pub fn shop_descriptors() -> DescriptorPool {
    match DescriptorPool::decode(proto::DESCRIPTORS) {
        Ok(pool) => pool,
        Err(error) => panic!("the shop's descriptors: {error}"),
    }
}

/// Finds an RPC by its full name, `package.Service/Method`.
pub fn method(pool: &DescriptorPool, rpc: &str) -> Result<MethodDescriptor, Unspeakable> {
    rpc.split_once('/')
        .and_then(|(service, name)| {
            pool.get_service_by_name(service)?.methods().find(|method| method.name() == name)
        })
        .ok_or_else(|| Unspeakable::UnknownRpc(rpc.to_owned()))
}

/// Turns JSON into wire bytes.
pub fn encode(descriptor: MessageDescriptor, json: &Value) -> Result<Vec<u8>, Unspeakable> {
    let message = descriptor.full_name().to_owned();
    DynamicMessage::deserialize(descriptor, json)
        .map(|dynamic| dynamic.encode_to_vec())
        .map_err(|source| Unspeakable::BadMessage { message, source })
}

/// Turns wire bytes into JSON, fields with their default left out; null when the bytes are not such a message.
pub fn decode(descriptor: MessageDescriptor, wire: &[u8]) -> Value {
    DynamicMessage::decode(descriptor, wire)
        .ok()
        .and_then(|dynamic| {
            dynamic
                .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
                .ok()
        })
        .unwrap_or_default()
}

/// What was asked of a service, by somebody who stands behind the door.
#[derive(Clone, Debug)]
pub struct Call {
    rpc: String,
    message: Value,
    metadata: MetadataMap,
    patience: Duration,
}

impl Call {
    /// A call of `package.Service/Method` with a message in JSON.
    pub fn new(rpc: &str, message: Value) -> Self {
        Self {
            rpc: rpc.to_owned(),
            message,
            metadata: MetadataMap::new(),
            patience: Duration::from_secs(10),
        }
    }

    /// Adds metadata.
    pub fn metadata(mut self, name: &str, value: &str) -> Result<Self, Unspeakable> {
        let bad = || Unspeakable::BadMetadata(format!("{name}: {value}"));
        let key = MetadataKey::<Ascii>::from_str(name).map_err(|_| bad())?;
        self.metadata.append(key, value.parse().map_err(|_| bad())?);
        Ok(self)
    }

    /// Makes the call. The outer error says that it was never made, the inner one is the service's own.
    pub async fn send(
        self,
        to: SocketAddr,
    ) -> Result<Result<Response<Value>, Status>, Unspeakable> {
        let method = method(&shop_descriptors(), &self.rpc)?;
        let wire = encode(method.input(), &self.message)?;
        let answer = transmit(to, &self, wire).await;
        Ok(answer.map(|answer| answer.map(|wire| decode(method.output(), &wire))))
    }
}

async fn transmit(to: SocketAddr, call: &Call, wire: Vec<u8>) -> Result<Response<Vec<u8>>, Status> {
    let unreachable = |error| Status::unavailable(format!("{to}: {error}"));
    let endpoint = Endpoint::from_shared(format!("http://{to}")).map_err(unreachable)?;
    let channel = endpoint.timeout(call.patience).connect().await.map_err(unreachable)?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(unreachable)?;
    let path = http::uri::PathAndQuery::from_maybe_shared(format!("/{}", call.rpc))
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let mut request = Request::new(wire);
    *request.metadata_mut() = call.metadata.clone();
    client.unary(request, path, Raw).await
}

/// Shows a message as in the text format of protobuf, with the number of each field before its name.
pub fn listing(descriptor: MessageDescriptor, wire: &[u8]) -> String {
    let mut text = String::new();
    match DynamicMessage::decode(descriptor, wire) {
        Ok(message) => list(&message, 0, &mut text),
        Err(error) => text.push_str(&error.to_string()),
    }
    text
}

fn list(message: &DynamicMessage, depth: usize, text: &mut String) {
    for (field, value) in message.fields() {
        let head = format!("{:indent$}{} {}", "", field.number(), field.name(), indent = depth * 2);
        let values = value.as_list().map_or(vec![value], |list| list.iter().collect());
        for value in values {
            list_value(&head, value, &field.kind(), depth, text);
        }
    }
}

fn list_value(head: &str, value: &Field, kind: &Kind, depth: usize, text: &mut String) {
    // Writing to a string can't fail.
    let _ = match value {
        Field::Message(message) => {
            let _ = writeln!(text, "{head} {{");
            list(message, depth + 1, text);
            writeln!(text, "{:indent$}}}", "", indent = depth * 2)
        }
        Field::String(string) => writeln!(text, "{head}: {string:?}"),
        Field::EnumNumber(number) => {
            let named = kind.as_enum().and_then(|names| names.get_value(*number));
            writeln!(
                text,
                "{head}: {number} ({})",
                named.as_ref().map_or("?", |value| value.name())
            )
        }
        Field::I32(number) => writeln!(text, "{head}: {number}"),
        Field::I64(number) => writeln!(text, "{head}: {number}"),
        other => writeln!(text, "{head}: {other:?}"),
    };
}

/// Passes wire bytes through tonic untouched.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Ok(Some(bytes.into()))
    }
}
