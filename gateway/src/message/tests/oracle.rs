//! The other implementation, `prost-reflect`, and how its answers are compared with ours.

use proptest::prelude::*;
use prost_reflect::ReflectMessage as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions, Value as Oracle};
use serde::de::DeserializeSeed as _;

use super::faults::{
    self, READS_TOO_LITTLE, READS_TOO_MUCH, WRITES_TOO_LITTLE, WRITES_TOO_MUCH, normal,
};
use crate::message::{FieldPath, JsonIn, JsonOut, MessageType, Shape, Value};

pub(super) fn oracle_json(
    message: &DynamicMessage,
    options: &SerializeOptions,
    pretty: bool,
) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    if pretty {
        message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), options)?;
    } else {
        message.serialize_with_options(&mut serde_json::Serializer::new(&mut text), options)?;
    }
    Ok(String::from_utf8(text).unwrap())
}

pub(super) fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

pub(super) fn descriptor(message: &MessageType) -> MessageDescriptor {
    message.schema().descriptors().get_message_by_name(message.full_name()).unwrap()
}

/// Wire to JSON and back, compared at each step.
pub(super) fn compare(message: &MessageType, wire: &[u8]) -> Result<(), TestCaseError> {
    compare_out(message, wire)?;
    let descriptor = descriptor(message);
    let expected = DynamicMessage::decode(descriptor.clone(), wire).unwrap();
    let Ok(canonical) = oracle_json(&expected, &SerializeOptions::new(), false) else {
        return Ok(());
    };
    let mut text = Vec::new();
    message
        .wire_to_json(wire, &JsonOut::default(), &mut text)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let text = String::from_utf8(text).unwrap();

    let spellings = [
        (SerializeOptions::new(), true),
        (
            SerializeOptions::new()
                .use_proto_field_name(has_unambiguous_names(&descriptor))
                .use_enum_numbers(true),
            false,
        ),
        (SerializeOptions::new().stringify_64_bit_integers(false).skip_default_fields(false), true),
    ];
    let mut texts = vec![text];
    for (options, pretty) in spellings {
        texts.push(oracle_json(&expected, &options, pretty).unwrap());
    }
    for text in texts {
        let mut wire = Vec::new();
        message
            .json_to_wire(text.as_bytes(), &JsonIn::default(), &mut wire)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let again = DynamicMessage::decode(descriptor.clone(), &*wire).unwrap();
        let again = oracle_json(&again, &SerializeOptions::new(), false).unwrap();
        prop_assert_eq!(normal(parsed(&again)), normal(parsed(&canonical)), "{}", text);
    }
    Ok(())
}

/// Whether no field of the file has the name that another one has in JSON, which goes first.
fn has_unambiguous_names(message: &MessageDescriptor) -> bool {
    message.parent_file().messages().all(|message| {
        message.fields().all(|field| {
            let named = message.get_field_by_json_name(field.name());
            named.is_none_or(|named| named == field)
        })
    })
}

/// Every path of so many fields (but not more than some thousand) that does not go through a map.
pub(super) fn paths(message: &MessageType, length: u32) -> Vec<FieldPath> {
    const MOST: usize = 4_000;
    fn collect(
        message: &MessageType,
        prefix: &str,
        depth: u32,
        root: &MessageType,
        found: &mut Vec<FieldPath>,
    ) {
        for field in message.fields() {
            // A name in the contract may be another field's in JSON; the path is that field's then.
            let text = format!("{prefix}{}", field.json_name());
            if found.len() == MOST || field.json_name().contains('.') {
                return;
            }
            found.push(FieldPath::parse(root, &text).unwrap());
            let is_map = matches!(field.shape(), Shape::Map { .. });
            if let Some(inner) = field.message_type().filter(|_| depth > 0 && !is_map) {
                collect(&inner, &format!("{text}."), depth - 1, root, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(message, "", length - 1, message, &mut found);
    found
}

/// A value in a form that both implementations can be brought to.
fn shown(value: &Value<'_>, kind: Option<&MessageDescriptor>) -> String {
    match value {
        Value::F64(value) => format!("F64({:x})", value.to_bits()),
        Value::Message(wire) => {
            let message = DynamicMessage::decode(kind.unwrap().clone(), &**wire).unwrap();
            shown_oracle(&Oracle::Message(message))
        }
        Value::List(values) => {
            values.iter().map(|value| shown(value, kind)).collect::<Vec<_>>().join(", ")
        }
        Value::Map(entries) => {
            let value_kind = kind.map(MessageDescriptor::map_entry_value_field);
            let message = value_kind.and_then(|field| field.kind().as_message().cloned());
            let mut entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    format!("{}: {}", shown(key, None), shown(value, message.as_ref()))
                })
                .collect();
            entries.sort();
            entries.join(", ")
        }
        other => format!("{other:?}"),
    }
}

fn shown_oracle(value: &Oracle) -> String {
    match value {
        Oracle::Bool(value) => shown(&Value::Bool(*value), None),
        Oracle::I32(value) => shown(&Value::I64((*value).into()), None),
        Oracle::I64(value) => shown(&Value::I64(*value), None),
        Oracle::U32(value) => shown(&Value::U64((*value).into()), None),
        Oracle::U64(value) => shown(&Value::U64(*value), None),
        Oracle::F32(value) => shown(&Value::F64((*value).into()), None),
        Oracle::F64(value) => shown(&Value::F64(*value), None),
        Oracle::String(value) => shown(&Value::Str(value.into()), None),
        Oracle::Bytes(value) => shown(&Value::Bytes(value.to_vec().into()), None),
        Oracle::EnumNumber(value) => shown(&Value::Enum(*value), None),
        Oracle::Message(message) => {
            // Not every message in the middle of another has a JSON form: an empty Value has none.
            oracle_json(message, &SerializeOptions::new(), false)
                .map_or_else(|_| "unprintable".to_owned(), |text| format!("{}", parsed(&text)))
        }
        Oracle::List(values) => values.iter().map(shown_oracle).collect::<Vec<_>>().join(", "),
        Oracle::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    format!("{}: {}", shown_oracle(&Oracle::from(key.clone())), shown_oracle(value))
                })
                .collect();
            entries.sort();
            entries.join(", ")
        }
    }
}

/// The oracle's way along the path: what it finds, flattened.
fn oracle_read(message: &DynamicMessage, path: &FieldPath, step: usize, found: &mut Vec<Oracle>) {
    let field = &path.fields()[step];
    let declared = message.descriptor().get_field(field.number()).unwrap();
    let last = step + 1 == path.fields().len();
    let value = message.get_field(&declared).into_owned();
    match value {
        Oracle::List(values) if last => found.extend(values),
        Oracle::List(values) => {
            for value in values {
                oracle_read(value.as_message().unwrap(), path, step + 1, found);
            }
        }
        value if last => found.push(value),
        Oracle::Message(inner) if message.has_field(&declared) || !path.is_repeated() => {
            oracle_read(&inner, path, step + 1, found);
        }
        _ => {}
    }
}

pub(super) fn compare_read(
    message: &MessageType,
    path: &FieldPath,
    wire: &[u8],
) -> Result<(), TestCaseError> {
    let decoded = DynamicMessage::decode(descriptor(message), wire).unwrap();
    let mut expected = Vec::new();
    oracle_read(&decoded, path, 0, &mut expected);
    let leaf = path.leaf();
    let declared = descriptor(leaf.parent()).get_field(leaf.number()).unwrap();
    let kind = declared.kind().as_message().cloned();
    let expected: Vec<_> = expected.iter().map(shown_oracle).collect();
    let found = path.read(wire).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(shown(&found, kind.as_ref()), expected.join(", "), "{}", path);
    Ok(())
}

/// The oracle's answer to a text, or why it does not take it.
fn oracle_reads_json(
    message: &MessageType,
    text: &[u8],
) -> Result<DynamicMessage, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = descriptor(message).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// Wire that may be no message at all: what the oracle reads is read here, and written as the same JSON.
pub(super) fn compare_out(message: &MessageType, wire: &[u8]) -> Result<(), TestCaseError> {
    let mut text = Vec::new();
    let ours = message.wire_to_json(wire, &JsonOut::default(), &mut text);
    let Ok(decoded) = DynamicMessage::decode(descriptor(message), wire) else { return Ok(()) };
    let theirs = oracle_json(&decoded, &SerializeOptions::new(), false);
    match (ours, theirs) {
        (Ok(()), Ok(theirs)) => {
            let ours = normal(parsed(&String::from_utf8(text).unwrap()));
            prop_assert_eq!(ours, normal(parsed(&theirs)));
        }
        (Err(ours), Ok(theirs)) => faults::excuse(&WRITES_TOO_MUCH, ours.problem(), &theirs)?,
        (Ok(()), Err(theirs)) => {
            faults::excuse(
                &WRITES_TOO_LITTLE,
                &theirs.to_string(),
                &String::from_utf8_lossy(&text),
            )?;
        }
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

/// A text that may be no message at all: both take it as the same message, or neither takes it.
pub(super) fn compare_in(message: &MessageType, text: &[u8]) -> Result<(), TestCaseError> {
    let shown = String::from_utf8_lossy(text);
    let mut wire = Vec::new();
    let ours = message.json_to_wire(text, &JsonIn::default(), &mut wire);
    match (ours, oracle_reads_json(message, text)) {
        (Ok(_), Ok(expected)) => {
            let found = DynamicMessage::decode(descriptor(message), &*wire).unwrap();
            let json = |message| {
                let text = oracle_json(message, &SerializeOptions::new(), false);
                text.map_or_else(|error| error.to_string().into(), |text| normal(parsed(&text)))
            };
            prop_assert_eq!(json(&found), json(&expected), "{}", shown);
        }
        (Err(ours), Ok(_)) => {
            prop_assert!(ours.offset() <= text.len() && ours.line() > 0 && ours.column() > 0);
            prop_assert!(ours.to_string().len() < 1_000, "{}", ours);
            faults::excuse(&READS_TOO_MUCH, &ours.reason(), &shown)?;
        }
        (Ok(_), Err(theirs)) => faults::excuse(&READS_TOO_LITTLE, &theirs.to_string(), &shown)?,
        (Err(_), Err(_)) => {}
    }
    Ok(())
}
