//! The tables that reading and writing run on, one per message and per enum.

use std::fmt;

use super::name_index::NameIndex;
use crate::message::value::Value;
use crate::message::wire::{WireType, push_varint};

/// Which message of a schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct MessageId(pub(crate) u32);

/// Which enum of a schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct EnumId(pub(crate) u32);

/// What a field (or an element of it, or a value of its map) holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are protobuf's own")]
pub enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
}

impl Kind {
    /// Whether JSON writes it in quotes, because not every reader has 64-bit integers.
    pub(crate) fn is_64_bit(self) -> bool {
        matches!(self, Self::Int64 | Self::Uint64 | Self::Sint64 | Self::Fixed64 | Self::Sfixed64)
    }

    pub(crate) fn wire_type(self) -> WireType {
        match self {
            Self::Bool
            | Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64
            | Self::Enum(_) => WireType::Varint,
            Self::Fixed32 | Self::Sfixed32 | Self::Float => WireType::Fixed32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::Fixed64,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Len,
        }
    }
}

/// How often a field may stand, and what its absence means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// At most one value.
    Singular {
        /// Whether absent and default differ (`optional`, a member of a oneof, a message, proto2).
        presence: bool,
    },
    /// A list.
    Repeated {
        /// Whether it is written packed; both forms are read.
        packed: bool,
    },
    /// A map; the field's kind is that of its values.
    Map {
        /// The kind of the keys.
        key: Kind,
        /// The message of one entry, key and value being its two fields.
        entry: MessageId,
    },
}

/// Messages that have a JSON form of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Special {
    None,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Wrapper,
    /// An ordinary object, but an `Any` may hold it in either form.
    Empty,
}

/// A field's tag as it stands on the wire.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    bytes: [u8; 5],
    len: u8,
}

impl Tag {
    pub(crate) fn new(number: u32, wire_type: WireType) -> Self {
        let mut encoded = Vec::with_capacity(5);
        push_varint(&mut encoded, u64::from(number) << 3 | wire_type.code());
        let mut bytes = [0; 5];
        let mut len = 0;
        for (slot, byte) in bytes.iter_mut().zip(&encoded) {
            *slot = *byte;
            len += 1;
        }
        Self { bytes, len }
    }

    pub(crate) fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..usize::from(self.len)]);
    }
}

/// Everything that reading and writing ask about one field.
pub(crate) struct FieldTable {
    pub(crate) number: u32,
    pub(crate) name: Box<str>,
    pub(crate) json_name: Box<str>,
    /// `,"jsonName":`, as it stands before the value in an object.
    pub(crate) key: Box<[u8]>,
    /// The tag it is written with.
    pub(crate) tag: Tag,
    /// The wire type of one value; a packed block of them is [`WireType::Len`].
    pub(crate) wire_type: WireType,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) oneof: Option<u16>,
    /// Only where it is not the zero of its kind.
    pub(crate) default: Option<Value<'static>>,
    pub(crate) redacted: bool,
}

impl FieldTable {
    /// Whether several values of it may stand in one length-delimited block.
    pub(crate) fn packable(&self) -> bool {
        matches!(self.shape, Shape::Repeated { .. }) && self.wire_type != WireType::Len
    }
}

/// Everything that reading and writing ask about one message.
pub(crate) struct MessageTable {
    pub(crate) full_name: Box<str>,
    /// In the order of their numbers.
    pub(crate) fields: Box<[FieldTable]>,
    pub(crate) oneofs: Box<[Box<str>]>,
    pub(crate) special: Special,
    by_number: Box<[u16]>,
    by_name: NameIndex,
}

/// Numbers below this are looked up by index.
const DENSE: u32 = 256;
const NO_FIELD: u16 = u16::MAX;

impl MessageTable {
    /// `fields` in the order of their numbers, at most 32767 of them.
    pub(crate) fn new(
        full_name: &str,
        fields: Vec<FieldTable>,
        oneofs: Vec<Box<str>>,
        special: Special,
    ) -> Self {
        let mut by_number = Vec::new();
        let mut names = NameIndex::builder();
        for (field, index) in fields.iter().zip(0..) {
            if field.number < DENSE {
                by_number.resize(field.number as usize, NO_FIELD);
                by_number.push(index);
            }
            names.add(field.json_name.as_bytes(), index);
        }
        // A JSON name goes before another field's proto name.
        for (field, index) in fields.iter().zip(0..) {
            names.add(field.name.as_bytes(), index);
        }
        Self {
            full_name: full_name.into(),
            fields: fields.into(),
            oneofs: oneofs.into(),
            special,
            by_number: by_number.into(),
            by_name: names.build(),
        }
    }

    #[inline]
    pub(crate) fn index_of_number(&self, number: u32) -> Option<u16> {
        if number < DENSE {
            self.by_number.get(number as usize).copied().filter(|index| *index != NO_FIELD)
        } else {
            let found = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
            u16::try_from(found).ok()
        }
    }

    /// By JSON name or proto name.
    #[inline]
    pub(crate) fn index_of_name(&self, name: &[u8]) -> Option<u16> {
        self.by_name.find(name)
    }
}

impl fmt::Debug for MessageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageTable({})", self.full_name)
    }
}

/// Everything that reading and writing ask about one enum.
pub(crate) struct EnumTable {
    pub(crate) full_name: Box<str>,
    /// Unknown numbers of a closed enum (proto2) are no value of the field.
    pub(crate) closed: bool,
    /// `google.protobuf.NullValue`, which JSON spells `null`.
    pub(crate) null: bool,
    /// By number; of several names for one number the first declared.
    values: Box<[EnumValue]>,
    /// Whether value `i` stands at index `i`.
    contiguous: bool,
    by_name: NameIndex,
    numbers: Box<[i32]>,
}

struct EnumValue {
    number: i32,
    /// With its quotes.
    quoted: Box<str>,
}

impl EnumTable {
    /// `declared` in declaration order, at most 32767 of them.
    pub(crate) fn new(full_name: &str, closed: bool, declared: &[(i32, &str)]) -> Self {
        let mut names = NameIndex::builder();
        for ((_, name), index) in declared.iter().zip(0..) {
            names.add(name.as_bytes(), index);
        }
        let mut values: Vec<_> = declared
            .iter()
            .map(|(number, name)| EnumValue {
                number: *number,
                quoted: format!("\"{name}\"").into(),
            })
            .collect();
        values.sort_by_key(|value| value.number);
        values.dedup_by_key(|value| value.number);
        let contiguous = values.iter().zip(0..).all(|(value, index)| value.number == index);
        Self {
            full_name: full_name.into(),
            closed,
            null: full_name == "google.protobuf.NullValue",
            values: values.into(),
            contiguous,
            by_name: names.build(),
            numbers: declared.iter().map(|(number, _)| *number).collect(),
        }
    }

    pub(crate) fn number(&self, name: &[u8]) -> Option<i32> {
        self.numbers.get(usize::from(self.by_name.find(name)?)).copied()
    }

    /// The number of a name in whatever case, if `ignore_case` is set. The exact name goes first: two may differ in
    /// nothing but their case.
    pub(crate) fn number_of(&self, name: &[u8], ignore_case: bool) -> Option<i32> {
        let exact = self.number(name);
        if exact.is_some() || !ignore_case {
            return exact;
        }
        self.by_name
            .entries()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .and_then(|(_, index)| self.numbers.get(usize::from(index)).copied())
    }

    /// The name with quotes around it.
    #[inline]
    pub(crate) fn quoted(&self, number: i32) -> Option<&str> {
        let index = if self.contiguous {
            usize::try_from(number).ok()?
        } else {
            self.values.binary_search_by_key(&number, |value| value.number).ok()?
        };
        self.values.get(index).map(|value| &*value.quoted)
    }

    pub(crate) fn name(&self, number: i32) -> Option<&str> {
        self.quoted(number).map(|quoted| quoted.trim_matches('"'))
    }

    /// Every name, for a sentence that says what is expected.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| value.quoted.trim_matches('"'))
    }
}
