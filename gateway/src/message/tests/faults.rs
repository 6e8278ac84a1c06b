//! Where the oracle is wrong, and how one sees that it is that and nothing else. All that the two implementations may
//! differ in stands here.

use proptest::prelude::*;
use serde_json::Value as Json;

/// What its answer, or ours, says in that case; and what it does wrong.
pub(super) struct Fault {
    said: [&'static str; 2],
    #[expect(dead_code, reason = "for those who read the list")]
    why: &'static str,
}

const fn fault(said: &'static str, why: &'static str) -> Fault {
    Fault { said: [said, ""], why }
}

const fn fault_of(said: [&'static str; 2], why: &'static str) -> Fault {
    Fault { said, why }
}

/// Texts that it takes and that are no message; `said` is how we refuse them.
pub(super) const READS_TOO_MUCH: [Fault; 8] = [
    fault_of(
        ["the number `", "expected a value of"],
        "it does not know that proto2's enums are closed",
    ),
    fault("a second time", "of duplicate keys it takes the last"),
    fault_of(["the string `", "expected an integer"], "Rust's own parser takes `+1` and `01` too"),
    fault_of(["the key `", "expected an integer"], "and so it does for the keys of maps"),
    fault_of(["the string `", "expected a number"], "Rust's own parser takes `inf` and `.5` too"),
    fault_of(["the number `", "expected an integer"], "what has a point goes through a float"),
    fault_of(["the fraction `", "expected an integer"], "and a float may round to a whole number"),
    fault("expected field paths", "it takes characters that no name has, and empty paths"),
];

/// Texts that it refuses and that are a message; `said` is how it does.
pub(super) const READS_TOO_LITTLE: [Fault; 5] = [
    fault("float value out of range", "its parser of floats misses the largest `float` by a bit"),
    fault(
        "invalid digit found in string",
        "in quotes it knows integers without point and exponent",
    ),
    fault_of(["floating point `", "expected a string or integer"], "the same for numbers of enums"),
    fault("expected null", "`NullValue` is an enum, and may be given by number"),
    fault("expected '@type' field", "an `Any` that holds nothing is `{}`"),
];

/// Messages that it writes and that have no JSON; `said` is how we refuse them.
pub(super) const WRITES_TOO_MUCH: [Fault; 3] = [
    fault("a path of a field mask", "it writes characters that no name of a field has"),
    fault("a timestamp is outside", "it makes whole seconds of nanoseconds that are too many"),
    fault("a duration is longer", "and of those with another sign"),
];

/// Messages that it does not write; `said` is why not.
pub(super) const WRITES_TOO_LITTLE: [Fault; 3] = [
    fault("invalid wire type", "a field in another wire type than its own is an unknown field"),
    fault("missing at least one '/'", "an `Any` that holds nothing is `{}`"),
    fault("not found", "an `Any` of a type that nobody knows keeps its bytes here"),
];

/// Passes when the refusal is one of the faults.
pub(super) fn excuse(known: &[Fault], said: &str, shown: &str) -> Result<(), TestCaseError> {
    prop_assert!(
        known.iter().any(|fault| fault.said.iter().all(|part| said.contains(part))),
        "{}\n{}",
        said,
        shown
    );
    Ok(())
}

/// Both answers without what the oracle gets wrong in them.
pub(super) fn normal(value: Json) -> Json {
    match value {
        // Its parser of floats, which is also what reads its answer here, may miss the nearest one by a bit.
        Json::Number(number) => number.as_f64().map(|number| format!("{number:.13e}")).into(),
        // It writes what is not finite as `null` in a wrapper.
        Json::String(text) if ["NaN", "Infinity", "-Infinity"].contains(&&*text) => Json::Null,
        // Of two names for one number it writes now the one, now the other.
        Json::String(text) if text == "E0_5" || text == "E1_5" => text.replace('5', "0").into(),
        Json::Array(values) => values.into_iter().map(normal).collect(),
        Json::Object(fields) => fields
            .into_iter()
            // It takes -0.0 for the default, and leaves it out.
            .filter(|(_, value)| !value.as_f64().is_some_and(is_negative_zero))
            .map(|(name, value)| (name, normal(value)))
            .collect(),
        other => other,
    }
}

fn is_negative_zero(number: f64) -> bool {
    number == 0.0 && number.is_sign_negative()
}
