//! Deciding a rule, as far as the facts go.
//!
//! There are three answers and not two. What rests on a message that has not come yet is [`Stop::Unknown`]; what can't
//! be decided at all is [`Stop::Failed`]. Neither is a yes. As in CEL, `&&` and `||` do not care for the order of their
//! parts: one part that decides the whole is enough, whatever became of the others.

mod compare;

use std::borrow::Cow;

use thiserror::Error;

use self::compare::{compare, equal};
use super::expression::{Condition, FieldRef, Operand, Side, TextTest};
use crate::context::Identity;
use crate::message::{Value, WireError};

/// The longest text that a rule puts together, in bytes: its parts come from messages, and a rule may name one often.
const LONGEST: usize = 64 * 1024;

/// What is known so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The principal; `None` when anonymous.
    pub(super) identity: Option<&'a Identity>,
    /// The request's wire bytes, once they were read.
    pub(super) request: Option<&'a [u8]>,
    /// The answer's wire bytes, once they have come.
    pub(super) response: Option<&'a [u8]>,
}

/// Why a part has no value.
#[derive(Debug)]
pub(super) enum Stop {
    /// It rests on a message that has not come yet.
    Unknown,
    /// It will never have one.
    Failed(Undecided),
}

/// Why a rule can't be decided.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Undecided {
    /// A message is not one of its type.
    #[error("the rule can't be decided: the {message} is malformed")]
    Malformed {
        /// Which one.
        message: &'static str,
        /// Where, and why.
        #[source]
        source: WireError,
    },
    /// A text got too long.
    #[error(
        "the rule can't be decided: it puts a text together that is longer than {LONGEST} bytes"
    )]
    TooLong,
    /// The rule reads claims, and nobody is known to be asking.
    #[error("the rule can't be decided: nobody is known to be asking")]
    Anonymous,
    /// The rule rests on a message that was not there when everything should have been.
    #[error("the rule can't be decided: it reads a message that is not there")]
    Missing,
    /// Values of two types met. The checker lets no rule through in which that can happen.
    #[error("the rule can't be decided: it compares values of different types")]
    Mixed,
}

type Outcome<T> = Result<T, Stop>;

impl Condition {
    /// Whether it holds.
    pub(super) fn decide(&self, facts: Facts<'_>) -> Outcome<bool> {
        match self {
            Self::Constant(truth) => Ok(*truth),
            Self::Field(field) => match field.read(facts)? {
                Value::Bool(truth) => Ok(truth),
                _ => Err(Stop::Failed(Undecided::Mixed)),
            },
            Self::Has(field) => field.is_set(facts),
            Self::Not(part) => part.decide(facts).map(|truth| !truth),
            Self::All(parts) => settle(parts, false, facts),
            Self::Any(parts) => settle(parts, true, facts),
            Self::Choice(parts) => {
                let [asked, yes, no] = &**parts;
                if asked.decide(facts)? { yes.decide(facts) } else { no.decide(facts) }
            }
            Self::Compare(comparison, left, right) => {
                let (left, right) = both(left.value(facts), right.value(facts))?;
                compare(*comparison, &left, &right)
            }
            Self::In(wanted, place) => contains(wanted, place, facts),
            Self::Text(test, text, part) => {
                let (text, part) = both(text.value(facts), part.value(facts))?;
                let (Value::Str(text), Value::Str(part)) = (text, part) else {
                    return Err(Stop::Failed(Undecided::Mixed));
                };
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(&*part),
                    TextTest::EndsWith => text.ends_with(&*part),
                    TextTest::Contains => text.contains(&*part),
                })
            }
        }
    }
}

/// One part that is `deciding` settles it. Otherwise it is the opposite, unless a part has no answer.
fn settle(parts: &[Condition], deciding: bool, facts: Facts<'_>) -> Outcome<bool> {
    let truths = parts.iter().map(|part| part.decide(facts));
    settled(truths, deciding)
}

fn settled(truths: impl Iterator<Item = Outcome<bool>>, deciding: bool) -> Outcome<bool> {
    let mut stopped = None;
    for truth in truths {
        match truth {
            Ok(truth) if truth == deciding => return Ok(deciding),
            Ok(_) => {}
            Err(stop) => {
                stopped = Some(match stopped {
                    // What is unknown may become anything, so it goes before what has failed.
                    Some(before) if !matches!(stop, Stop::Unknown) => before,
                    _ => stop,
                });
            }
        }
    }
    stopped.map_or(Ok(!deciding), Err)
}

/// Two values, if there are both.
fn both<T>(left: Outcome<T>, right: Outcome<T>) -> Outcome<(T, T)> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(Stop::Unknown), _) | (_, Err(Stop::Unknown)) => Err(Stop::Unknown),
        (Err(stop), _) | (_, Err(stop)) => Err(stop),
    }
}

impl Operand {
    fn value<'a>(&'a self, facts: Facts<'a>) -> Outcome<Value<'a>> {
        Ok(match self {
            Self::Literal(literal) => borrowed(literal),
            Self::Subject => Value::Str(Cow::Borrowed(&identity(facts)?.id)),
            Self::Roles => {
                let roles = identity(facts)?.roles.iter();
                Value::List(roles.map(|role| Value::Str(Cow::Borrowed(role))).collect())
            }
            Self::Field(field) => field.read(facts)?,
            Self::List(parts) => {
                Value::List(parts.iter().map(|part| part.value(facts)).collect::<Outcome<_>>()?)
            }
            Self::Choice(parts) => {
                let (asked, yes, no) = &**parts;
                return if asked.decide(facts)? { yes.value(facts) } else { no.value(facts) };
            }
            Self::Joined(parts) => Value::Str(Cow::Owned(join(parts, facts)?)),
            Self::Size(part) => Value::I64(size(&part.value(facts)?)?),
            Self::Spelled(part) => Value::Str(spell(part.value(facts)?)?),
            Self::Truth(condition) => Value::Bool(condition.decide(facts)?),
        })
    }
}

impl FieldRef {
    fn wire<'a>(&self, facts: Facts<'a>) -> Outcome<&'a [u8]> {
        match self.side {
            Side::Request => facts.request,
            Side::Response => facts.response,
        }
        .ok_or(Stop::Unknown)
    }

    fn read<'a>(&'a self, facts: Facts<'a>) -> Outcome<Value<'a>> {
        let value = self.path.read(self.wire(facts)?).map_err(|error| self.malformed(error))?;
        Ok(as_number(value))
    }

    fn is_set(&self, facts: Facts<'_>) -> Outcome<bool> {
        let found = self.path.find(self.wire(facts)?).map_err(|error| self.malformed(error))?;
        Ok(found.is_some())
    }

    fn malformed(&self, source: WireError) -> Stop {
        let message = match self.side {
            Side::Request => "request",
            Side::Response => "answer",
        };
        Stop::Failed(Undecided::Malformed { message, source })
    }
}

fn identity(facts: Facts<'_>) -> Outcome<&Identity> {
    facts.identity.ok_or(Stop::Failed(Undecided::Anonymous))
}

/// Enums are numbers.
fn as_number(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Enum(number) => Value::I64(number.into()),
        Value::List(elements) => Value::List(elements.into_iter().map(as_number).collect()),
        other => other,
    }
}

fn borrowed<'a>(literal: &'a Value<'static>) -> Value<'a> {
    match literal {
        Value::Str(text) => Value::Str(Cow::Borrowed(text)),
        Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        other => other.clone(),
    }
}

/// The lists that are at hand are looked through where they stand: most rules ask for a role.
fn contains(wanted: &Operand, place: &Operand, facts: Facts<'_>) -> Outcome<bool> {
    match place {
        Operand::Roles => {
            let (Value::Str(wanted), identity) = (wanted.value(facts)?, identity(facts)?) else {
                return Err(Stop::Failed(Undecided::Mixed));
            };
            Ok(identity.roles.iter().any(|role| *role == *wanted))
        }
        Operand::List(parts) => {
            let wanted = wanted.value(facts)?;
            let parts = parts.iter().map(|part| part.value(facts));
            settled(parts.map(|part| part.and_then(|part| equal(&wanted, &part))), true)
        }
        _ => {
            let (wanted, place) = both(wanted.value(facts), place.value(facts))?;
            let found = |key: &Value<'_>| equal(&wanted, key);
            match &place {
                Value::List(elements) => any(elements.iter(), found),
                Value::Map(entries) => any(entries.iter().map(|(key, _)| key), found),
                _ => Err(Stop::Failed(Undecided::Mixed)),
            }
        }
    }
}

fn any<'v>(
    mut values: impl Iterator<Item = &'v Value<'v>>,
    mut found: impl FnMut(&'v Value<'v>) -> Outcome<bool>,
) -> Outcome<bool> {
    values.try_fold(false, |any, value| Ok(any || found(value)?))
}

fn join(parts: &[Operand], facts: Facts<'_>) -> Outcome<String> {
    let mut joined = String::new();
    for part in parts {
        let Value::Str(text) = part.value(facts)? else {
            return Err(Stop::Failed(Undecided::Mixed));
        };
        if joined.len() + text.len() > LONGEST {
            return Err(Stop::Failed(Undecided::TooLong));
        }
        joined.push_str(&text);
    }
    Ok(joined)
}

/// Of a text the number of its code points, as CEL counts.
fn size(value: &Value<'_>) -> Outcome<i64> {
    let size = match value {
        Value::Str(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(elements) => elements.len(),
        Value::Map(entries) => entries.len(),
        _ => return Err(Stop::Failed(Undecided::Mixed)),
    };
    Ok(i64::try_from(size).unwrap_or(i64::MAX))
}

fn spell(value: Value<'_>) -> Outcome<Cow<'_, str>> {
    Ok(match value {
        Value::Str(text) => text,
        Value::I64(number) => number.to_string().into(),
        Value::U64(number) => number.to_string().into(),
        Value::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
        _ => return Err(Stop::Failed(Undecided::Mixed)),
    })
}
