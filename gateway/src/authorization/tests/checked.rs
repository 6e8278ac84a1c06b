//! Every form that the checker refuses, with what it says.

use super::*;

/// Expects exactly these complaints about a rule; each begins at the character that is given.
#[track_caller]
fn refused(rule: &str, expected: &[(usize, &str)]) {
    let problems = compile(rule).err().unwrap_or_default();
    let quotes = |at: usize| rule.chars().take(at).filter(|c| *c == '\'').count();
    // The rule stands in single quotes in line 2, from column 6 on; a quote within it is written twice.
    let expected: Vec<String> = expected
        .iter()
        .map(|(at, said)| {
            let column = if rule.contains('\'') { 6 } else { 7 + at + quotes(*at) };
            format!("2:{column}: authorization.rules.r{said}")
        })
        .collect();
    assert_eq!(problems, expected, "{rule}");
}

/// One complaint about the rule for its RPC.
#[track_caller]
fn check(rule: &str, at: usize, said: &str) {
    refused(rule, &[(at, &format!(" (for sink.v1.Sink/Read): {said}"))]);
}

#[test]
fn names_that_are_none() {
    check("claim.sub == request.tree.name", 0, "there is no `claim`; did you mean claims?");
    check(
        "user == request.tree.name",
        0,
        "there is no `user`; a rule can name claims, request, response and method",
    );
    check(
        "claims.email == request.tree.name",
        0,
        "a rule sees no claim `email`: there are claims.sub, a text, and claims.roles, a list of texts",
    );
    check(
        "claims == claims.sub",
        0,
        "claims by itself is nothing: write claims.sub or claims.roles",
    );
    check(
        "claims.sub == request.tree.nam",
        14,
        "request.tree.nam: sink.v1.Tree has no field `nam` (did you mean `name`?)",
    );
    check(
        "claims.sub == response.trees.name",
        14,
        "response.trees.name: sink.v1.All has no field `trees` (did you mean `tree`?)",
    );
    check(
        "claims.sub == request.tree.name.first",
        14,
        "request.tree.name.first: `name` holds no message, so nothing can follow it",
    );
    check(
        "claims.sub == request.maps.by_string.a",
        14,
        "request.maps.by_string.a: `by_string` is a map, and a path can't go through one",
    );
    check("method.name == claims.sub", 0, "method is a text, and nothing can follow it");
    check(
        "request == claims.sub",
        0,
        "request by itself is a whole sink.v1.All: name one of its fields",
    );
}

#[test]
fn every_mistake_of_a_rule_is_told_at_once() {
    refused(
        "claims.sbu == request.tree.nam || respons.tree.name == 1 && 2",
        &[
            (
                0,
                " (for sink.v1.Sink/Read): a rule sees no claim `sbu`: there are claims.sub, a text, and claims.roles, a list of texts",
            ),
            (
                14,
                " (for sink.v1.Sink/Read): request.tree.nam: sink.v1.Tree has no field `nam` (did you mean `name`?)",
            ),
            (34, " (for sink.v1.Sink/Read): there is no `respons`; did you mean response?"),
            (
                60,
                " (for sink.v1.Sink/Read): this is a whole number, and each part of `&&` is true or false",
            ),
        ],
    );
    refused("claims.sub ==", &[(13, ": it ends too soon")]);
}

#[test]
fn a_field_and_a_literal_of_another_type() {
    for (rule, at, said) in [
        (
            "request.scalars.a_color == 'COLOR_RED'",
            24,
            "`a_color` is an enum, and an enum is a number: write 1 for COLOR_RED",
        ),
        (
            "request.scalars.a_color == 'RED'",
            24,
            "`a_color` is an enum, and an enum is a number: COLOR_NEGATIVE is -1, COLOR_UNSPECIFIED is 0, COLOR_RED is 1, COLOR_GREEN is 2",
        ),
        (
            "'COLOR_RED' in request.lists.a_color",
            12,
            "`a_color` is an enum, and an enum is a number: write 1 for COLOR_RED",
        ),
        (
            "request.scalars.a_color in ['COLOR_RED']",
            24,
            "`a_color` is an enum, and an enum is a number: COLOR_NEGATIVE is -1, COLOR_UNSPECIFIED is 0, COLOR_RED is 1, COLOR_GREEN is 2",
        ),
        (
            "request.scalars.a_bytes == 'abc'",
            24,
            "`a_bytes` holds bytes, which are no text: write b'abc'",
        ),
        (
            "claims.sub == request.scalars.a_bytes",
            11,
            "`a_bytes` holds bytes, which are no text, and can't be compared with one",
        ),
        (
            "request.scalars.a_string == b'abc'",
            25,
            "`a_string` is a text: write a text without the b before it",
        ),
        ("request.scalars.a_uint32 == 5", 25, "`a_uint32` is an unsigned whole number: write 5u"),
        (
            "request.scalars.a_uint32 == -5",
            25,
            "`a_uint32` is an unsigned whole number, and never negative",
        ),
        ("request.scalars.an_int32 == 5u", 25, "`an_int32` is a whole number: write 5"),
        ("5 == request.scalars.a_double", 2, "`a_double` is a floating-point number: write 5.0"),
        ("request.scalars.a_string == 5", 25, "`a_string` is a text: write '5'"),
        ("claims.sub == 123", 11, "`claims.sub` is a text: write '123'"),
        ("request.scalars.an_int64 == '123'", 25, "`an_int64` is a whole number: write 123"),
        (
            "request.scalars.a_uint64 == '123'",
            25,
            "`a_uint64` is an unsigned whole number: write 123u",
        ),
        (
            "request.scalars.an_int64 == 'a'",
            25,
            "`an_int64` is a whole number, and can't be compared with a text",
        ),
        (
            "request.scalars.an_int64 == claims.sub",
            25,
            "`an_int64` is a whole number, which is no text: write string(an_int64) with the whole path",
        ),
        (
            "request.scalars.an_int64 == request.scalars.a_uint64",
            25,
            "`an_int64` is a whole number, and can't be compared with an unsigned whole number",
        ),
        (
            "request.scalars.an_int64 == 1.5",
            25,
            "`an_int64` is a whole number, and can't be compared with a floating-point number",
        ),
        ("request.scalars.a_bool == 1", 23, "true or false can't be compared with a whole number"),
        (
            "request.lists.a_string == claims.sub",
            23,
            "`a_string` is a list (a text each), and can't be compared with a text",
        ),
        ("5 in request.lists.a_string", 2, "`a_string` is a text: write '5'"),
        ("5 in request.lists.a_uint32", 2, "`a_uint32` is an unsigned whole number: write 5u"),
        ("5 in claims.roles", 2, "`claims.roles` is a text: write '5'"),
        (
            "claims.sub in [1, 2]",
            11,
            "`claims.sub` is a text, and can't be compared with a whole number",
        ),
        ("request.scalars.an_int32 < '5'", 25, "`an_int32` is a whole number: write 5"),
        (
            "request.scalars.a_string == null",
            28,
            "nothing is null here, an absent field has its default; ask with has(request.field) whether it is set",
        ),
        ("'a' == 1", 4, "a text can't be compared with a whole number"),
    ] {
        check(rule, at, said);
    }
}

#[test]
fn what_has_no_order_and_what_can_not_be_compared() {
    check(
        "claims.roles < claims.roles",
        13,
        "a list (a text each) has no order: compare by == or !=",
    );
    check("true < false", 5, "true or false has no order: compare by == or !=");
    check(
        "request.maps.by_string == request.maps.by_string",
        23,
        "maps can't be compared: ask with `in` whether one has a key",
    );
    check(
        "claims.sub in request.tree.name",
        11,
        "`in` looks into a list or the keys of a map, and this is a text; a text has .contains(…)",
    );
}

#[test]
fn whole_messages_and_lists_of_them() {
    check(
        "request.well_known.timestamp == claims.sub",
        0,
        "request.well_known.timestamp is a whole message (google.protobuf.Timestamp): name one of its fields (well_known.timestamp.seconds, well_known.timestamp.nanos), or ask has(request.well_known.timestamp) whether it is set",
    );
    check(
        "request.well_known.string_value == claims.sub",
        0,
        "request.well_known.string_value is a whole message (google.protobuf.StringValue): name one of its fields (well_known.string_value.value), or ask has(request.well_known.string_value) whether it is set",
    );
    check(
        "claims.sub in request.choices",
        14,
        "request.choices is a list of messages (sink.v1.Choice), and a rule does not look into each; ask has(request.choices) whether there are any",
    );
    check(
        "claims.sub in response.choices.a_string",
        14,
        "response.choices.a_string: `choices` is a list, and a rule does not look into each of its elements; let the service decide and name the RPC under authorization.ownership_upstream",
    );
}

#[test]
fn loops_indexes_calculations_and_functions_that_are_not_there() {
    let loops = "a rule has no loops (all, exists, exists_one, map, filter): nothing would bound their cost; ask with `in`";
    for (rule, at) in [
        ("claims.roles.exists(r, r == method)", 19),
        ("claims.roles.all(r, r == method)", 16),
        ("claims.roles.exists_one(r, r == method)", 23),
        ("claims.roles.map(r, r) == claims.roles", 16),
        ("claims.roles.filter(r, r == method) == claims.roles", 19),
    ] {
        check(rule, at, loops);
    }
    check(
        "claims.roles[0] == claims.sub",
        12,
        "an element can't be picked: ask with `in` whether a list holds a value or a map a key",
    );
    check(
        "request.scalars.an_int32 + 1 == 2",
        25,
        "`+` puts texts together and does not calculate; string(…) makes a text of a number",
    );
    for (rule, at) in [
        ("request.scalars.an_int32 * 2 == 2", 25),
        ("request.scalars.an_int32 / 0 == 2", 25),
        ("request.scalars.an_int32 % 2 == 0", 25),
        ("-request.scalars.an_int32 == 2", 0),
    ] {
        check(rule, at, "a rule does not calculate: compare fields as they are");
    }
    check(
        "claims.sub.startWith(method)",
        20,
        "there is no function `startWith`; did you mean startsWith?",
    );
    check(
        "claims.sub.matches(method)",
        18,
        "there is no function `matches`; a rule may call size, startsWith, endsWith, contains, string, has",
    );
    check("startsWith(claims.sub, method)", 10, "write request.field.startsWith('…')");
    check("has(claims.sub)", 4, "has asks for a field: has(request.a.b)");
    check(
        "size(request.scalars.an_int32) == 1",
        5,
        "size measures texts, bytes, lists and maps, and this is a whole number",
    );
    check(
        "string(request.scalars.a_double) == method",
        7,
        "string spells whole numbers and truths, and this is a floating-point number",
    );
    check(
        "request.lists.a_string.contains(method)",
        0,
        "this is a list (a text each), and only texts begin, end and contain",
    );
    let maps =
        " (for sink.v1.Sink/Read): a rule makes no maps and no messages: compare fields one by one";
    refused("{1: 2} == {1: 2}", &[(0, maps), (10, maps)]);
}

#[test]
fn a_rule_is_true_or_false() {
    check("claims.sub", 0, "this is a text, and a rule is true or false");
    check("request.scalars.an_int32", 0, "this is a whole number, and a rule is true or false");
    check("!claims.sub", 1, "this is a text, and what `!` turns around is true or false");
    check(
        "claims.sub ? true : false",
        0,
        "this is a text, and what stands before `?` is true or false",
    );
    check(
        "true ? claims.sub : true",
        7,
        "both ways of `?` have one type, and here a text meets true or false",
    );
    check(
        "[claims.sub, 1] == claims.roles",
        0,
        "a list has one type, and here a text meets a whole number",
    );
    check(
        "[[claims.sub]] == claims.roles",
        0,
        "a list within a list can't be compared with anything",
    );
}

#[test]
fn the_place_of_a_mistake_is_exact_where_the_rule_stands_as_it_is() {
    let of = |written: &str| {
        let (_, problems) = section(
            &format!("rules:\n  r: {written}\naccess:\n  sink.v1.Sink/Read: r\n"),
            "sink.v1.Sink/Read",
        );
        problems[0].split(" authorization").next().unwrap().to_owned()
    };
    assert_eq!(of("claims.sub == nothing"), "2:20:");
    assert_eq!(of("\"claims.sub == nothing\""), "2:21:");
    assert_eq!(of("'claims.sub == nothing'"), "2:21:");
    // With escapes or over several lines, it is the place where the rule begins.
    assert_eq!(of("\"claims.sub == 'a' && \\\"b\\\" == nothing\""), "2:6:");
    assert_eq!(of("|\n    claims.sub ==\n    nothing"), "3:5:");
}

#[test]
fn a_rule_that_nests_too_deep_is_refused() {
    let deep = format!("{}true", "!".repeat(2000));
    // The parser takes pairs of `!` away itself.
    assert!(compile(&deep).is_ok());
    let deep = (0..60).fold("claims.sub".to_owned(), |inner, _| format!("{inner} == claims.sub"));
    let problems = compile(&deep).unwrap_err();
    assert!(
        problems.iter().any(|problem| problem.contains("nests deeper than 48")),
        "{problems:?}"
    );
}
