//! From descriptors to tables.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor, Syntax};

use super::SchemaError;
use super::table::{
    EnumId, EnumTable, FieldTable, Kind, MessageId, MessageTable, Shape, Special, Tag,
};
use crate::message::escape::push_json_string;
use crate::message::value::Value;
use crate::message::wire::{Cursor, WireType};

/// Members are numbered in 16 bits, and a field has two names.
const MOST_MEMBERS: usize = 32_767;

/// Where each message and enum got its place.
pub(super) struct Places {
    pub(super) messages: HashMap<String, MessageId>,
    enums: HashMap<String, EnumId>,
}

pub(super) struct Tables {
    pub(super) places: Places,
    pub(super) messages: Vec<MessageTable>,
    pub(super) enums: Vec<EnumTable>,
}

pub(super) fn compile(pool: &DescriptorPool) -> Result<Tables, SchemaError> {
    let places = Places {
        messages: pool
            .all_messages()
            .zip(0..)
            .map(|(message, id)| (message.full_name().to_owned(), MessageId(id)))
            .collect(),
        enums: pool
            .all_enums()
            .zip(0..)
            .map(|(declared, id)| (declared.full_name().to_owned(), EnumId(id)))
            .collect(),
    };
    let messages = pool
        .all_messages()
        .map(|message| compile_message(&places, &message))
        .collect::<Result<_, _>>()?;
    let enums =
        pool.all_enums().map(|declared| compile_enum(&declared)).collect::<Result<_, _>>()?;
    Ok(Tables { places, messages, enums })
}

fn compile_message(
    places: &Places,
    message: &MessageDescriptor,
) -> Result<MessageTable, SchemaError> {
    // Synthetic oneofs only carry the presence of an `optional` field.
    let oneofs: Vec<Box<str>> = message
        .oneofs()
        .filter(|oneof| !oneof.is_synthetic())
        .map(|oneof| oneof.name().into())
        .collect();
    let mut fields = Vec::new();
    for field in message.fields() {
        fields.push(compile_field(places, &oneofs, &field)?);
    }
    fields.sort_by_key(|field| field.number);
    if fields.len() > MOST_MEMBERS {
        return Err(SchemaError::TooLarge { name: message.full_name().to_owned() });
    }
    Ok(MessageTable::new(message.full_name(), fields, oneofs, special(message)))
}

fn compile_field(
    places: &Places,
    oneofs: &[Box<str>],
    field: &FieldDescriptor,
) -> Result<FieldTable, SchemaError> {
    let entry = field.kind().as_message().filter(|_| field.is_map()).cloned();
    let (kind, shape) = if let Some(entry) = entry {
        let key = kind(places, &entry.map_entry_key_field())?;
        let shape = Shape::Map { key, entry: message_id(places, &entry)? };
        (kind(places, &entry.map_entry_value_field())?, shape)
    } else if field.is_list() {
        (kind(places, field)?, Shape::Repeated { packed: field.is_packed() })
    } else {
        (kind(places, field)?, Shape::Singular { presence: field.supports_presence() })
    };
    let wire_type = match shape {
        Shape::Map { .. } => WireType::Len,
        Shape::Singular { .. } | Shape::Repeated { .. } => kind.wire_type(),
    };
    let written = match shape {
        Shape::Repeated { packed: true } => WireType::Len,
        _ => wire_type,
    };
    let mut key = b",".to_vec();
    push_json_string(&mut key, field.json_name());
    key.push(b':');
    Ok(FieldTable {
        number: field.number(),
        name: field.name().into(),
        json_name: field.json_name().into(),
        key: key.into(),
        tag: Tag::new(field.number(), written),
        wire_type,
        kind,
        shape,
        oneof: field.containing_oneof().and_then(|oneof| {
            let index = oneofs.iter().position(|name| **name == *oneof.name())?;
            u16::try_from(index).ok()
        }),
        default: default(field),
        redacted: is_redacted(field),
    })
}

/// `debug_redact`, field 16 of `FieldOptions`. Read from the encoded options, because the typed ones and
/// older copies of descriptor.proto don't know it.
fn is_redacted(field: &FieldDescriptor) -> bool {
    const DEBUG_REDACT: u32 = 16;
    if field.field_descriptor_proto().options.is_none() {
        return false;
    }
    let encoded = field.options().encode_to_vec();
    let mut cursor = Cursor::new(&encoded);
    let mut redacted = false;
    while let Ok((number, wire_type)) = cursor.tag() {
        if (number, wire_type) == (DEBUG_REDACT, WireType::Varint) {
            redacted = cursor.varint().is_ok_and(|value| value != 0);
        } else if cursor.skip(number, wire_type).is_err() {
            break;
        }
    }
    redacted
}

fn kind(places: &Places, field: &FieldDescriptor) -> Result<Kind, SchemaError> {
    use prost_reflect::Kind as Declared;
    Ok(match field.kind() {
        Declared::Bool => Kind::Bool,
        Declared::Int32 => Kind::Int32,
        Declared::Int64 => Kind::Int64,
        Declared::Uint32 => Kind::Uint32,
        Declared::Uint64 => Kind::Uint64,
        Declared::Sint32 => Kind::Sint32,
        Declared::Sint64 => Kind::Sint64,
        Declared::Fixed32 => Kind::Fixed32,
        Declared::Fixed64 => Kind::Fixed64,
        Declared::Sfixed32 => Kind::Sfixed32,
        Declared::Sfixed64 => Kind::Sfixed64,
        Declared::Float => Kind::Float,
        Declared::Double => Kind::Double,
        Declared::String => Kind::String,
        Declared::Bytes => Kind::Bytes,
        Declared::Enum(declared) => {
            Kind::Enum(
                places.enums.get(declared.full_name()).copied().ok_or_else(|| {
                    SchemaError::TooLarge { name: declared.full_name().to_owned() }
                })?,
            )
        }
        Declared::Message(message) => Kind::Message(message_id(places, &message)?),
    })
}

fn message_id(places: &Places, message: &MessageDescriptor) -> Result<MessageId, SchemaError> {
    places
        .messages
        .get(message.full_name())
        .copied()
        .ok_or_else(|| SchemaError::TooLarge { name: message.full_name().to_owned() })
}

/// The default where it is not zero: proto2's `default`, and its enums that do not begin at 0.
fn default(field: &FieldDescriptor) -> Option<Value<'static>> {
    use prost_reflect::Value as Declared;
    if field.is_list() || field.is_map() {
        return None;
    }
    Some(match field.default_value() {
        Declared::Bool(true) => Value::Bool(true),
        Declared::I32(value) if value != 0 => Value::I64(value.into()),
        Declared::I64(value) if value != 0 => Value::I64(value),
        Declared::U32(value) if value != 0 => Value::U64(value.into()),
        Declared::U64(value) if value != 0 => Value::U64(value),
        Declared::F32(value) if value.to_bits() != 0 => Value::F64(value.into()),
        Declared::F64(value) if value.to_bits() != 0 => Value::F64(value),
        Declared::String(value) if !value.is_empty() => Value::Str(value.into()),
        Declared::Bytes(value) if !value.is_empty() => Value::Bytes(value.to_vec().into()),
        Declared::EnumNumber(value) if value != 0 => Value::Enum(value),
        _ => return None,
    })
}

/// A well-known type is one only when it has the fields that its JSON form is made of.
fn special(message: &MessageDescriptor) -> Special {
    let (special, shape) = match message.full_name() {
        "google.protobuf.Any" => (Special::Any, "1 string, 2 bytes"),
        "google.protobuf.Timestamp" => (Special::Timestamp, "1 int64, 2 int32"),
        "google.protobuf.Duration" => (Special::Duration, "1 int64, 2 int32"),
        "google.protobuf.FieldMask" => (Special::FieldMask, "1 repeated string"),
        "google.protobuf.Struct" => {
            (Special::Struct, "1 repeated google.protobuf.Struct.FieldsEntry")
        }
        "google.protobuf.Value" => (
            Special::Value,
            "1 google.protobuf.NullValue, 2 double, 3 string, 4 bool, \
             5 google.protobuf.Struct, 6 google.protobuf.ListValue",
        ),
        "google.protobuf.ListValue" => (Special::ListValue, "1 repeated google.protobuf.Value"),
        "google.protobuf.DoubleValue" => (Special::Wrapper, "1 double"),
        "google.protobuf.FloatValue" => (Special::Wrapper, "1 float"),
        "google.protobuf.Int64Value" => (Special::Wrapper, "1 int64"),
        "google.protobuf.UInt64Value" => (Special::Wrapper, "1 uint64"),
        "google.protobuf.Int32Value" => (Special::Wrapper, "1 int32"),
        "google.protobuf.UInt32Value" => (Special::Wrapper, "1 uint32"),
        "google.protobuf.BoolValue" => (Special::Wrapper, "1 bool"),
        "google.protobuf.StringValue" => (Special::Wrapper, "1 string"),
        "google.protobuf.BytesValue" => (Special::Wrapper, "1 bytes"),
        "google.protobuf.Empty" => (Special::Empty, ""),
        _ => return Special::None,
    };
    let mut fields: Vec<FieldDescriptor> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    let found: Vec<String> = fields
        .iter()
        .map(|field| {
            let repeated = if field.is_list() || field.is_map() { "repeated " } else { "" };
            format!("{} {repeated}{:?}", field.number(), field.kind())
        })
        .collect();
    if found.join(", ") == shape { special } else { Special::None }
}

fn compile_enum(declared: &EnumDescriptor) -> Result<EnumTable, SchemaError> {
    // As they were declared: `values()` is sorted, and of several names for one number it puts a later one first.
    let values = &declared.enum_descriptor_proto().value;
    if values.len() > MOST_MEMBERS {
        return Err(SchemaError::TooLarge { name: declared.full_name().to_owned() });
    }
    let values: Vec<(i32, &str)> =
        values.iter().map(|value| (value.number(), value.name())).collect();
    let closed = declared.parent_file().syntax() == Syntax::Proto2;
    Ok(EnumTable::new(declared.full_name(), closed, &values))
}
