//! What rules make of messages: what a conforming parser sees, and what CEL says about it.

use super::*;

/// Whether a rule lets somebody with the id `123` and the role `staff` send this request.
#[track_caller]
fn check(rule: &str, request: &[u8], expected: bool) {
    let compiled = compile(rule).unwrap_or_else(|problems| panic!("{rule}: {problems:?}"));
    let decided = judge(&compiled, &known("123", &["staff"]), request, b"").is_ok();
    assert_eq!(decided, expected, "{rule}");
}

#[test]
fn every_kind_of_field_is_compared_exactly() {
    let request = all(r#"{
        "scalars": {
            "aBool": true, "anInt32": -7, "anInt64": "9007199254740993", "aUint32": 4294967295,
            "aUint64": "18446744073709551615", "aSint32": -1, "aSint64": "-9223372036854775808",
            "aFixed32": 5, "aFixed64": "6", "aSfixed32": -5, "aSfixed64": "-6", "aFloat": 0.5, "aDouble": 0.1,
            "aString": "é", "aBytes": "AP8=", "aColor": "COLOR_NEGATIVE"
        }
    }"#);
    for (rule, expected) in [
        ("request.scalars.a_bool", true),
        ("request.scalars.a_bool == true", true),
        ("request.scalars.a_bool != true", false),
        ("request.scalars.an_int32 == -7", true),
        // As doubles the two would be equal.
        ("request.scalars.an_int64 == 9007199254740993", true),
        ("request.scalars.an_int64 == 9007199254740992", false),
        ("request.scalars.an_int64 > 9007199254740992", true),
        ("request.scalars.a_uint32 == 4294967295u", true),
        ("request.scalars.a_uint64 == 18446744073709551615u", true),
        ("request.scalars.a_uint64 > 9223372036854775807u", true),
        ("request.scalars.a_sint32 == -1", true),
        ("request.scalars.a_sint64 == -9223372036854775808", true),
        ("request.scalars.a_sint64 < 0", true),
        ("request.scalars.a_fixed32 == 5u && request.scalars.a_fixed64 == 6u", true),
        ("request.scalars.a_sfixed32 == -5 && request.scalars.a_sfixed64 == -6", true),
        ("request.scalars.a_float == 0.5 && request.scalars.a_double == 0.1", true),
        ("request.scalars.a_string == 'é' && size(request.scalars.a_string) == 1", true),
        ("request.scalars.a_bytes == b'\\000\\377' && request.scalars.a_bytes.size() == 2", true),
        ("request.scalars.a_bytes < b'\\001'", true),
        ("request.scalars.a_color == -1", true),
        ("request.scalars.a_color in [1, -1]", true),
        ("request.scalars.a_color == 1", false),
        ("string(request.scalars.an_int64) == '9007199254740993'", true),
        ("string(request.scalars.a_uint64) == '18446744073709551615'", true),
        ("string(request.scalars.a_bool) == 'true' && string('a') == 'a'", true),
        // The names of JSON are names too.
        ("request.scalars.anInt32 == -7", true),
        ("request.scalars.a_string.startsWith('é') && request.scalars.a_string.endsWith('')", true),
        ("claims.sub.contains('2') && !claims.sub.contains('4')", true),
        ("'users/' + claims.sub == 'users/123'", true),
        ("method == 'sink.v1.Sink/Read'", true),
    ] {
        check(rule, &request, expected);
    }
}

#[test]
fn what_is_not_there_has_its_default() {
    for (rule, expected) in [
        ("request.scalars.a_bool", false),
        ("request.scalars.an_int64 == 0", true),
        ("request.scalars.a_uint64 == 0u", true),
        ("request.scalars.a_double == 0.0", true),
        ("request.scalars.a_string == ''", true),
        ("request.scalars.a_bytes == b''", true),
        ("request.scalars.a_color == 0", true),
        ("request.lists.a_string == []", true),
        ("'a' in request.lists.a_string", false),
        ("'a' in request.maps.by_string", false),
        ("has(request.scalars)", false),
        ("has(request.optionals.a_bool)", false),
        // An id that nobody wrote is nobody's.
        ("claims.sub == request.tree.name", false),
    ] {
        check(rule, b"", expected);
    }
}

#[test]
fn presence_is_what_the_schema_says() {
    let request = all(r#"{
        "scalars": {"anInt32": 0, "aString": "a"}, "optionals": {"anInt32": 0}, "lists": {"aString": ["a"]},
        "wellKnown": {"int64Value": "0", "timestamp": "1970-01-01T00:00:05Z"}, "choice": {"anInt32": 0}
    }"#);
    for (rule, expected) in [
        ("has(request.scalars) && has(request.scalars.a_string)", true),
        ("has(request.scalars.an_int32)", false),
        ("has(request.optionals.an_int32)", true),
        ("has(request.optionals.a_bool)", false),
        ("has(request.lists.a_string) && !has(request.lists.a_bytes)", true),
        ("has(request.well_known.int64_value) && request.well_known.int64_value.value == 0", true),
        ("has(request.well_known.bool_value)", false),
        ("request.well_known.timestamp.seconds == 5", true),
        ("has(request.choice.an_int32) && !has(request.choice.a_string)", true),
    ] {
        check(rule, &request, expected);
    }
}

#[test]
fn lists_and_maps_are_asked_with_in() {
    let request = all(r#"{
        "lists": {"aString": ["a", "123"], "anInt64": ["1", "9007199254740993"], "aUint32": [7], "aBytes": ["AQ=="], "aColor": ["COLOR_RED"]},
        "maps": {"byString": {"k": "v"}, "byInt64": {"-5": "COLOR_RED"}, "byUint64": {"7": 1}, "byBool": {"true": "x"}, "bySint64": {"3": {}}}
    }"#);
    for (rule, expected) in [
        ("claims.sub in request.lists.a_string", true),
        ("'b' in request.lists.a_string", false),
        ("!('b' in request.lists.a_string)", true),
        ("9007199254740993 in request.lists.an_int64", true),
        ("9007199254740992 in request.lists.an_int64", false),
        ("7u in request.lists.a_uint32", true),
        ("b'\\001' in request.lists.a_bytes", true),
        ("1 in request.lists.a_color && !(2 in request.lists.a_color)", true),
        ("request.lists.a_string == ['a', claims.sub]", true),
        ("request.lists.a_string == [claims.sub, 'a']", false),
        ("size(request.lists.a_string) == 2 && request.lists.an_int64.size() == 2", true),
        ("'k' in request.maps.by_string && !('v' in request.maps.by_string)", true),
        ("-5 in request.maps.by_int64", true),
        ("7u in request.maps.by_uint64", true),
        ("true in request.maps.by_bool && !(false in request.maps.by_bool)", true),
        ("3 in request.maps.by_sint64", true),
        ("size(request.maps.by_string) == 1", true),
        ("claims.sub in []", false),
    ] {
        check(rule, &request, expected);
    }
}

#[test]
fn what_counts_of_a_message_is_what_a_parser_keeps() {
    let name = |text: &str| all(&format!(r#"{{"tree": {{"name": "{text}"}}}}"#));
    let (ada, bob) = (name("123"), name("124"));
    let own = "claims.sub == request.tree.name";
    // The last scalar wins, within a message and in its parts put together.
    check(own, &[&ada[..], &bob].concat(), false);
    check(own, &[&bob[..], &ada].concat(), true);
    check(own, &[&ada[..], &name("")].concat(), true);
    check(own, b"\x32\x0a\x0a\x03124\x0a\x03123", true);
    check(own, b"\x32\x0a\x0a\x03123\x0a\x03124", false);
    // An explicit default is a value like any other.
    check(own, &[&ada[..], b"\x32\x02\x0a\x00"].concat(), false);
    // Unknown fields, and a number in another wire type, are not the field.
    check(own, &[&ada[..], b"\xfa\x3f\x03124"].concat(), true);
    check(own, &[&ada[..], b"\x32\x02\x08\x07"].concat(), true);
    // The last member of a oneof clears the others.
    let choice = |json: &str| all(&format!(r#"{{"choice": {json}}}"#));
    let (text, number) = (choice(r#"{"aString": "123"}"#), choice(r#"{"anInt32": 1}"#));
    check("claims.sub == request.choice.a_string", &[&number[..], &text].concat(), true);
    check("claims.sub == request.choice.a_string", &[&text[..], &number].concat(), false);
    check("has(request.choice.a_string)", &[&text[..], &number].concat(), false);
    // Packed and unpacked elements both count.
    let packed = b"\x1a\x04\x12\x02\x01\x02\x1a\x02\x10\x03";
    check("1 in request.lists.an_int32 && 3 in request.lists.an_int32", packed, true);
}

#[test]
fn one_part_that_decides_is_enough_whatever_became_of_the_others() {
    let broken: &[u8] = b"\x32\x7f";
    for (rule, expected) in [
        ("'staff' in claims.roles || request.tree.name == 'x'", true),
        ("request.tree.name == 'x' || 'staff' in claims.roles", true),
        ("!('admin' in claims.roles && request.tree.name == 'x')", true),
        ("!(request.tree.name == 'x' && 'admin' in claims.roles)", true),
        ("'staff' in claims.roles ? true : request.tree.name == 'x'", true),
        ("'admin' in claims.roles ? true : request.tree.name == 'x'", false),
        ("claims.sub in [request.tree.name, '123']", true),
        ("claims.sub in [request.tree.name, '124']", false),
    ] {
        check(rule, broken, expected);
    }
}

#[test]
fn what_is_no_number_is_neither_less_nor_equal_nor_greater() {
    let nan = all(r#"{"scalars": {"aDouble": "NaN"}}"#);
    for (rule, expected) in [
        ("request.scalars.a_double == request.scalars.a_double", false),
        ("request.scalars.a_double != request.scalars.a_double", true),
        ("request.scalars.a_double < 1.0", false),
        ("request.scalars.a_double >= 1.0", false),
    ] {
        check(rule, &nan, expected);
    }
}

/// An early no must be a no that everything together would be too.
#[test]
fn an_early_no_is_never_taken_back() {
    let parts = [
        "'staff' in claims.roles",
        "'admin' in claims.roles",
        "request.tree.name == '123'",
        "response.tree.name == '123'",
        "!has(response.scalars)",
    ];
    let (yes, no) = (all(r#"{"tree": {"name": "123"}}"#), all(r#"{"scalars": {}}"#));
    let messages: [&[u8]; 4] = [&yes, &no, b"", b"\x32\x7f"];
    let joined = |one: &str, a: &str, b: &str, other: &str, c: &str| {
        [
            format!("({one} {a} {b}) {other} {c}"),
            format!("!({one} {a} {b}) {other} !{}", format_args!("({c})")),
        ]
    };
    let mut rules = Vec::new();
    for one in parts {
        for b in parts {
            for c in parts {
                for (a, other) in [("&&", "||"), ("||", "&&"), ("&&", "&&"), ("||", "||")] {
                    rules.extend(joined(one, a, b, other, c));
                }
            }
        }
    }
    // Parsing takes its time; a part of all combinations, spread evenly, is enough.
    for text in rules.iter().step_by(7) {
        let rule = compile(text).unwrap();
        let principal = known("123", &["staff"]);
        for request in messages {
            for answer in messages {
                let stepwise = judge(&rule, &principal, request, answer).is_ok();
                assert_eq!(stepwise, rule.holds(&principal, request, answer), "{text}");
            }
        }
    }
}
