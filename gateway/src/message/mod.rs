//! Messages: what the descriptors say, and how a message is read and written by it.
//!
//! `Schema` compiles descriptors into tables once. On them run the JSON reader and writer (proto3 JSON
//! mapping, text straight to wire bytes and back) and [`FieldPath`], the one reader of single fields.
//! All of them see what a conforming protobuf parser sees. Nothing here knows HTTP, and nothing is
//! ever decoded into a dynamic message.

mod base64;
mod calendar;
mod escape;
mod field_mask;
mod json_in;
mod json_out;
#[cfg(test)]
pub(crate) mod kitchen_sink;
mod map;
mod nearest;
mod path;
mod place;
mod schema;
mod value;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use self::escape::readable;
pub use self::json_in::{JsonError, JsonIn};
pub use self::json_out::JsonOut;
pub(crate) use self::nearest::nearest;
pub use self::path::{FieldPath, PathError, TextError, TextPath};
pub use self::place::{FieldPlace, Names};
pub use self::schema::{
    EnumId, Field, Idempotency, Kind, MessageId, MessageType, RpcType, Schema, SchemaError, Shape,
};
pub use self::value::Value;
pub use self::wire::WireError;
