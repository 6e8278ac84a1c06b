use super::{JsonError, JsonIn};
use crate::message::kitchen_sink::{json, message, wire};

#[track_caller]
pub(super) fn error(name: &str, text: &[u8]) -> JsonError {
    message(name).json_to_wire(text, &JsonIn::default(), &mut Vec::new()).unwrap_err()
}

/// What is accepted, as the canonical form it stands for.
#[track_caller]
pub(super) fn accepts(name: &str, text: &str, canonical: &str) {
    assert_eq!(json(name, &wire(name, text)), canonical, "{text}");
}

#[track_caller]
pub(super) fn refuses(name: &str, text: &str, expected: &str) {
    assert_eq!(error(name, text.as_bytes()).to_string(), expected, "{text}");
}

#[test]
fn numbers_are_exact_and_in_range() {
    let ok = |text: &str, canonical: &str| accepts("sink.v1.Scalars", text, canonical);
    ok(r#"{"anInt64": 9007199254740993}"#, r#"{"anInt64":"9007199254740993"}"#);
    ok(r#"{"anInt64": "-9223372036854775808"}"#, r#"{"anInt64":"-9223372036854775808"}"#);
    ok(r#"{"aUint64": 18446744073709551615}"#, r#"{"aUint64":"18446744073709551615"}"#);
    ok(
        r#"{"aFixed64": 1e3, "anInt32": 1.0, "aSint32": "-1.5e1"}"#,
        r#"{"anInt32":1,"aSint32":-15,"aFixed64":"1000"}"#,
    );
    ok(r#"{"anInt32": "\u0031\u0032"}"#, r#"{"anInt32":12}"#);
    ok(r#"{"aDouble": 1.5e300, "aFloat": "0.1"}"#, r#"{"aFloat":0.1,"aDouble":1.5e+300}"#);
    ok(r#"{"aDouble": "NaN", "aFloat": "-Infinity"}"#, r#"{"aFloat":"-Infinity","aDouble":"NaN"}"#);
    ok(r#"{"aDouble": -0.0}"#, r#"{"aDouble":-0.0}"#);
    ok(r#"{"anInt32": -0, "aUint32": -0}"#, "{}");

    let no = |text: &str, expected: &str| refuses("sink.v1.Scalars", text, expected);
    no(
        r#"{"anInt32": 2147483648}"#,
        "anInt32: found the number `2147483648`, expected an integer from -2147483648 to 2147483647 (line 1, column 13)",
    );
    no(
        r#"{"anInt32": 1.5}"#,
        "anInt32: found the fraction `1.5`, expected an integer from -2147483648 to 2147483647 (line 1, column 13)",
    );
    no(
        r#"{"aUint32": -1}"#,
        "aUint32: found the number `-1`, expected an integer from 0 to 4294967295 (line 1, column 13)",
    );
    no(
        r#"{"anInt64": 9223372036854775808}"#,
        "anInt64: found the number `9223372036854775808`, expected an integer from -9223372036854775808 to 9223372036854775807 (line 1, column 13)",
    );
    no(
        r#"{"aUint64": "18446744073709551616"}"#,
        "aUint64: found the number `18446744073709551616`, expected an integer from 0 to 18446744073709551615 (line 1, column 13)",
    );
    no(
        r#"{"anInt32": " 1"}"#,
        "anInt32: found the string ` 1`, expected an integer from -2147483648 to 2147483647 (line 1, column 13)",
    );
    no(
        r#"{"anInt32": ""}"#,
        "anInt32: found the string ``, expected an integer from -2147483648 to 2147483647 (line 1, column 13)",
    );
    no(
        r#"{"anInt32": true}"#,
        "anInt32: found `true`, expected an integer from -2147483648 to 2147483647 (line 1, column 13)",
    );
    no(
        r#"{"anInt32": 01}"#,
        "anInt32: found a malformed number `01`, expected a number as JSON writes it (line 1, column 13)",
    );
    for text in [
        "1e400",
        "-1e400",
        "\"1e400\"",
        "\"inf\"",
        "\"nan\"",
        "\"\"",
        "\"0x1\"",
        "NaN",
        "+1",
        "1.",
        ".5",
        "1e",
        "--1",
        "0x1",
        "{}",
    ] {
        error("sink.v1.Scalars", format!("{{\"aDouble\": {text}}}").as_bytes());
    }
    for text in ["3.5e38", "-3.5e38", "\"1e39\""] {
        error("sink.v1.Scalars", format!("{{\"aFloat\": {text}}}").as_bytes());
    }
}

#[test]
fn a_field_stands_once_under_either_name() {
    accepts("sink.v1.Names", r#"{"snake_case_name": "a"}"#, r#"{"snakeCaseName":"a"}"#);
    accepts("sink.v1.Names", r#"{"other \"name\"": "a"}"#, r#"{"other \"name\"":"a"}"#);
    accepts("sink.v1.Names", r#"{"\u0072enamed" : "a"}"#, r#"{"other \"name\"":"a"}"#);
    refuses(
        "sink.v1.Names",
        r#"{"renamed": "a", "renamed": "b"}"#,
        "renamed: found the field a second time, expected `other \"name\"` or `renamed` once (line 1, column 18)",
    );
    refuses(
        "sink.v1.Names",
        "{\"snakeCaseName\": \"a\",\n  \"snake_case_name\": \"a\"}",
        "snake_case_name: found the field a second time, expected `snakeCaseName` or `snake_case_name` once (line 2, column 3)",
    );
    refuses(
        "sink.v1.Names",
        r#"{"renamed": null, "renamed": "b"}"#,
        "renamed: found the field a second time, expected `other \"name\"` or `renamed` once (line 1, column 19)",
    );
}

#[test]
fn unknown_fields_are_refused_and_named_or_passed_over() {
    refuses(
        "sink.v1.All",
        r#"{"lists": {"aMessage": [{}, {"aStrin": "é"}]}}"#,
        "lists.aMessage[1].aStrin: found an unknown field `aStrin`, expected a field of sink.v1.Scalars (did you mean `aString`?) (line 1, column 30)",
    );
    let long = format!("{{\"{}\": 1}}", "x".repeat(10_000));
    assert!(error("sink.v1.Tree", long.as_bytes()).to_string().len() < 250);
    let lenient = JsonIn { ignore_unknown: true, ..JsonIn::default() };
    let mut out = Vec::new();
    let text = r#"{"x": {"a": [1, null, "\u00e9", {"b": -1.5e3}]}, "aString": "a", "aColor": "COLOR_MAUVE"}"#;
    message("sink.v1.Scalars").json_to_wire(text.as_bytes(), &lenient, &mut out).unwrap();
    assert_eq!(json("sink.v1.Scalars", &out), r#"{"aString":"a"}"#);
    out.clear();
    message("sink.v1.Lists")
        .json_to_wire(br#"{"aColor": ["COLOR_RED", "COLOR_MAUVE", 7]}"#, &lenient, &mut out)
        .unwrap();
    assert_eq!(json("sink.v1.Lists", &out), r#"{"aColor":["COLOR_RED",7]}"#);
    out.clear();
    message("sink.v1.Maps")
        .json_to_wire(br#"{"byInt64": {"1": "COLOR_MAUVE", "2": "COLOR_RED"}}"#, &lenient, &mut out)
        .unwrap();
    assert_eq!(json("sink.v1.Maps", &out), r#"{"byInt64":{"2":"COLOR_RED"}}"#);
    let deep = format!("{{\"x\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let refused = message("sink.v1.Tree")
        .json_to_wire(deep.as_bytes(), &lenient, &mut Vec::new())
        .unwrap_err();
    assert_eq!(refused.reason(), "found values nested deeper than 100 levels, expected fewer");
    for text in [
        r#"{"x": 01}"#,
        r#"{"x": "\ud800"}"#,
        r#"{"x": "\x"}"#,
        r#"{"x": {1: 2}}"#,
        r#"{"x": [1,]}"#,
        r#"{"x": nul}"#,
    ] {
        message("sink.v1.Tree")
            .json_to_wire(text.as_bytes(), &lenient, &mut Vec::new())
            .unwrap_err();
    }
}

#[test]
fn a_oneof_takes_one_member() {
    accepts("sink.v1.Choice", r#"{"anInt32": 0}"#, r#"{"anInt32":0}"#);
    accepts("sink.v1.Choice", r#"{"aString": null, "aBool": false}"#, r#"{"aBool":false}"#);
    accepts("sink.v1.Choice", r#"{"aNull": null}"#, r#"{"aNull":null}"#);
    accepts("sink.v1.Choice", r#"{"aNull": "NULL_VALUE"}"#, r#"{"aNull":null}"#);
    accepts(
        "sink.v1.Choice",
        r#"{"aString": "", "color": "COLOR_RED"}"#,
        r#"{"aString":"","color":"COLOR_RED"}"#,
    );
    refuses(
        "sink.v1.Choice",
        r#"{"aString": "a", "anInt32": 1}"#,
        "anInt32: found a second member of the oneof method, expected one of aString, anInt32, scalars, aBool, aNull (line 1, column 18)",
    );
    error("sink.v1.Choice", br#"{"aNull": null, "anInt32": 1}"#);
}

#[test]
fn null_is_absence_but_not_in_lists_and_maps() {
    accepts(
        "sink.v1.All",
        r#"{"scalars": null, "lists": {"anInt32": null}, "maps": {"byBool": null}}"#,
        r#"{"lists":{},"maps":{}}"#,
    );
    accepts(
        "sink.v1.Scalars",
        r#"{"aColor": null, "aString": null, "aBytes": null, "aBool": null}"#,
        "{}",
    );
    refuses(
        "sink.v1.Lists",
        r#"{"anInt32": [1, null]}"#,
        "anInt32[1]: found `null`, expected an integer from -2147483648 to 2147483647 (line 1, column 17)",
    );
    error("sink.v1.Lists", br#"{"aMessage": [null]}"#);
    error("sink.v1.Lists", br#"{"aColor": [null]}"#);
    refuses(
        "sink.v1.Maps",
        r#"{"byString": {"a": null}}"#,
        "byString[\"a\"]: found `null`, expected a string (line 1, column 20)",
    );
    accepts(
        "sink.v1.WellKnown",
        r#"{"value": null, "values": [null, 1], "stringValue": null, "nullValue": null}"#,
        r#"{"value":null,"values":[null,1.0]}"#,
    );
    error("sink.v1.WellKnown", br#"{"strings": [null]}"#);
    error("sink.v1.WellKnown", br#"{"timestamps": [null]}"#);
}

#[test]
fn strings_are_unicode() {
    accepts(
        "sink.v1.Scalars",
        r#"{"aString": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000é"}"#,
        "{\"aString\":\"a\\\"\\\\/\\b\\f\\n\\r\\té😀\\u0000é\"}",
    );
    for text in [
        r#""\ud800""#,
        r#""\ude00""#,
        r#""\ud800\u0041""#,
        r#""\ud800\ud800""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\x41""#,
        "\"a\nb\"",
        "\"\u{1}\"",
        "\"abc",
        "\"abc\\\"",
        "1",
        "'a'",
    ] {
        error("sink.v1.Scalars", format!("{{\"aString\": {text}}}").as_bytes());
    }
    refuses(
        "sink.v1.Scalars",
        r#"{"aString": "ab\ud800"}"#,
        "aString: found a lone surrogate, expected a pair of them, or a character (line 1, column 16)",
    );
    let bad = error("sink.v1.Scalars", b"{\"aString\": \"ab\xff\"}");
    assert_eq!(
        (bad.path(), bad.offset(), &*bad.reason()),
        ("aString", 15, "found bytes that are not UTF-8, expected UTF-8 text")
    );
    error("sink.v1.Scalars", b"{\"aString\": \"\xed\xa0\x80\"}");
    error("sink.v1.Scalars", b"\xef\xbb\xbf{}");
}

#[test]
fn bytes_take_both_alphabets() {
    for text in ["+/8=", "+/8", "-_8=", "-_8", r"+\/8"] {
        accepts("sink.v1.Scalars", &format!("{{\"aBytes\": \"{text}\"}}"), r#"{"aBytes":"+/8="}"#);
    }
    accepts("sink.v1.Scalars", r#"{"aBytes": "-_"}"#, r#"{"aBytes":"+w=="}"#);
    refuses(
        "sink.v1.Scalars",
        r#"{"aBytes": "a*"}"#,
        "aBytes: found the string `a*`, expected base64 (line 1, column 12)",
    );
    error("sink.v1.Scalars", br#"{"aBytes": "abcde"}"#);
    error("sink.v1.Scalars", br#"{"aBytes": "+_8="}"#);
    error("sink.v1.Scalars", br#"{"aBytes": "====" }"#);
}

#[test]
fn enums_are_names_or_numbers() {
    accepts("sink.v1.Scalars", r#"{"aColor": "COLOR_RED"}"#, r#"{"aColor":"COLOR_RED"}"#);
    accepts("sink.v1.Scalars", r#"{"aColor": 1.0}"#, r#"{"aColor":"COLOR_RED"}"#);
    accepts("sink.v1.Scalars", r#"{"aColor": -1}"#, r#"{"aColor":"COLOR_NEGATIVE"}"#);
    accepts("sink.v1.Scalars", r#"{"aColor": 77}"#, r#"{"aColor":77}"#);
    refuses(
        "sink.v1.Scalars",
        r#"{"aColor": "COLOR_REED"}"#,
        "aColor: found the name `COLOR_REED`, expected a value of sink.v1.Color: COLOR_NEGATIVE, COLOR_UNSPECIFIED, COLOR_RED, COLOR_GREEN (did you mean COLOR_RED?) (line 1, column 12)",
    );
    for text in ["\"1\"", "2147483648", "1.5", "true", "[]", "\"color_red\"", "\"\""] {
        error("sink.v1.Scalars", format!("{{\"aColor\": {text}}}").as_bytes());
    }
    error("old.v1.Old", br#"{"mood": 5}"#);
    accepts("old.v1.Old", r#"{"mood": 4, "number": 0}"#, r#"{"number":0,"mood":"ANGRY"}"#);
}

#[test]
fn what_was_found_is_quoted_as_the_client_wrote_it() {
    let check = |text: &str, expected: &str| {
        let said = error("sink.v1.Lists", text.as_bytes()).to_string();
        assert!(said.contains(expected), "{text}: {said}");
    };
    check(r#"{"aString": "a"}"#, "found the string `a`, expected");
    check(r#"{"aString": "it's \"q\" ü"}"#, "found the string `it's \"q\" ü`, expected");
    check(r#"{"aString": "\n\u202e"}"#, r"found the string `\n\u{202e}`, expected");
    check(r#"{"aString": "\x"}"#, r"found the string `\x`, expected");
    check(r#"{"aString": "a"#, "found the string `a`, expected");
    let long = format!("{{\"aString\": \"{}\"}}", "\\ud83d\\ude00".repeat(60));
    check(&long, &format!("found the string `{}…`, expected", "😀".repeat(40)));
    check("{'id': 1}", "found `'`, expected");
    check(r#"{"it's": 1}"#, "it's: found an unknown field `it's`, expected");
}

#[test]
fn map_keys_are_typed_and_unique() {
    accepts(
        "sink.v1.Maps",
        r#"{"byInt32": {"2": 1, "-1": "2"}, "byBool": {"true": "x", "false": ""}}"#,
        r#"{"byInt32":{"-1":"2","2":"1"},"byBool":{"false":"","true":"x"}}"#,
    );
    accepts(
        "sink.v1.Maps",
        r#"{"byString": {"": "", "\u0061": "b"}}"#,
        r#"{"byString":{"":"","a":"b"}}"#,
    );
    refuses(
        "sink.v1.Maps",
        r#"{"byString": {"a": "", "b": "", "\u0061": ""}}"#,
        "byString[\"\\u0061\"]: found the key a second time, expected every key once (line 1, column 33)",
    );
    refuses(
        "sink.v1.Maps",
        r#"{"byInt32": {"1": 1, "1.0": 2}}"#,
        "byInt32[\"1.0\"]: found the key a second time, expected every key once (line 1, column 22)",
    );
    for text in [
        r#"{"byInt32": {"a": 1}}"#,
        r#"{"byInt32": {"": 1}}"#,
        r#"{"byInt32": {"01": 1}}"#,
        r#"{"byInt32": {"2147483648": 1}}"#,
        r#"{"byUint32": {"-1": ""}}"#,
        r#"{"byBool": {"1": ""}}"#,
        r#"{"byInt32": {1: 1}}"#,
        r#"{"byInt32": []}"#,
    ] {
        error("sink.v1.Maps", text.as_bytes());
    }
}

#[test]
fn grammar_is_kept() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "1",
        "\"a\"",
        "{\"name\"}",
        "{\"name\":}",
        "{\"name\":\"a\",}",
        "{,}",
        "{\"name\":\"a\" \"left\":{}}",
        "{name:\"a\"}",
        "{\"name\":\"a\"}}",
        "{} {}",
        "{}x",
        "{\"children\":[{},]}",
        "{\"children\":[,]}",
        "{\"children\":[{} {}]}",
        "{\"children\":{}}",
        "{\"left\":[]}",
        "{\"left\":nul}",
        "{\"left\":nullx}",
        "\0",
        "{\"name\":\"a\"\0}",
    ] {
        error("sink.v1.Tree", text.as_bytes());
    }
    refuses(
        "sink.v1.Tree",
        "{\n \"name\": \"é\",\n \"left\": {} ]",
        "found `]`, expected `,` or `}` after the value (line 3, column 13)",
    );
    refuses("sink.v1.Tree", "{} x", "found `x`, expected the end of the text (line 1, column 4)");
    refuses(
        "sink.v1.Tree",
        "[]",
        "found an array, expected an object for sink.v1.Tree (line 1, column 1)",
    );
    accepts(
        "sink.v1.Tree",
        " {\t\"name\" :\r\n\"a\" , \"left\" : { } , \"children\" : [ ] } ",
        r#"{"name":"a","left":{}}"#,
    );
}

#[test]
fn nesting_is_bounded() {
    let nested =
        |levels: usize| format!("{}{{}}{}", "{\"left\":".repeat(levels), "}".repeat(levels));
    accepts("sink.v1.Tree", &nested(99), &nested(99));
    assert_eq!(
        error("sink.v1.Tree", nested(100).as_bytes()).reason(),
        "found values nested deeper than 100 levels, expected fewer"
    );
    error("sink.v1.Tree", nested(100_000).as_bytes());
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!("{{\"value\": {}1{}}}", open.repeat(100_000), close.repeat(100_000));
        error("sink.v1.WellKnown", text.as_bytes());
    }
    let any = r#"{"@type":"a/google.protobuf.Any","value":"#;
    let text = format!("{{\"any\": {}{{}}{}}}", any.repeat(1_000), "}".repeat(1_000));
    error("sink.v1.WellKnown", text.as_bytes());
}

#[test]
fn secrets_are_never_quoted() {
    for text in [
        r#"{"secret": 12345}"#,
        r#"{"secret_tree": {"name": 12345}}"#,
        r#"{"secretTree": {"hunter2": 1}}"#,
        r#"{"secretList": ["a", 12345]}"#,
        r#"{"secretTree": "hunter2"}"#,
    ] {
        let error = error("sink.v1.Names", text.as_bytes());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("12345") && !shown.contains("hunter2"), "{shown}");
        assert!(error.path().starts_with("secret"), "{error}");
    }
}

#[test]
fn one_field_can_be_the_whole_body() {
    #[track_caller]
    fn check(name: &str, field: &str, text: &str, expected: &str) {
        let mut out = Vec::new();
        message(name)
            .field(field)
            .unwrap()
            .json_to_wire(text.as_bytes(), &JsonIn::default(), &mut out)
            .unwrap();
        assert_eq!(json(name, &out), expected);
    }
    check("sink.v1.All", "tree", r#" {"name": "a"} "#, r#"{"tree":{"name":"a"}}"#);
    check("sink.v1.All", "tree", "null", "{}");
    check("sink.v1.Lists", "an_int32", "[1, 2]", r#"{"anInt32":[1,2]}"#);
    check("sink.v1.Maps", "by_bool", r#"{"true": "a"}"#, r#"{"byBool":{"true":"a"}}"#);
    check("sink.v1.Scalars", "a_string", r#""a""#, r#"{"aString":"a"}"#);
    check("sink.v1.WellKnown", "value", "null", r#"{"value":null}"#);
    let field = message("sink.v1.All").field("tree").unwrap();
    let error =
        field.json_to_wire(br#"{"nam": 1}"#, &JsonIn::default(), &mut Vec::new()).unwrap_err();
    assert_eq!((error.path(), error.column()), ("nam", 2));
    field.json_to_wire(b"{} {}", &JsonIn::default(), &mut Vec::new()).unwrap_err();
    field.json_to_wire(b"", &JsonIn::default(), &mut Vec::new()).unwrap_err();
}

#[test]
fn the_names_of_an_enum_are_read_in_any_case_on_request() {
    let read = |json: &str, ignore_case: bool| {
        let options = JsonIn { ignore_case, ..JsonIn::default() };
        let mut out = Vec::new();
        message("sink.v1.Lists").json_to_wire(json.as_bytes(), &options, &mut out).ok()?;
        Some(self::json("sink.v1.Lists", &out))
    };
    let any = r#"{"aColor": ["COLOR_RED", "color_red", "Color_Green"]}"#;
    assert_eq!(read(any, false), None);
    assert_eq!(
        read(any, true).as_deref(),
        Some(r#"{"aColor":["COLOR_RED","COLOR_RED","COLOR_GREEN"]}"#)
    );
    assert_eq!(read(r#"{"aColor": ["color-red"]}"#, true), None);
}
