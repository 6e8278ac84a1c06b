//! Against another implementation: generated messages, split, reordered and repeated on the wire as no
//! encoder would write them, read here and by `prost-reflect`. Where the two differ, one is wrong.

use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;
use prost_reflect::ReflectMessage as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions, Value as Oracle};
use serde::de::DeserializeSeed as _;

use super::kitchen_sink::messy::{Entropy, messy_wire};
use super::kitchen_sink::{compile, sink};
use super::{FieldPath, JsonIn, JsonOut, MessageType, Schema, Value};

fn broken(mut wire: Vec<u8>, hits: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (place, byte) in hits {
        if !wire.is_empty() {
            let place = place.index(wire.len());
            wire[place] = *byte;
        }
    }
    wire
}

/// The oracle takes -0.0 for a default and leaves it out.
fn without_zeros(text: &[u8]) -> serde_json::Value {
    let mut value = parsed(std::str::from_utf8(text).unwrap());
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| value.as_f64() != Some(0.0));
    }
    value
}

fn oracle_json(
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

fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// The oracle's parser of floats may miss the nearest one by a bit.
fn roughly(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().map(|n| format!("{n:.13e}")).into(),
        serde_json::Value::Array(values) => values.into_iter().map(roughly).collect(),
        serde_json::Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, roughly(value))).collect()
        }
        other => other,
    }
}

fn descriptor(message: &MessageType) -> MessageDescriptor {
    message.schema().descriptors().get_message_by_name(message.full_name()).unwrap()
}

/// Wire to JSON and back, compared at each step.
fn compare(message: &MessageType, wire: &[u8]) -> Result<(), TestCaseError> {
    let descriptor = descriptor(message);
    let expected = DynamicMessage::decode(descriptor.clone(), wire).unwrap();
    let canonical = oracle_json(&expected, &SerializeOptions::new(), false).unwrap();

    let mut text = Vec::new();
    message
        .wire_to_json(wire, &JsonOut::default(), &mut text)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let text = String::from_utf8(text).unwrap();
    prop_assert_eq!(parsed(&text), parsed(&canonical));

    let spellings = [
        (SerializeOptions::new(), true),
        (SerializeOptions::new().use_proto_field_name(true).use_enum_numbers(true), false),
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
        prop_assert_eq!(parsed(&again), parsed(&canonical), "{}", text);
    }
    Ok(())
}

/// Every path of up to four fields that does not go through a map.
fn paths(message: &MessageType) -> Vec<FieldPath> {
    fn collect(
        message: &MessageType,
        prefix: &str,
        depth: u32,
        root: &MessageType,
        found: &mut Vec<FieldPath>,
    ) {
        for field in message.fields() {
            let text = format!("{prefix}{}", field.name());
            found.push(FieldPath::parse(root, &text).unwrap());
            let is_map = matches!(field.shape(), super::Shape::Map { .. });
            if let Some(inner) = field.message_type().filter(|_| depth > 0 && !is_map) {
                collect(&inner, &format!("{text}."), depth - 1, root, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(message, "", 3, message, &mut found);
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

fn compare_read(message: &MessageType, path: &FieldPath, wire: &[u8]) -> Result<(), TestCaseError> {
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

/// The shop's own messages, from the proto files that the services are built from.
fn shop() -> Arc<Schema> {
    static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        let files = [
            "user/v1/user.proto",
            "product/v1/product.proto",
            "order/v1/order.proto",
            "payment/v1/payment.proto",
        ];
        Schema::load(&compile(&files, "../proto")).unwrap()
    });
    Arc::clone(&SCHEMA)
}

fn all() -> MessageType {
    sink().message("sink.v1.All").unwrap()
}

fn all_paths() -> &'static [FieldPath] {
    static PATHS: LazyLock<Vec<FieldPath>> = LazyLock::new(|| paths(&all()));
    &PATHS
}

/// The oracle's answer to a text, if it takes it.
fn oracle_reads_json(message: &MessageType, text: &[u8]) -> Option<DynamicMessage> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = descriptor(message).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(read)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn messy_messages_are_read_as_the_oracle_reads_them(decisions in vec(any::<u8>(), 0..300)) {
        let wire = messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6);
        compare(&all(), &wire)?;
    }

    #[test]
    fn the_shops_messages_go_both_ways(decisions in vec(any::<u8>(), 0..200), choice in any::<prop::sample::Index>()) {
        let rpcs: Vec<_> = shop().methods().collect();
        let rpc = choice.get(&rpcs);
        for message in [rpc.input(), rpc.output()] {
            let wire = messy_wire(&descriptor(message), &mut Entropy(&decisions), 4);
            compare(message, &wire)?;
        }
    }

    #[test]
    fn fields_of_messy_messages_are_read_as_the_oracle_reads_them(
        decisions in vec(any::<u8>(), 0..300),
        choices in vec(any::<prop::sample::Index>(), 30),
    ) {
        let wire = messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6);
        for choice in choices {
            compare_read(&all(), choice.get(all_paths()), &wire)?;
        }
    }

    #[test]
    fn broken_wire_never_panics_and_all_readers_agree_on_it(
        decisions in vec(any::<u8>(), 0..200),
        hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        choice in any::<prop::sample::Index>(),
    ) {
        let wire = broken(messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6), &hits);
        let mut text = Vec::new();
        let read = all().wire_to_json(&wire, &JsonOut::default(), &mut text);
        let field = choice.get(all_paths()).read(&wire);
        if read.is_ok() {
            prop_assert!(field.is_ok(), "{:?}", field);
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }

    // Without maps, which the oracle reads in any wire type.
    #[test]
    fn broken_wire_that_the_oracle_takes_is_the_same_message(
        decisions in vec(any::<u8>(), 0..200),
        hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        name in prop::sample::select(vec!["sink.v1.Tree", "sink.v1.Lists", "sink.v1.Scalars", "sink.v1.Optionals"]),
    ) {
        let message = sink().message(name).unwrap();
        let wire = broken(messy_wire(&descriptor(&message), &mut Entropy(&decisions), 6), &hits);
        if let Ok(expected) = DynamicMessage::decode(descriptor(&message), &*wire) {
            let canonical = oracle_json(&expected, &SerializeOptions::new(), false).unwrap();
            let mut text = Vec::new();
            let read = message.wire_to_json(&wire, &JsonOut::default(), &mut text);
            prop_assert!(read.is_ok(), "{:?}\n{}\n{:x?}", read, canonical, wire);
            prop_assert_eq!(without_zeros(&text), without_zeros(canonical.as_bytes()));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), choice in any::<prop::sample::Index>()) {
        for name in ["All", "Tree", "WellKnown", "Maps", "Choice", "Lists"] {
            let message = sink().message(&format!("sink.v1.{name}")).unwrap();
            let _ = message.wire_to_json(&bytes, &JsonOut { defaults: true, enum_numbers: true }, &mut Vec::new());
            let _ = message.json_to_wire(&bytes, &JsonIn { ignore_unknown: true, ignore_case: true }, &mut Vec::new());
        }
        let _ = choice.get(all_paths()).read(&bytes);
    }

    #[test]
    fn broken_json_never_panics_and_what_both_take_is_the_same(
        decisions in vec(any::<u8>(), 0..200),
        hits in vec((any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:\\u09-e.ntf \xff_".to_vec()), 0..3_usize), 1..4),
    ) {
        let wire = messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6);
        let mut text = Vec::new();
        all().wire_to_json(&wire, &JsonOut::default(), &mut text).unwrap();
        for (place, byte, how) in hits {
            let place = place.index(text.len());
            match how {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ if text.len() > 1 => drop(text.remove(place)),
                _ => {}
            }
        }
        let mut wire = Vec::new();
        match all().json_to_wire(&text, &JsonIn::default(), &mut wire) {
            Ok(_) => {
                let found = DynamicMessage::decode(descriptor(&all()), &*wire).unwrap();
                if let Some(expected) = oracle_reads_json(&all(), &text) {
                    let json = |message| oracle_json(message, &SerializeOptions::new(), false).unwrap();
                    prop_assert_eq!(roughly(parsed(&json(&found))), roughly(parsed(&json(&expected))));
                }
            }
            Err(error) => {
                prop_assert!(error.offset() <= text.len() && error.line() > 0 && error.column() > 0);
                prop_assert!(error.to_string().len() < 1_000, "{}", error);
            }
        }
    }
}
