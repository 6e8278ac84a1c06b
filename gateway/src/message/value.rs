//! One value as the reader of fields hands it out.

use std::borrow::Cow;

/// What a field of a message holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `bool`.
    Bool(bool),
    /// Every signed integer kind.
    I64(i64),
    /// Every unsigned integer kind.
    U64(u64),
    /// `float` and `double`.
    F64(f64),
    /// `string`.
    Str(Cow<'a, str>),
    /// `bytes`.
    Bytes(Cow<'a, [u8]>),
    /// The number of an enum's value; it may be one the schema does not name.
    Enum(i32),
    /// The wire bytes of a message, its parts put together.
    Message(Cow<'a, [u8]>),
    /// A repeated field, or everything found on a path through repeated fields.
    List(Vec<Self>),
    /// The entries of a map in the order of their keys.
    Map(Vec<(Self, Self)>),
}

impl Value<'_> {
    /// The same value without a borrow.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::I64(value) => Value::I64(value),
            Self::U64(value) => Value::U64(value),
            Self::F64(value) => Value::F64(value),
            Self::Str(value) => Value::Str(Cow::Owned(value.into_owned())),
            Self::Bytes(value) => Value::Bytes(Cow::Owned(value.into_owned())),
            Self::Enum(value) => Value::Enum(value),
            Self::Message(value) => Value::Message(Cow::Owned(value.into_owned())),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
            Self::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.into_owned(), value.into_owned()))
                    .collect(),
            ),
        }
    }
}
