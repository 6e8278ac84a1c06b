use super::JsonOut;
use crate::message::kitchen_sink::{json, message, wire};

/// Hexadecimal with spaces.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit.to_le_bytes()[0]).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[track_caller]
fn check(name: &str, wire: &str, expected: &str) {
    assert_eq!(json(name, &hex(wire)), expected, "{wire}");
}

#[track_caller]
fn refuses(name: &str, wire: &str, expected: &str) {
    let error =
        message(name).wire_to_json(&hex(wire), &JsonOut::default(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{wire}");
}

#[test]
fn the_last_scalar_wins() {
    check("sink.v1.Scalars", "1001 1002", r#"{"anInt32":2}"#);
    check("sink.v1.Scalars", "7201 61 1001 7201 62", r#"{"anInt32":1,"aString":"b"}"#);
    check("sink.v1.Scalars", "1001 1000", "{}");
    check("sink.v1.Optionals", "1001 1000", r#"{"anInt32":0}"#);
}

#[test]
fn the_parts_of_a_message_are_one_message() {
    // tree.name = "a", then tree.left = {}, then tree.name = "b".
    check("sink.v1.All", "3203 0a0161 3202 1200 3203 0a0162", r#"{"tree":{"name":"b","left":{}}}"#);
    // Lists in the parts are joined too, and parts of parts.
    check("sink.v1.All", "1a04 1202 0102 1a04 1202 0304", r#"{"lists":{"anInt32":[1,2,3,4]}}"#);
    check(
        "sink.v1.Tree",
        "1203 0a0161 1202 1200 1204 1202 1a00",
        r#"{"left":{"name":"a","left":{"children":[{}]}}}"#,
    );
    check(
        "sink.v1.WellKnown",
        "0a02 0801 0a02 1001",
        r#"{"timestamp":"1970-01-01T00:00:01.000000001Z"}"#,
    );
}

#[test]
fn the_last_member_of_a_oneof_clears_the_others() {
    check("sink.v1.Choice", "0a0161 1002", r#"{"anInt32":2}"#);
    check("sink.v1.Choice", "1002 0a0161", r#"{"aString":"a"}"#);
    check("sink.v1.Choice", "1002 0a0161 1000", r#"{"anInt32":0}"#);
    // A message that was cleared in between does not come back.
    check("sink.v1.Choice", "1a02 1001 2001 1a02 1802", r#"{"scalars":{"anInt64":"2"}}"#);
    check("sink.v1.Choice", "1a02 1001 1a02 1802", r#"{"scalars":{"anInt32":1,"anInt64":"2"}}"#);
    // Another oneof and what stands beside are not touched.
    check(
        "sink.v1.Choice",
        "e81201 0a0161 3201 62 1002",
        r#"{"anInt32":2,"beside":"b","color":"COLOR_RED"}"#,
    );
    check("sink.v1.Choice", "2800", r#"{"aNull":null}"#);
}

#[test]
fn packed_and_unpacked_mix_in_any_order() {
    check(
        "sink.v1.Lists",
        "1001 1202 0203 7a00 1004 1200",
        r#"{"anInt32":[1,2,3,4],"aBytes":[""]}"#,
    );
    check("sink.v1.Lists", "2202 0102 2003", r#"{"aUint32":[1,2,3]}"#);
    check("sink.v1.Lists", "1200", "{}");
    refuses("sink.v1.Lists", "1201 80", "anInt32: a packed list ends in the middle of an element");
    refuses(
        "sink.v1.Lists",
        "4203 000000",
        "aFixed32: a packed list ends in the middle of an element",
    );
}

#[test]
fn the_last_entry_of_a_key_wins() {
    check(
        "sink.v1.Maps",
        "0a06 0a0161 120178 0a06 0a0162 120179 0a06 0a0161 12017a",
        r#"{"byString":{"a":"z","b":"y"}}"#,
    );
    // Value before key, both twice, a part missing.
    check("sink.v1.Maps", "0a09 120178 0a0161 0a0162", r#"{"byString":{"b":"x"}}"#);
    check("sink.v1.Maps", "0a00", r#"{"byString":{"":""}}"#);
    check("sink.v1.Maps", "1202 0805", r#"{"byInt32":{"5":"0"}}"#);
    check(
        "sink.v1.Maps",
        "3a0a 0802 1202 1001 1202 1802",
        r#"{"bySint64":{"1":{"anInt32":1,"anInt64":"2"}}}"#,
    );
    check("sink.v1.Maps", "1a02 1002", r#"{"byInt64":{"0":"COLOR_GREEN"}}"#);
}

#[test]
fn unknown_fields_are_passed_over() {
    // Varint, fixed, length, and groups that hold the numbers of known fields.
    check(
        "sink.v1.Tree",
        "c03e01 0a0161 c13e0000000000000000 c23e0161 c33e 0a0162 cb3e cc3e c43e c53e00000000",
        r#"{"name":"a"}"#,
    );
    // A known number in another wire type is an unknown field.
    check("sink.v1.Tree", "0a0161 0801", r#"{"name":"a"}"#);
    refuses("sink.v1.Tree", "c33e 0a0162", "the message ends in the middle of a field");
    refuses("sink.v1.Tree", "c33e cc3e", "a group ends that did not begin");
    refuses("sink.v1.Tree", "0c", "a group ends that did not begin");
}

#[test]
fn unknown_numbers_of_enums_are_numbers_when_the_enum_is_open() {
    check("sink.v1.Scalars", "800163", r#"{"aColor":99}"#);
    check("sink.v1.Scalars", "8001ffffffffffffffffff01", r#"{"aColor":"COLOR_NEGATIVE"}"#);
    check(
        "old.v1.Old",
        "1804 1805 2005 2003 2202 0405",
        r#"{"mood":"ANGRY","moods":["CALM","ANGRY"]}"#,
    );
}

#[test]
fn narrow_kinds_take_the_lower_bits() {
    check("sink.v1.Scalars", "10ffffffff1f", r#"{"anInt32":-1}"#);
    check("sink.v1.Scalars", "1080808080 8080808001", "{}");
    check("sink.v1.Scalars", "08 808080808001", r#"{"aBool":true}"#);
    check("sink.v1.Scalars", "20ffffffff1f", r#"{"aUint32":4294967295}"#);
}

#[test]
fn refuses_malformed_wire_and_says_where() {
    refuses("sink.v1.All", "320a 0a0161", "the message ends in the middle of a field");
    refuses("sink.v1.All", "3203 0a0361", "tree: the message ends in the middle of a field");
    refuses("sink.v1.All", "3205 1a03 0a01ff", "tree.children[0].name: a string is not UTF-8");
    refuses("sink.v1.Scalars", "00", "a field has an impossible number or wire type");
    refuses("sink.v1.Scalars", "10ffffffffffffffffffff01", "a varint is longer than 64 bits");
    refuses(
        "sink.v1.WellKnown",
        "0a0b 08ffffffffffffffff7f",
        "the message ends in the middle of a field",
    );
    refuses(
        "sink.v1.WellKnown",
        "0a08 08ffffffffffff7f",
        "timestamp: a timestamp is outside of the years 1 to 9999, or its nanoseconds are no part of a second",
    );
    refuses(
        "sink.v1.WellKnown",
        "1a05 0a03 615f42",
        "fieldMask: a path of a field mask has no JSON form",
    );
    refuses(
        "sink.v1.WellKnown",
        "3a09 11 000000000000f07f",
        "value: a google.protobuf.Value holds a number that JSON can't write",
    );
    refuses("sink.v1.Maps", "0a03 0a01ff", "byString: a string is not UTF-8");
    refuses("sink.v1.Maps", "0a06 0a0161 1201ff", "byString[…]: a string is not UTF-8");
}

#[test]
fn nesting_is_bounded() {
    let mut wire = Vec::new();
    for _ in 0..99 {
        let mut outer = vec![0x12];
        crate::message::wire::push_varint(&mut outer, wire.len() as u64);
        outer.extend_from_slice(&wire);
        wire = outer;
    }
    assert!(json("sink.v1.Tree", &wire).starts_with(r#"{"left":{"left""#));
    let mut outer = vec![0x12];
    crate::message::wire::push_varint(&mut outer, wire.len() as u64);
    outer.extend_from_slice(&wire);
    let error = message("sink.v1.Tree")
        .wire_to_json(&outer, &JsonOut::default(), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.problem(), "messages are nested deeper than 100 levels");
}

#[test]
fn an_any_of_unknown_type_keeps_its_bytes() {
    check(
        "sink.v1.WellKnown",
        "2a0b 0a04 782f6e6f 1203 010203",
        r#"{"any":{"@type":"x/no","value":"AQID"}}"#,
    );
    check("sink.v1.WellKnown", "2a00", r#"{"any":{}}"#);
    check("sink.v1.WellKnown", "3a00", r#"{"value":null}"#);
}

#[test]
fn defaults_and_enum_numbers_are_options() {
    let mut out = Vec::new();
    let options = JsonOut { defaults: true, enum_numbers: true };
    message("sink.v1.All")
        .wire_to_json(
            &wire("sink.v1.All", r#"{"choice": {"aBool": false}, "scalars": {"aColor": 1}}"#),
            &options,
            &mut out,
        )
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"scalars":{"aBool":false,"anInt32":0,"anInt64":"0","aUint32":0,"aUint64":"0","aSint32":0,"aSint64":"0","aFixed32":0,"aFixed64":"0","aSfixed32":0,"aSfixed64":"0","aFloat":0.0,"aDouble":0.0,"aString":"","aBytes":"","aColor":1},"choice":{"aBool":false,"beside":""},"choices":[]}"#
    );
    let mut out = Vec::new();
    message("sink.v1.Maps").wire_to_json(&[], &options, &mut out).unwrap();
    assert!(out.starts_with(br#"{"byString":{},"byInt32":{}"#));
}

#[test]
fn one_field_can_be_the_whole_body() {
    #[track_caller]
    fn check(name: &str, field: &str, text: &str, expected: &str) {
        let mut out = Vec::new();
        let wire = wire(name, text);
        message(name)
            .field(field)
            .unwrap()
            .wire_to_json(&wire, &JsonOut::default(), &mut out)
            .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    check("sink.v1.All", "tree", r#"{"tree": {"name": "a"}, "choices": [{}]}"#, r#"{"name":"a"}"#);
    check("sink.v1.All", "choices", r#"{"tree": {}, "choices": [{}, {}]}"#, "[{},{}]");
    check("sink.v1.All", "choices", "{}", "[]");
    check("sink.v1.All", "tree", "{}", "{}");
    check("sink.v1.Maps", "by_int32", "{}", "{}");
    check("sink.v1.Scalars", "an_int64", "{}", "\"0\"");
    check("sink.v1.Scalars", "a_string", "{}", "\"\"");
    check("sink.v1.Scalars", "a_color", "{}", "\"COLOR_UNSPECIFIED\"");
    check("sink.v1.Scalars", "a_string", r#"{"aString": "a"}"#, "\"a\"");
    check("sink.v1.Choice", "an_int32", r#"{"aString": "a"}"#, "0");
    check("sink.v1.WellKnown", "timestamp", "{}", "null");
    check("sink.v1.WellKnown", "struct", "{}", "{}");
    check("old.v1.Old", "number", r#"{"name": ""}"#, "42");
    check("old.v1.Old", "mood", r#"{"name": ""}"#, "\"CALM\"");
    check("old.v1.Old", "ratio", r#"{"name": ""}"#, "0.1");
    check("old.v1.Old", "word", r#"{"name": ""}"#, "\"hello\"");
}
