//! From the text of a path variable or query parameter to wire bytes.

use super::{Fault, FieldPath, PathError};
use crate::message::base64::decode_base64;
use crate::message::json_in::{
    Integer, integer, integer_range, is_number, push_field_mask, push_integer, push_moment,
};
use crate::message::readable;
use crate::message::schema::{EnumTable, Field, FieldTable, Kind, Schema, Shape, Special, Tag};
use crate::message::wire::{close, open, push_varint};

/// A path whose field can be given as text: a scalar, an enum, or a message with a text of its own
/// (`Timestamp`, `Duration`, `FieldMask`, wrappers); or a list of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPath {
    path: FieldPath,
    ignore_case: bool,
}

/// Why a text is no value of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    path: String,
    found: Option<String>,
    expected: String,
}

impl TextError {
    /// The field's path as the rule or the client wrote it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was found and what is expected; nothing of the text when the field is `debug_redact`.
    pub fn reason(&self) -> String {
        match &self.found {
            Some(found) => format!("found `{found}`, expected {}", self.expected),
            None => format!("expected {}", self.expected),
        }
    }
}

impl std::fmt::Display for TextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.reason())
    }
}

impl std::error::Error for TextError {}

impl TextPath {
    /// Checks that the field can be given as text (`google.api.http`: repeated messages and maps can't).
    pub fn new(path: FieldPath) -> Result<Self, PathError> {
        let refuse = |reason: String| Fault::NotText(reason).of(path.as_str());
        let leaf = path.leaf();
        let way = path.fields().len() - 1;
        if let Some(list) =
            path.fields().iter().take(way).find(|field| field.shape() != SINGULAR_MESSAGE)
        {
            return Err(refuse(format!("`{}` on the way is repeated", list.name())));
        }
        if let Shape::Map { .. } = leaf.shape() {
            return Err(refuse("it is a map".to_owned()));
        }
        if let Kind::Message(id) = leaf.kind() {
            let table = leaf.parent().schema().message_table(id);
            match table.special {
                Special::Timestamp | Special::Duration | Special::FieldMask | Special::Wrapper => {}
                _ => return Err(refuse(format!("it is a message, {}", table.full_name))),
            }
        }
        Ok(Self { path, ignore_case: false })
    }

    /// Takes the names of enum values in any case, if `ignore` is set.
    #[must_use]
    pub fn ignoring_case(self, ignore: bool) -> Self {
        Self { ignore_case: ignore, ..self }
    }

    /// The path itself.
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Whether it may be given several times, each time adding an element.
    pub fn is_repeated(&self) -> bool {
        self.path.is_repeated()
    }

    /// Appends the field with the value that `text` spells: to the end of a message's wire bytes, where
    /// it wins over what stands before it, and adds to a list. After an error `out` is as it was.
    pub fn encode(&self, text: &str, out: &mut Vec<u8>) -> Result<(), TextError> {
        let before = out.len();
        self.encode_step(self.path.fields(), text, out).map_err(|expected| {
            out.truncate(before);
            let shown = (!self.path.is_redacted()).then(|| {
                let shown: String = text.chars().take(40).collect();
                let mut shown: String = readable(&shown).collect();
                if text.chars().nth(40).is_some() {
                    shown.push('…');
                }
                shown
            });
            TextError { path: self.path.as_str().to_owned(), found: shown, expected }
        })
    }
}

const SINGULAR_MESSAGE: Shape = Shape::Singular { presence: true };

impl TextPath {
    /// Fails with what is expected.
    fn encode_step(&self, steps: &[Field], text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let Some((field, rest)) = steps.split_first() else { return Ok(()) };
        let table = field.table();
        // A packed list takes a single element too, in its own wire type.
        Tag::new(table.number, table.wire_type).push(out);
        if rest.is_empty() {
            return self.encode_value(field.parent().schema(), table, text, out);
        }
        let start = open(out);
        self.encode_step(rest, text, out)?;
        close(out, start);
        Ok(())
    }

    fn encode_value(
        &self,
        schema: &Schema,
        field: &FieldTable,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match field.kind {
            Kind::Message(id) => {
                let table = schema.message_table(id);
                let start = open(out);
                match (table.special, table.fields.first()) {
                    (Special::Wrapper, Some(value)) => {
                        value.tag.push(out);
                        self.encode_value(schema, value, text, out)?;
                    }
                    (Special::FieldMask, _) => {
                        if !push_field_mask(out, text.as_bytes()) {
                            return Err(
                                "field paths such as `displayName,address.zipCode`".to_owned()
                            );
                        }
                    }
                    (special, _) => {
                        if !push_moment(out, special, text.as_bytes()) {
                            return Err(moment_example(special).to_owned());
                        }
                    }
                }
                close(out, start);
                Ok(())
            }
            Kind::String => {
                push_varint(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Kind::Bytes => {
                let start = open(out);
                if !decode_base64(text.as_bytes(), out) {
                    return Err("base64".to_owned());
                }
                close(out, start);
                Ok(())
            }
            Kind::Bool => {
                out.push(match text {
                    "true" => 1,
                    "false" => 0,
                    _ => return Err("true or false".to_owned()),
                });
                Ok(())
            }
            Kind::Enum(id) => {
                let table = schema.enum_table(id);
                let number = enum_number(table, text, self.ignore_case)
                    .ok_or_else(|| expected_enum(table))?;
                push_varint(out, i64::from(number).cast_unsigned());
                Ok(())
            }
            Kind::Float => {
                let value =
                    float::<f32>(text).filter(|value| value.is_finite() || is_special(text));
                out.extend_from_slice(&value.ok_or("a number that fits a float")?.to_le_bytes());
                Ok(())
            }
            Kind::Double => {
                let value =
                    float::<f64>(text).filter(|value| value.is_finite() || is_special(text));
                out.extend_from_slice(&value.ok_or("a number that fits a double")?.to_le_bytes());
                Ok(())
            }
            kind => {
                let valid = is_number(text.as_bytes())
                    && integer(text.as_bytes()).is_ok_and(|value| push_integer(out, kind, value));
                if valid { Ok(()) } else { Err(integer_range(kind).to_owned()) }
            }
        }
    }
}

fn enum_number(table: &EnumTable, text: &str, ignore_case: bool) -> Option<i32> {
    if let Some(number) = table.number_of(text.as_bytes(), ignore_case) {
        return Some(number);
    }
    if !is_number(text.as_bytes()) {
        return None;
    }
    let number = integer(text.as_bytes()).ok().and_then(Integer::to_i64)?;
    i32::try_from(number).ok().filter(|number| !table.closed || table.quoted(*number).is_some())
}

fn expected_enum(table: &EnumTable) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = table.names().take(SHOWN).collect();
    let more = if table.names().nth(SHOWN).is_some() { ", …" } else { "" };
    format!("a value of {}: {}{more}", table.full_name, names.join(", "))
}

/// Rust reads `NaN` and the infinities too, in more spellings than the mapping has.
fn float<F: std::str::FromStr>(text: &str) -> Option<F> {
    (is_number(text.as_bytes()) || is_special(text)).then(|| text.parse().ok())?
}

fn is_special(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

fn moment_example(special: Special) -> &'static str {
    match special {
        Special::Timestamp => "an RFC 3339 time such as `2026-11-24T09:30:00Z`",
        _ => "a duration in seconds such as `1.5s`",
    }
}
