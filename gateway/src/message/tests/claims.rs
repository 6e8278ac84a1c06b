//! What the book says of messages and no other test shows: what only proto2 has, and how deep anything may nest.

use crate::message::kitchen_sink::{json, message, wire};
use crate::message::wire::push_varint;
use crate::message::{FieldPath, JsonIn, JsonOut, Value};

fn reason(name: &str, text: &str) -> String {
    message(name)
        .json_to_wire(text.as_bytes(), &JsonIn::default(), &mut Vec::new())
        .unwrap_err()
        .to_string()
}

fn read(field: &str, wire: &[u8]) -> Value<'static> {
    FieldPath::parse(&message("old.v1.Old"), field).unwrap().read(wire).unwrap().into_owned()
}

#[test]
fn of_several_names_for_one_number_all_are_read_and_the_first_is_written() {
    for name in ["ONE", "EINS", "UN"] {
        let wire = wire("old.v1.Old", &format!("{{\"twice\": \"{name}\"}}"));
        assert_eq!(json("old.v1.Old", &wire), r#"{"twice":"ONE"}"#);
    }
    assert_eq!(json("old.v1.Old", b"\x40\x02"), r#"{"twice":"TWO"}"#);
    let field = message("old.v1.Old").field("twice").unwrap();
    assert_eq!(field.enum_name(1), Some("ONE"));
    assert_eq!(field.enum_number("UN"), Some(1));
}

#[test]
fn a_number_that_a_closed_enum_does_not_know_is_no_value() {
    // In a map it takes the whole entry with it, the key too; the entry before stays.
    let sizes = b"\x4a\x05\x0a\x01a\x10\x01\x4a\x05\x0a\x01a\x10\x07\x4a\x05\x0a\x01b\x10\x07\x4a\x03\x0a\x01c";
    assert_eq!(json("old.v1.Old", sizes), r#"{"sizes":{"a":"LARGE","c":"SMALL"}}"#);
    let entry = |key: &'static str, size| (Value::Str(key.into()), Value::Enum(size));
    assert_eq!(read("sizes", sizes), Value::Map(vec![entry("a", 1), entry("c", 0)]));
    // In a oneof it does not clear the other member.
    assert_eq!(json("old.v1.Old", b"\x58\x05\x50\x09"), r#"{"numberOfTwo":5}"#);
    assert_eq!(read("number_of_two", b"\x58\x05\x50\x09"), Value::I64(5));
    // In JSON it is refused, or passed over where the unknown is.
    assert!(
        reason("old.v1.Old", r#"{"sizes": {"a": 7}}"#)
            .starts_with("sizes[\"a\"]: found the number `7`")
    );
    assert!(
        reason("old.v1.Old", r#"{"moods": [3, 7]}"#).starts_with("moods[1]: found the number `7`")
    );
    let mut wire = Vec::new();
    let text = br#"{"sizes": {"a": 7, "b": 1, "c": "HUGE"}, "moods": [3, 7], "mood": 7}"#;
    let lenient = JsonIn { ignore_unknown: true, ..JsonIn::default() };
    message("old.v1.Old").json_to_wire(text, &lenient, &mut wire).unwrap();
    assert_eq!(json("old.v1.Old", &wire), r#"{"moods":["CALM"],"sizes":{"b":"LARGE"}}"#);
}

#[test]
fn proto2_defaults_are_never_written_and_required_fields_not_missed() {
    let options = JsonOut { defaults: true, enum_numbers: false };
    let mut text = Vec::new();
    message("old.v1.Old").wire_to_json(b"", &options, &mut text).unwrap();
    // Each of its single fields knows whether it is there, so only lists and maps have an empty form.
    assert_eq!(text, br#"{"moods":[],"unpacked":[],"sizes":{}}"#);
    assert_eq!(wire("old.v1.Old", "{}"), b"");
    // A value that is the default stays a value.
    assert_eq!(json("old.v1.Old", &wire("old.v1.Old", r#"{"number": 42}"#)), r#"{"number":42}"#);
    assert_eq!(read("number", b""), Value::I64(42));
    assert_eq!(read("word", b""), Value::Str("hello".into()));
}

#[test]
fn an_extension_of_proto2_is_an_unknown_field() {
    assert_eq!(json("old.v1.Old", b"\xa2\x06\x01a\x08\x07"), r#"{"number":7}"#);
    let refused = reason("old.v1.Old", r#"{"[old.v1.added]": "a"}"#);
    assert!(refused.starts_with("[old.v1.added]: found an unknown field"), "{refused}");
}

#[test]
fn an_any_of_unknown_type_is_shown_but_can_not_be_sent() {
    let held = b"\x2a\x0b\x0a\x04x/no\x12\x03\x01\x02\x03";
    let shown = json("sink.v1.WellKnown", held);
    assert_eq!(shown, r#"{"any":{"@type":"x/no","value":"AQID"}}"#);
    assert_eq!(
        reason("sink.v1.WellKnown", &shown),
        "any.@type: found the unknown type `x/no`, expected the URL of a known type, such as \
         type.googleapis.com/package.Message (line 1, column 17)"
    );
}

/// `content` as the field of that tag, so many times over, the tags in turn from the inside.
fn wrapped(times: usize, tags: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    for level in 0..times {
        let mut outer = vec![tags[level % tags.len()]];
        push_varint(&mut outer, content.len() as u64);
        outer.extend_from_slice(&content);
        content = outer;
    }
    content
}

/// The deepest nesting that is taken; everything less deep is taken, everything deeper is refused for that reason.
#[track_caller]
fn deepest(refusal: impl Fn(usize) -> Option<String>) -> usize {
    let deepest = (1..400).take_while(|levels| refusal(*levels).is_none()).count();
    for levels in [deepest + 1, deepest + 2, 150, 399] {
        let refusal = refusal(levels).unwrap();
        assert!(refusal.contains("nested deeper than"), "{levels}: {refusal}");
    }
    deepest
}

#[test]
fn what_nests_too_deep_is_refused_at_the_same_depth_both_ways() {
    type Wire = fn(usize) -> Vec<u8>;
    let shapes: [(&str, &str, &str, &str, &str, Wire, usize); 4] = [
        ("Tree", "", "{\"left\":", "{}", "}", |levels| wrapped(levels, &[0x12], vec![]), 99),
        (
            "WellKnown",
            "{\"value\":",
            "[",
            "true",
            "]",
            |levels| {
                // Value { list_value: ListValue { values: … } }
                wrapped(1, &[0x3a], wrapped(2 * levels, &[0x0a, 0x32], vec![0x20, 1]))
            },
            49,
        ),
        (
            "WellKnown",
            "{\"listValue\":",
            "[",
            "true",
            "]",
            |levels| wrapped(1, &[0x42], wrapped(2 * levels - 1, &[0x0a, 0x32], vec![0x20, 1])),
            49,
        ),
        (
            "WellKnown",
            "{\"struct\":",
            "{\"\":",
            "true",
            "}",
            |levels| {
                // Struct { fields: Entry { key: "", value: Value { struct_value: … } } }
                let mut value = vec![0x20, 1];
                for level in 0..levels {
                    let entry = [b"\x0a\x00".to_vec(), wrapped(1, &[0x12], value)].concat();
                    let held = if level + 1 == levels { 0x32 } else { 0x2a };
                    value = wrapped(2, &[0x0a, held], entry);
                }
                value
            },
            33,
        ),
    ];
    for (name, before, open, inner, close, wire, expected) in shapes {
        let message = message(&format!("sink.v1.{name}"));
        let after = if before.is_empty() { "" } else { "}" };
        let into = deepest(|levels| {
            let text =
                format!("{before}{}{inner}{}{after}", open.repeat(levels), close.repeat(levels));
            let mut made = Vec::new();
            let error = message.json_to_wire(text.as_bytes(), &JsonIn::default(), &mut made).err();
            if error.is_none() {
                assert_eq!(made, wire(levels), "{text}");
            }
            error.map(|error| error.reason())
        });
        let out = deepest(|levels| {
            let error =
                message.wire_to_json(&wire(levels), &JsonOut::default(), &mut Vec::new()).err();
            error.map(|error| error.problem().to_owned())
        });
        assert_eq!((into, out), (expected, expected), "{before}{open}");
    }
}

#[test]
fn an_any_in_an_any_nests_too() {
    let open = "{\"@type\":\"x/google.protobuf.Any\",\"value\":";
    let into = deepest(|levels| {
        let text = format!("{{\"any\":{}{{}}{}}}", open.repeat(levels), "}".repeat(levels));
        let read = message("sink.v1.WellKnown").json_to_wire(
            text.as_bytes(),
            &JsonIn::default(),
            &mut Vec::new(),
        );
        read.err().map(|error| error.reason())
    });
    // One that is read may be looked at twice on each level, so their number is bounded more tightly.
    assert_eq!(into, 16);
    let out = deepest(|levels| {
        let mut any = Vec::new();
        for _ in 0..levels {
            any = [b"\x0a\x15x/google.protobuf.Any".to_vec(), wrapped(1, &[0x12], any)].concat();
        }
        let wire = wrapped(1, &[0x2a], any);
        let written =
            message("sink.v1.WellKnown").wire_to_json(&wire, &JsonOut::default(), &mut Vec::new());
        written.err().map(|error| error.problem().to_owned())
    });
    assert_eq!(out, 98);
}
