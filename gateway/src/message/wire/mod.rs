//! Protobuf's wire format, and the laws by which a conforming parser reads a message from it.
//!
//! `cursor` reads varints, tags and lengths; `write` writes them; `level` reads one message's own
//! fields and settles what counts: the last scalar, the last member of a oneof, all parts of a
//! sub-message. Nothing else in the gateway interprets wire bytes.

mod cursor;
mod error;
mod level;
mod write;

pub(crate) use self::cursor::{Cursor, WireType, sign32, unzigzag32, unzigzag64};
pub use self::error::WireError;
pub(crate) use self::error::{Fault, Outcome};
pub(crate) use self::level::{Occurrence, Raw, elements, joined, read_field, read_level};
pub(crate) use self::write::{close, open, push_varint, zigzag32, zigzag64};

/// How deep messages may nest, map entries counted: the limit that protobuf's own parsers share.
pub(crate) const MAX_DEPTH: u32 = 100;
