use super::{FieldPath, TextPath};
use crate::message::Value;
use crate::message::kitchen_sink::{json, message, wire};

#[track_caller]
fn path(name: &str, text: &str) -> FieldPath {
    FieldPath::parse(&message(name), text).unwrap()
}

#[test]
fn a_path_that_names_nothing_says_so() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            FieldPath::parse(&message("sink.v1.All"), text).unwrap_err().to_string(),
            expected
        );
    }
    check("", "``: names must stand between single dots");
    check("tree..name", "`tree..name`: names must stand between single dots");
    check("tree.nam", "`tree.nam`: sink.v1.Tree has no field `nam` (did you mean `name`?)");
    check(
        "tree.colour",
        "`tree.colour`: sink.v1.Tree has no field `colour` (it has name, left, children, choice)",
    );
    check("tree.name.x", "`tree.name.x`: `name` holds no message, so nothing can follow it");
    check(
        "maps.by_fixed64.name",
        "`maps.by_fixed64.name`: `by_fixed64` is a map, and a path can't go through one",
    );
    check(
        "well_known.empty.x",
        "`well_known.empty.x`: google.protobuf.Empty has no field `x` (it has none)",
    );
}

/// Names of a message that holds itself: what follows a path recurses, and clients write paths.
#[test]
fn a_path_ends_where_messages_may_nest_no_deeper() {
    let parse = |names: usize| {
        let text = format!("{}name", "left.".repeat(names - 1));
        FieldPath::parse(&message("sink.v1.Tree"), &text)
    };
    let deepest = TextPath::new(parse(100).unwrap()).unwrap();
    let mut bytes = Vec::new();
    deepest.encode("x", &mut bytes).unwrap();
    assert_eq!(deepest.path().read(&bytes).unwrap(), Value::Str("x".into()));
    for names in [101, 16_000] {
        assert_eq!(parse(names).unwrap_err().reason(), "messages nest at most 100 deep");
    }
}

#[test]
fn reads_values_and_defaults() {
    #[track_caller]
    fn check(bytes: &[u8], text: &str, expected: &Value<'_>, present: bool) {
        let path = path("sink.v1.All", text);
        assert_eq!(&path.read(bytes).unwrap(), expected, "{text}");
        assert_eq!(path.find(bytes).unwrap().is_some(), present, "{text}");
    }
    let bytes = wire(
        "sink.v1.All",
        r#"{"scalars": {"aBool": true, "anInt64": -5, "aUint32": 7, "aDouble": 1.5, "aString": "a", "aBytes": "AQ==", "aColor": 2},
            "tree": {"left": {"name": "x"}}, "maps": {"byInt32": {"2": 3, "1": 4}}, "lists": {"anInt32": [1, 2]}}"#,
    );
    let check =
        |text: &str, expected: Value<'_>, present: bool| check(&bytes, text, &expected, present);
    check("scalars.a_bool", Value::Bool(true), true);
    check("scalars.anInt64", Value::I64(-5), true);
    check("scalars.a_uint32", Value::U64(7), true);
    check("scalars.a_double", Value::F64(1.5), true);
    check("scalars.a_string", Value::Str("a".into()), true);
    check("scalars.a_bytes", Value::Bytes(b"\x01".as_slice().into()), true);
    check("scalars.a_color", Value::Enum(2), true);
    check("scalars.an_int32", Value::I64(0), false);
    check("tree.left.name", Value::Str("x".into()), true);
    check("tree.left.left.left.name", Value::Str("".into()), false);
    check("tree.left", Value::Message(b"\x0a\x01x".as_slice().into()), true);
    check("choice", Value::Message(b"".as_slice().into()), false);
    check("lists.an_int32", Value::List(vec![Value::I64(1), Value::I64(2)]), true);
    check("lists.a_bool", Value::List(vec![]), false);
    check(
        "maps.by_int32",
        Value::Map(vec![(Value::I64(1), Value::I64(4)), (Value::I64(2), Value::I64(3))]),
        true,
    );
    check("maps.by_bool", Value::Map(vec![]), false);
    check("optionals.a_string", Value::Str("".into()), false);
    let explicit = wire("sink.v1.All", r#"{"optionals": {"aString": ""}}"#);
    assert!(path("sink.v1.All", "optionals.a_string").find(&explicit).unwrap().is_some());
    assert_eq!(path("old.v1.Old", "number").read(&[]).unwrap(), Value::I64(42));
    assert_eq!(path("old.v1.Old", "mood").read(&[]).unwrap(), Value::Enum(3));
}

#[test]
fn reads_on_through_lists() {
    let bytes = wire(
        "sink.v1.All",
        r#"{"tree": {"children": [{"name": "a", "children": [{"name": "b"}]}, {}, {"left": {"name": "c"}}]}}"#,
    );
    let strings = |texts: &[&'static str]| {
        Value::List(texts.iter().map(|text| Value::Str((*text).into())).collect())
    };
    assert_eq!(
        path("sink.v1.All", "tree.children.name").read(&bytes).unwrap(),
        strings(&["a", "", ""])
    );
    assert_eq!(
        path("sink.v1.All", "tree.children.children.name").read(&bytes).unwrap(),
        strings(&["b"])
    );
    assert_eq!(
        path("sink.v1.All", "tree.children.left.name").read(&bytes).unwrap(),
        strings(&["c"])
    );
    assert_eq!(path("sink.v1.All", "choices.beside").read(&bytes).unwrap(), Value::List(vec![]));
}

#[test]
fn reads_what_a_conforming_parser_reads() {
    // left.name twice in two parts: the last one counts.
    assert_eq!(
        path("sink.v1.Tree", "left.name").read(b"\x12\x03\x0a\x01a\x12\x03\x0a\x01b").unwrap(),
        Value::Str("b".into())
    );
    // The second part says nothing about the name.
    assert_eq!(
        path("sink.v1.Tree", "left.name").read(b"\x12\x03\x0a\x01a\x12\x02\x12\x00").unwrap(),
        Value::Str("a".into())
    );
    // A later member clears the oneof.
    assert_eq!(path("sink.v1.Choice", "a_string").find(b"\x0a\x01a\x10\x01").unwrap(), None);
    assert_eq!(
        path("sink.v1.Choice", "scalars.an_int32")
            .find(b"\x1a\x02\x10\x01\x20\x01\x1a\x00")
            .unwrap(),
        None
    );
    assert_eq!(path("sink.v1.Scalars", "an_int32").find(b"\x10\x01\x10\x00").unwrap(), None);
}

#[test]
fn refuses_malformed_wire_behind_the_field() {
    let id = path("sink.v1.Tree", "name");
    assert!(id.read(b"\x0a\x01a").is_ok());
    for rest in [
        &b"\x0a"[..],
        b"\x0a\x05a",
        b"\x00",
        b"\x0c",
        b"\x1b",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(id.read(&[&b"\x0a\x01a"[..], rest].concat()).is_err(), "{rest:?}");
    }
    let error =
        path("sink.v1.All", "tree.left.name").read(b"\x32\x05\x12\x03\x0a\x01\xff").unwrap_err();
    assert_eq!(error.to_string(), "tree.left.name: a string is not UTF-8");
}

#[test]
fn text_becomes_wire() {
    #[track_caller]
    fn check(name: &str, field: &str, text: &str, expected: &str) {
        let path = TextPath::new(path(name, field)).unwrap();
        let mut out = Vec::new();
        path.encode(text, &mut out).unwrap();
        assert_eq!(json(name, &out), expected);
    }
    check("sink.v1.All", "scalars.a_string", "a b", r#"{"scalars":{"aString":"a b"}}"#);
    check("sink.v1.All", "tree.left.left.name", "x", r#"{"tree":{"left":{"left":{"name":"x"}}}}"#);
    check("sink.v1.Scalars", "a_bool", "true", r#"{"aBool":true}"#);
    check("sink.v1.Scalars", "an_int32", "-5", r#"{"anInt32":-5}"#);
    check(
        "sink.v1.Scalars",
        "a_sint64",
        "-9223372036854775808",
        r#"{"aSint64":"-9223372036854775808"}"#,
    );
    check(
        "sink.v1.Scalars",
        "a_fixed64",
        "18446744073709551615",
        r#"{"aFixed64":"18446744073709551615"}"#,
    );
    check("sink.v1.Scalars", "a_float", "NaN", r#"{"aFloat":"NaN"}"#);
    check("sink.v1.Scalars", "a_double", "1e3", r#"{"aDouble":1000.0}"#);
    check("sink.v1.Scalars", "a_bytes", "-_8", r#"{"aBytes":"+/8="}"#);
    check("sink.v1.Scalars", "a_color", "COLOR_RED", r#"{"aColor":"COLOR_RED"}"#);
    check("sink.v1.Scalars", "a_color", "77", r#"{"aColor":77}"#);
    check("sink.v1.Optionals", "a_string", "", r#"{"aString":""}"#);
    check("sink.v1.Lists", "an_int32", "5", r#"{"anInt32":[5]}"#);
    check("sink.v1.Lists", "a_string", "5", r#"{"aString":["5"]}"#);
    check(
        "sink.v1.WellKnown",
        "timestamp",
        "2026-11-24T09:30:00Z",
        r#"{"timestamp":"2026-11-24T09:30:00Z"}"#,
    );
    check(
        "sink.v1.WellKnown",
        "timestamps",
        "2026-11-24T09:30:00Z",
        r#"{"timestamps":["2026-11-24T09:30:00Z"]}"#,
    );
    check("sink.v1.WellKnown", "duration", "1.5s", r#"{"duration":"1.500s"}"#);
    check("sink.v1.WellKnown", "field_mask", "a,bC", r#"{"fieldMask":"a,bC"}"#);
    check("sink.v1.WellKnown", "string_value", "", r#"{"stringValue":""}"#);
    check("sink.v1.WellKnown", "uint64_value", "5", r#"{"uint64Value":"5"}"#);
}

#[test]
fn text_wins_over_what_stands_before_and_adds_to_lists() {
    let mut out = wire(
        "sink.v1.All",
        r#"{"scalars": {"aString": "a", "anInt32": 5}, "lists": {"anInt32": [1]}}"#,
    );
    TextPath::new(path("sink.v1.All", "scalars.an_int32")).unwrap().encode("0", &mut out).unwrap();
    TextPath::new(path("sink.v1.All", "lists.an_int32")).unwrap().encode("2", &mut out).unwrap();
    assert_eq!(
        json("sink.v1.All", &out),
        r#"{"scalars":{"aString":"a"},"lists":{"anInt32":[1,2]}}"#
    );
}

#[test]
fn text_that_is_no_value_says_what_is_expected() {
    #[track_caller]
    fn check(name: &str, field: &str, text: &str, expected: &str) {
        let path = TextPath::new(path(name, field)).unwrap();
        let mut out = b"before".to_vec();
        assert_eq!(path.encode(text, &mut out).unwrap_err().to_string(), expected);
        assert_eq!(out, b"before");
    }
    check(
        "sink.v1.All",
        "scalars.an_int32",
        "1.5",
        "scalars.an_int32: found `1.5`, expected an integer from -2147483648 to 2147483647",
    );
    check(
        "sink.v1.All",
        "scalars.a_bool",
        "1",
        "scalars.a_bool: found `1`, expected true or false",
    );
    check(
        "sink.v1.Scalars",
        "a_color",
        "red",
        "a_color: found `red`, expected a value of sink.v1.Color: COLOR_NEGATIVE, COLOR_UNSPECIFIED, COLOR_RED, COLOR_GREEN",
    );
    check(
        "sink.v1.Scalars",
        "a_double",
        "nan",
        "a_double: found `nan`, expected a number that fits a double",
    );
    check(
        "sink.v1.Scalars",
        "a_double",
        "1e400",
        "a_double: found `1e400`, expected a number that fits a double",
    );
    check(
        "sink.v1.Scalars",
        "a_float",
        "1e39",
        "a_float: found `1e39`, expected a number that fits a float",
    );
    check("sink.v1.Scalars", "a_bytes", "*", "a_bytes: found `*`, expected base64");
    check("sink.v1.Scalars", "a_bytes", "it's\n\"", r#"a_bytes: found `it's\n"`, expected base64"#);
    check(
        "sink.v1.Scalars",
        "a_uint32",
        "",
        "a_uint32: found ``, expected an integer from 0 to 4294967295",
    );
    check(
        "sink.v1.WellKnown",
        "timestamp",
        "now",
        "timestamp: found `now`, expected an RFC 3339 time such as `2026-11-24T09:30:00Z`",
    );
    check(
        "sink.v1.WellKnown",
        "duration",
        "1m",
        "duration: found `1m`, expected a duration in seconds such as `1.5s`",
    );
    check(
        "sink.v1.WellKnown",
        "int32_value",
        "x",
        "int32_value: found `x`, expected an integer from -2147483648 to 2147483647",
    );
    check(
        "sink.v1.WellKnown",
        "field_mask",
        "a_b",
        "field_mask: found `a_b`, expected field paths such as `displayName,address.zipCode`",
    );
    let secret = TextPath::new(path("sink.v1.Names", "secret_tree.choice.an_int32")).unwrap();
    assert_eq!(
        secret.encode("hunter2", &mut Vec::new()).unwrap_err().reason(),
        "expected an integer from -2147483648 to 2147483647"
    );
}

#[test]
fn only_what_has_a_text_can_be_given_as_text() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(TextPath::new(path("sink.v1.All", text)).unwrap_err().to_string(), expected);
    }
    check("tree", "`tree`: it can't be given as text: it is a message, sink.v1.Tree");
    check("choices", "`choices`: it can't be given as text: it is a message, sink.v1.Choice");
    check(
        "choices.beside",
        "`choices.beside`: it can't be given as text: `choices` on the way is repeated",
    );
    check("maps.by_bool", "`maps.by_bool`: it can't be given as text: it is a map");
    check(
        "well_known.struct",
        "`well_known.struct`: it can't be given as text: it is a message, google.protobuf.Struct",
    );
    check(
        "well_known.any",
        "`well_known.any`: it can't be given as text: it is a message, google.protobuf.Any",
    );
}
