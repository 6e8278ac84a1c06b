//! From JSON text straight to wire bytes: the proto3 JSON mapping, whole.
//!
//! One pass, no tree: a value is written as it is read, the length of a message is put in when its
//! end is known. Only an `Any` whose `@type` does not come first is looked at twice. What the mapping
//! forbids and other parsers let through is refused here: unknown fields, duplicate keys under either
//! name, two members of a oneof, numbers out of range.

mod any;
mod error;
mod float;
mod map;
mod number;
mod object;
mod scalar;
mod scanner;
#[cfg(test)]
mod tests;
mod unescape;
mod well_known;

pub use self::error::JsonError;
use self::error::Parsed;
pub(super) use self::number::{Integer, NotAnInteger, integer, is_number};
pub(super) use self::scalar::{integer_range, push_integer};
use self::scanner::{Quoted, Scanner};
pub(super) use self::well_known::{push_field_mask, push_moment};
use super::place::Names;
use super::schema::{Field, FieldTable, Kind, MessageId, MessageType, Schema, Shape, Special};
use super::wire::{MAX_DEPTH, close, open};

/// How JSON is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonIn {
    /// Pass over fields and enum names that the schema does not know, instead of refusing them.
    pub ignore_unknown: bool,
    /// Take the names of enum values in any case.
    pub ignore_case: bool,
}

/// Whether a value was written; not, when it is an enum name that is to be ignored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    Ignored,
}

impl MessageType {
    /// Appends to `out` the wire bytes of the message that `json` spells (proto3 JSON mapping).
    /// After an error `out` holds a part of it. Says which names the text uses.
    pub fn json_to_wire(
        &self,
        json: &[u8],
        options: &JsonIn,
        out: &mut Vec<u8>,
    ) -> Result<Names, JsonError> {
        out.reserve(json.len());
        let mut reader = Reader::new(self.schema(), json, *options, out);
        let read = reader.message(self.id()).and_then(|()| reader.text.finish());
        read.map(|()| reader.names).map_err(|error| error.located(json))
    }
}

impl Field {
    /// Appends to `out` the wire bytes of this field alone, tag included, from the JSON of its value
    /// (`body: "field"`). Places in errors are relative to that value. Says which names the text uses.
    pub fn json_to_wire(
        &self,
        json: &[u8],
        options: &JsonIn,
        out: &mut Vec<u8>,
    ) -> Result<Names, JsonError> {
        let field = self.table();
        let mut reader = Reader::new(self.parent().schema(), json, *options, out);
        let read = if reader.null_is_absence(field) { Ok(()) } else { reader.field(field) };
        let read = read.map_err(|error| {
            // Where it is no place within the field, the field itself is to be named.
            let whole = field.redacted || error.path().is_empty();
            if whole { error.in_field(&field.json_name, field.redacted) } else { error }
        });
        read.and_then(|()| reader.text.finish())
            .map(|()| reader.names)
            .map_err(|error| error.located(json))
    }
}

struct Reader<'s, 't, 'o> {
    schema: &'s Schema,
    text: Scanner<'t>,
    options: JsonIn,
    out: &'o mut Vec<u8>,
    names: Names,
    /// Messages around this place, as the wire will nest them.
    depth: u32,
    /// Of these, how many are held by an `Any`.
    anys: u32,
}

impl<'s, 't, 'o> Reader<'s, 't, 'o> {
    fn new(schema: &'s Schema, json: &'t [u8], options: JsonIn, out: &'o mut Vec<u8>) -> Self {
        let text = Scanner::new(json);
        Self { schema, text, options, out, names: Names::Json, depth: 0, anys: 0 }
    }

    /// The content of a message, without a length.
    fn message(&mut self, id: MessageId) -> Parsed {
        let table = self.schema.message_table(id);
        self.enter(1)?;
        match table.special {
            Special::None | Special::Empty => self.object(table, false)?,
            Special::Any => self.any()?,
            Special::Timestamp | Special::Duration => self.moment(table.special)?,
            Special::FieldMask => self.field_mask()?,
            Special::Struct => self.structure()?,
            Special::Value => self.dynamic_value()?,
            Special::ListValue => self.list_value()?,
            Special::Wrapper => {
                if let Some(field) = table.fields.first() {
                    self.field(field)?;
                }
            }
        }
        self.leave(1);
        Ok(())
    }

    /// Passes over a `null` that says that the field is not there.
    #[inline]
    fn null_is_absence(&mut self, field: &FieldTable) -> bool {
        self.text.peek() == b'n'
            && !(matches!(field.shape, Shape::Singular { .. }) && self.has_null(field.kind))
            && self.text.literal("null")
    }

    /// Whether `null` is a value of the kind.
    fn has_null(&self, kind: Kind) -> bool {
        match kind {
            Kind::Enum(id) => self.schema.enum_table(id).null,
            Kind::Message(id) => self.schema.message_table(id).special == Special::Value,
            _ => false,
        }
    }

    /// A field's value with its tag. A scalar that is its default leaves nothing behind where default
    /// and absence are the same.
    fn field(&mut self, field: &'s FieldTable) -> Parsed {
        match field.shape {
            Shape::Singular { presence } => {
                let start = self.out.len();
                field.tag.push(self.out);
                let value = self.out.len();
                let written = self.value(field.kind)?;
                if written == Written::Ignored || (!presence && is_zero(self.out, value)) {
                    self.out.truncate(start);
                }
                Ok(())
            }
            Shape::Repeated { packed } => self.list(field, packed),
            Shape::Map { key, entry } => self.map(field, key, self.schema.message_table(entry)),
        }
    }

    fn list(&mut self, field: &'s FieldTable, packed: bool) -> Parsed {
        if !self.text.eat(b'[') {
            return Err(self.text.unexpected("an array"));
        }
        let start = self.out.len();
        let block = packed.then(|| {
            field.tag.push(self.out);
            open(self.out)
        });
        let mut first = true;
        let mut index = 0;
        while self.text.next_element(&mut first)? {
            let element = self.out.len();
            if !packed {
                field.tag.push(self.out);
            }
            match self.value(field.kind).map_err(|error| error.at_index(index))? {
                Written::Yes => {}
                Written::Ignored => self.out.truncate(element),
            }
            index += 1;
        }
        match block {
            Some(block) if self.out.len() == block => self.out.truncate(start),
            Some(block) => close(self.out, block),
            None => {}
        }
        Ok(())
    }

    #[inline]
    fn enter(&mut self, levels: u32) -> Parsed {
        self.depth += levels;
        if self.depth > MAX_DEPTH { Err(self.text.too_deep()) } else { Ok(()) }
    }

    #[inline]
    fn leave(&mut self, levels: u32) {
        self.depth -= levels;
    }
}

/// Whether the value at `start` is the zero of its kind: no kind writes anything else as zeros only.
#[inline]
fn is_zero(out: &[u8], start: usize) -> bool {
    out.get(start) == Some(&0) && out.iter().skip(start).all(|byte| *byte == 0)
}
