//! How two values compare: only with their like.

use std::cmp::Ordering;

use super::{Outcome, Stop, Undecided};
use crate::authorization::expression::Comparison;
use crate::message::Value;

/// Whether a comparison holds.
pub(super) fn compare(
    comparison: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Outcome<bool> {
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => equal(left, right).map(|equal| !equal),
        Comparison::Less => order(left, right, Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right, Ordering::is_le),
        Comparison::Greater => order(left, right, Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right, Ordering::is_ge),
    }
}

/// Values of two types are no answer, and never "not equal": a rule may let those in who are not somebody.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>) -> Outcome<bool> {
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::I64(left), Value::I64(right)) => left == right,
        (Value::U64(left), Value::U64(right)) => left == right,
        #[expect(clippy::float_cmp, reason = "what CEL says: by IEEE 754")]
        (Value::F64(left), Value::F64(right)) => left == right,
        (Value::Str(left), Value::Str(right)) => left == right,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => return Err(Stop::Failed(Undecided::Mixed)),
    })
}

fn order(
    left: &Value<'_>,
    right: &Value<'_>,
    fits: impl FnOnce(Ordering) -> bool,
) -> Outcome<bool> {
    let ordering = match (left, right) {
        (Value::I64(left), Value::I64(right)) => Some(left.cmp(right)),
        (Value::U64(left), Value::U64(right)) => Some(left.cmp(right)),
        // What is no number is neither less nor greater.
        (Value::F64(left), Value::F64(right)) => left.partial_cmp(right),
        (Value::Str(left), Value::Str(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        _ => return Err(Stop::Failed(Undecided::Mixed)),
    };
    Ok(ordering.is_some_and(fits))
}
