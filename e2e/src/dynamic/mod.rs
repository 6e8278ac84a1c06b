//! gRPC by hand: calls any RPC of a descriptor set with JSON, and shows messages as people read them.
//!
//! The tests and the tour speak to the services through this, so that what they see owes nothing to generated code.

mod call;

use std::fmt::Write as _;

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, SerializeOptions,
    Value as Field,
};
use serde_json::Value;
use thiserror::Error;
use tonic::Status;

pub use call::{Call, Messages};

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
pub fn encode(descriptor: MessageDescriptor, json: &Value) -> Result<Bytes, Unspeakable> {
    let message = descriptor.full_name().to_owned();
    DynamicMessage::deserialize(descriptor, json)
        .map(|dynamic| dynamic.encode_to_vec().into())
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

/// The details of a failure (`google.rpc.Status.details`), each as the JSON of its type; null when they can't be read.
pub fn details(status: &Status) -> Value {
    match shop_descriptors().get_message_by_name("google.rpc.Status") {
        Some(descriptor) => decode(descriptor, status.details())["details"].take(),
        None => Value::Null,
    }
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
