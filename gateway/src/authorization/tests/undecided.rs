//! Every way a rule can fail to be decided. None of them is a yes.

use super::super::evaluate::{Facts, Stop, Undecided};
use super::super::expression::{Comparison, Condition, Operand};
use super::*;
use crate::context::Denial;
use crate::message::Value;

/// A field whose length is longer than the message, a group that never began, a varint of eleven bytes, a field number 0.
const BROKEN: [&[u8]; 4] =
    [b"\x32\x7f", b"\x34", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x00\x00"];

#[test]
fn a_malformed_request_is_a_no() {
    let principal = known("123", &["staff"]);
    for rule in [
        "request.tree.name == ''",
        "request.tree.name != '123'",
        "!(request.tree.name == '123')",
        "has(request.tree)",
        "!has(request.tree)",
        "!('x' in request.maps.by_string)",
        "size(request.lists.a_string) == 0",
        "claims.sub == request.tree.name || 'admin' in claims.roles",
        "request.tree.name == 'x' ? false : true",
    ] {
        let rule = compile(rule).unwrap_or_else(|problems| panic!("{rule}: {problems:?}"));
        for wire in BROKEN {
            let (step, denied) = judge(&rule, &principal, wire, b"").unwrap_err();
            assert!(
                step == Step::Allow
                    && matches!(
                        denied,
                        Denied::Undecided(Undecided::Malformed { message: "request", .. })
                    ),
                "{rule:?}: {denied:?}"
            );
            assert_eq!(denied.denial(), Denial::Undecided);
        }
    }
}

#[test]
fn a_malformed_answer_is_a_no_that_conceals() {
    let principal = known("123", &["staff"]);
    for rule in [
        "claims.sub == response.tree.name",
        "claims.sub != response.tree.name",
        "!has(response.tree)",
        "claims.sub == request.tree.name || claims.sub == response.tree.name",
    ] {
        let rule = compile(rule).unwrap();
        for wire in BROKEN {
            let (step, denied) = judge(&rule, &principal, b"", wire).unwrap_err();
            assert!(
                step == Step::Answer
                    && matches!(
                        denied,
                        Denied::Hidden(Some(Undecided::Malformed { message: "answer", .. }))
                    ),
                "{rule:?}: {denied:?}"
            );
        }
    }
}

#[test]
fn text_that_is_none_and_texts_that_get_too_long_are_a_no() {
    // tree.name with two bytes that are not UTF-8.
    let latin = b"\x32\x04\x0a\x02\xe9\xe9";
    let rule = compile("request.tree.name != 'admin'").unwrap();
    let (_, denied) = judge(&rule, &known("123", &[]), latin, b"").unwrap_err();
    let Denied::Undecided(Undecided::Malformed { source, .. }) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(source.to_string(), "tree.name: a string is not UTF-8");

    let long = all(&format!(r#"{{"tree": {{"name": "{}"}}}}"#, "a".repeat(40_000)));
    let rule = compile("request.tree.name + request.tree.name != 'a'").unwrap();
    let (step, denied) = judge(&rule, &known("123", &[]), &long, b"").unwrap_err();
    assert_eq!((step, denied), (Step::Allow, Denied::Undecided(Undecided::TooLong)));
}

/// What the checker and the order of the steps rule out would still be a no.
#[test]
fn what_can_not_happen_would_be_a_no() {
    let identity = Identity::new("123".to_owned(), Vec::new(), None).unwrap();
    let facts = |identity| Facts { identity, request: None, response: None };
    let mixed = [
        Condition::Compare(Comparison::NotEqual, Operand::Subject, Operand::Literal(Value::I64(1))),
        Condition::Compare(Comparison::Less, Operand::Roles, Operand::Roles),
        Condition::In(Operand::Literal(Value::I64(1)), Operand::Roles),
        Condition::In(Operand::Subject, Operand::Subject),
    ];
    for condition in mixed {
        for condition in [condition.clone(), Condition::Not(Box::new(condition))] {
            let decided = condition.decide(facts(Some(&identity)));
            assert!(
                matches!(decided, Err(Stop::Failed(Undecided::Mixed))),
                "{condition:?}: {decided:?}"
            );
        }
    }
    let by_claims = Condition::Not(Box::new(Condition::In(
        Operand::Literal(Value::Str("blocked".into())),
        Operand::Roles,
    )));
    assert!(matches!(by_claims.decide(facts(None)), Err(Stop::Failed(Undecided::Anonymous))));
}
