//! One field of a message, named by a path such as `order.user_id`, checked against the schema once.
//!
//! [`FieldPath::read`] is the one reader of fields: rules, aggregation and explain all go through it, and
//! it sees what a conforming parser sees. [`TextPath`] writes the other way, from a path variable or a
//! query parameter to wire bytes.

mod read;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

pub use self::text::{TextError, TextPath};
use super::nearest::nearest;
use super::schema::{Field, Kind, MessageType, Shape};

/// A checked path to a field.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: Box<str>,
    /// At least one; each but the last holds messages.
    steps: Box<[Field]>,
}

/// Why a path names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or a dot without a name beside it.
    #[error("`{path}` is not a field path: names stand between single dots")]
    Malformed {
        /// The path as written.
        path: String,
    },
    /// A name that its message does not have.
    #[error("`{path}`: {message} has no field `{name}` ({hint})")]
    Unknown {
        /// The path as written.
        path: String,
        /// The message that was searched.
        message: String,
        /// The name that was looked for.
        name: String,
        /// What was probably meant, or what there is.
        hint: String,
    },
    /// A path that goes on after a scalar.
    #[error("`{path}`: `{name}` holds no message, so nothing can follow it")]
    NotAMessage {
        /// The path as written.
        path: String,
        /// The scalar field.
        name: String,
    },
    /// A path that goes on after a map.
    #[error("`{path}`: `{name}` is a map, and a path can't go through one")]
    ThroughMap {
        /// The path as written.
        path: String,
        /// The map.
        name: String,
    },
    /// A path to a field that can't be given as text.
    #[error("`{path}` can't be given as text: {reason}")]
    NotText {
        /// The path as written.
        path: String,
        /// What stands in the way.
        reason: String,
    },
}

impl FieldPath {
    /// Finds the field by names between dots; each may be the JSON name or the name in the proto file.
    pub fn parse(root: &MessageType, path: &str) -> Result<Self, PathError> {
        let mut message = root.clone();
        let mut steps: Vec<Field> = Vec::new();
        for name in path.split('.') {
            if name.is_empty() {
                return Err(PathError::Malformed { path: path.to_owned() });
            }
            if let Some(last) = steps.last() {
                message = enter(path, last)?;
            }
            let field = message.field(name).ok_or_else(|| unknown(path, &message, name))?;
            steps.push(field);
        }
        Ok(Self { text: path.into(), steps: steps.into() })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The fields on the way, the named one last.
    pub fn fields(&self) -> &[Field] {
        &self.steps
    }

    /// The field it names.
    pub fn leaf(&self) -> &Field {
        // `parse` makes at least one step: even the empty path splits into one name.
        &self.steps[self.steps.len() - 1]
    }

    /// Whether it goes through or ends in a repeated field, so that reading gives a list.
    pub fn is_repeated(&self) -> bool {
        self.steps.iter().any(|field| matches!(field.shape(), Shape::Repeated { .. }))
    }

    /// Whether a field on the way holds a secret (`debug_redact`).
    pub fn is_redacted(&self) -> bool {
        self.steps.iter().any(Field::is_redacted)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldPath({})", self.text)
    }
}

fn enter(path: &str, field: &Field) -> Result<MessageType, PathError> {
    if matches!(field.shape(), Shape::Map { .. }) {
        return Err(PathError::ThroughMap { path: path.to_owned(), name: field.name().to_owned() });
    }
    match field.kind() {
        Kind::Message(_) => field.message_type(),
        _ => None,
    }
    .ok_or_else(|| PathError::NotAMessage { path: path.to_owned(), name: field.name().to_owned() })
}

fn unknown(path: &str, message: &MessageType, name: &str) -> PathError {
    const SHOWN: usize = 20;
    let table = message.table();
    let names = || table.fields.iter().map(|field| &*field.name);
    let hint = match nearest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if table.fields.is_empty() => "it has none".to_owned(),
        None => {
            let shown: Vec<&str> = names().take(SHOWN).collect();
            let more = if table.fields.len() > SHOWN { ", …" } else { "" };
            format!("it has {}{more}", shown.join(", "))
        }
    };
    PathError::Unknown {
        path: path.to_owned(),
        message: message.full_name().to_owned(),
        name: name.to_owned(),
        hint,
    }
}
