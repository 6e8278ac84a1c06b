//! Whether a field may still be set: of a oneof only one member can be.

use super::FieldPath;
use super::read::occurrences;
use crate::message::schema::Field;
use crate::message::wire::{WireError, joined};

impl FieldPath {
    /// The path of a field in the message `wire` that writing this one would clear: another member of a
    /// oneof on the way. A parser would drop it without a word.
    pub fn rival(&self, wire: &[u8]) -> Result<Option<String>, WireError> {
        // Most messages have no oneof, and their wire is not read at all.
        let last = self.steps.iter().rposition(|field| field.table().oneof.is_some());
        let Some(steps) = last.and_then(|last| self.steps.get(..=last)) else { return Ok(None) };
        let names = search(steps, wire)?;
        Ok(names.map(|names| names.join(".")))
    }
}

/// The names on the way to the rival.
fn search(steps: &[Field], wire: &[u8]) -> Result<Option<Vec<String>>, WireError> {
    let Some((field, rest)) = steps.split_first() else { return Ok(None) };
    if let Some(rival) = sibling(field, wire)? {
        return Ok(Some(vec![rival.json_name().to_owned()]));
    }
    if rest.is_empty() {
        return Ok(None);
    }
    let found = occurrences(field, wire)?;
    let mut names = search(rest, &joined(&found))?;
    if let Some(names) = &mut names {
        names.insert(0, field.json_name().to_owned());
    }
    Ok(names)
}

/// Another member of the field's oneof that the message holds.
fn sibling(field: &Field, wire: &[u8]) -> Result<Option<Field>, WireError> {
    let Some(oneof) = field.table().oneof else { return Ok(None) };
    for other in field.parent().fields() {
        let is_rival = other.table().oneof == Some(oneof) && other.index() != field.index();
        if is_rival && !occurrences(&other, wire)?.is_empty() {
            return Ok(Some(other));
        }
    }
    Ok(None)
}
