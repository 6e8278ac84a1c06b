//! One field of a message, named by a path such as `order.user_id`, checked against the schema once.
//!
//! [`FieldPath::read`] is the one reader of fields: whoever needs a field of a message goes through it, and
//! it sees what a conforming parser sees. [`TextPath`] writes the other way, from a path variable or a
//! query parameter to wire bytes.

mod oneof;
mod read;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

pub use self::text::{TextError, TextPath};
use super::nearest::nearest;
use super::place::Names;
use super::schema::{Field, Kind, MessageType, Shape};
use super::wire::MAX_DEPTH;

/// A checked path to a field.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: Box<str>,
    /// At least one; each but the last holds messages.
    steps: Box<[Field]>,
}

/// Why a path names no field, or none that can be given as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {fault}")]
pub struct PathError {
    path: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("names must stand between single dots")]
    Malformed,
    #[error("messages nest at most {MAX_DEPTH} deep")]
    TooDeep,
    #[error("{message} has no field `{name}` ({hint})")]
    Unknown { message: String, name: String, hint: String },
    #[error("`{0}` holds no message, so nothing can follow it")]
    NotAMessage(String),
    #[error("`{0}` is a map, and a path can't go through one")]
    ThroughMap(String),
    #[error("it can't be given as text: {0}")]
    NotText(String),
}

impl PathError {
    /// What is wrong with the path, without the path itself.
    pub fn reason(&self) -> String {
        self.fault.to_string()
    }
}

impl Fault {
    fn of(self, path: &str) -> PathError {
        PathError { path: path.to_owned(), fault: self }
    }
}

impl FieldPath {
    /// Finds the field by names between dots; each may be the JSON name or the name in the proto file.
    ///
    /// A message that holds itself allows paths of any length, and clients write paths: more names than
    /// messages may nest are refused, so that nobody who follows a path has to count.
    pub fn parse(root: &MessageType, path: &str) -> Result<Self, PathError> {
        let mut message = root.clone();
        let mut steps: Vec<Field> = Vec::new();
        for name in path.split('.') {
            if name.is_empty() {
                return Err(Fault::Malformed.of(path));
            }
            if steps.len() == MAX_DEPTH as usize {
                return Err(Fault::TooDeep.of(path));
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

    /// Which names it was written with.
    pub fn names(&self) -> Names {
        let by_contract = |(name, field): (&str, &Field)| name != field.json_name();
        let contract = self.text.split('.').zip(&*self.steps).any(by_contract);
        if contract { Names::Contract } else { Names::Json }
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
        return Err(Fault::ThroughMap(field.name().to_owned()).of(path));
    }
    match field.kind() {
        Kind::Message(_) => field.message_type(),
        _ => None,
    }
    .ok_or_else(|| Fault::NotAMessage(field.name().to_owned()).of(path))
}

fn unknown(path: &str, message: &MessageType, name: &str) -> PathError {
    const SHOWN: usize = 20;
    let table = message.table();
    let names = || table.fields.iter().map(|field| &*field.json_name);
    let hint = match nearest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if table.fields.is_empty() => "it has none".to_owned(),
        None => {
            let shown: Vec<&str> = names().take(SHOWN).collect();
            let more = if table.fields.len() > SHOWN { ", …" } else { "" };
            format!("it has {}{more}", shown.join(", "))
        }
    };
    Fault::Unknown { message: message.full_name().to_owned(), name: name.to_owned(), hint }.of(path)
}
