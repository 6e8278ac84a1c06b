//! A rule after it was checked: a small tree in which every part has a type, and nothing can loop.
//!
//! Only what the checker lets through can be built, and what can be built can be evaluated in a time that its size
//! bounds: there are no calls but those written here.

use std::fmt;

use crate::message::{FieldPath, Value};

/// What a part of a rule stands for. Enums are numbers, as everywhere in CEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    List(Box<Self>),
    /// `[]`, which fits every list.
    EmptyList,
    /// A map, of which a rule can ask for keys only.
    Map(Box<Self>),
}

/// Which message a field is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// A field that a rule names.
#[derive(Clone, Debug)]
pub(super) struct FieldRef {
    pub(super) side: Side,
    pub(super) path: FieldPath,
}

/// What is true or false.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Constant(bool),
    /// A field of the type bool.
    Field(FieldRef),
    /// Whether a field is set.
    Has(FieldRef),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Choice(Box<[Self; 3]>),
    Compare(Comparison, Operand, Operand),
    /// Whether a list holds a value, or a map a key.
    In(Operand, Operand),
    Text(TextTest, Operand, Operand),
}

/// What has a value.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Value<'static>),
    /// The principal's id.
    Subject,
    /// The principal's roles.
    Roles,
    Field(FieldRef),
    List(Vec<Self>),
    Choice(Box<(Condition, Self, Self)>),
    /// Texts put together.
    Joined(Vec<Self>),
    /// How long a text, bytes, a list or a map is.
    Size(Box<Self>),
    /// A number or a truth as text.
    Spelled(Box<Self>),
    Truth(Box<Condition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is asked of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Response => "response",
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Int => f.write_str("a whole number"),
            Self::Uint => f.write_str("an unsigned whole number"),
            Self::Double => f.write_str("a floating-point number"),
            Self::Text => f.write_str("a text"),
            Self::Bytes => f.write_str("bytes"),
            Self::List(element) => write!(f, "a list ({element} each)"),
            Self::EmptyList => f.write_str("an empty list"),
            Self::Map(key) => write!(f, "a map (its keys {key} each)"),
        }
    }
}
