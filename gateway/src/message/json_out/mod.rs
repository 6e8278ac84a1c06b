//! From wire bytes to JSON: the proto3 JSON mapping's canonical form.
//!
//! Each message level is read once by the wire room's laws into a scratch of (field, slice), then
//! written in the order of its fields. Strings are copied, numbers printed, nothing is kept.

mod scalar;
mod string;
#[cfg(test)]
mod tests;
mod well_known;

use std::ops::Range;

use self::scalar::push_map_key;
use super::schema::{
    Field, FieldTable, Kind, MessageId, MessageTable, MessageType, Schema, Shape, Special,
};
use super::wire::{
    Fault, MAX_DEPTH, Occurrence, Outcome, Raw, WireError, elements, joined, read_field, read_level,
};

/// How messages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonOut {
    /// Write fields that hold their default too, where absent and default are the same
    /// (no members of oneofs, no `optional`, no messages), and empty lists and maps.
    pub defaults: bool,
    /// Write enums as numbers.
    pub enum_numbers: bool,
}

impl MessageType {
    /// Appends to `out` the JSON form of the message that `wire` encodes (proto3 JSON mapping).
    /// After an error `out` holds a part of it.
    pub fn wire_to_json(
        &self,
        wire: &[u8],
        options: &JsonOut,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        out.reserve(wire.len() * 2);
        let mut writer = Writer { schema: self.schema(), options: *options, out, depth: 0 };
        writer.message(self.id(), wire, &mut Vec::with_capacity(64))
    }
}

impl Field {
    /// Appends to `out` the JSON of this field's value (`response_body: "field"`), `wire` being the
    /// whole message. An absent field is written as its default: `0`, `""`, `[]`, `{}`; `null` where
    /// the type has no other JSON for nothing (wrappers, `Timestamp` and their like).
    pub fn wire_to_json(
        &self,
        wire: &[u8],
        options: &JsonOut,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let (schema, field) = (self.parent().schema(), self.table());
        let mut found = read_field(schema, self.parent().table(), self.index(), wire)?;
        let mut writer = Writer { schema, options: *options, out, depth: 0 };
        if found.is_empty() {
            writer.absent(field)
        } else {
            let all = 0..found.len();
            writer.field_value(field, all, &mut found)
        }
        .map_err(|error| error.in_field(&field.json_name))
    }
}

struct Writer<'s, 'o> {
    schema: &'s Schema,
    options: JsonOut,
    out: &'o mut Vec<u8>,
    depth: u32,
}

impl<'s> Writer<'s, '_> {
    /// A message in its own JSON form: mostly an object.
    fn message<'a>(
        &mut self,
        id: MessageId,
        wire: &'a [u8],
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let table = self.schema.message_table(id);
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooDeep.into());
        }
        self.depth += 1;
        let base = scratch.len();
        read_level(self.schema, table, wire, scratch)?;
        if matches!(table.special, Special::None | Special::Empty) {
            self.object(table, base, scratch)?;
        } else {
            self.well_known(table, base, scratch)?;
        }
        scratch.truncate(base);
        self.depth -= 1;
        Ok(())
    }

    fn object<'a>(
        &mut self,
        table: &'s MessageTable,
        base: usize,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let start = self.out.len();
        self.members(table, base, scratch)?;
        // Every member begins with a comma; the first one's is the brace.
        match self.out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The members of an object, each with a comma before it.
    fn members<'a>(
        &mut self,
        table: &'s MessageTable,
        base: usize,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let mut at = base;
        let mut next_field = 0;
        while let Some(&Occurrence { field: index, .. }) = scratch.get(at) {
            let mut next = at + 1;
            while scratch.get(next).is_some_and(|occurrence| occurrence.field == index) {
                next += 1;
            }
            let field = &table.fields[usize::from(index)];
            if self.options.defaults {
                self.defaults(&table.fields[next_field..usize::from(index)]);
                next_field = usize::from(index) + 1;
            }
            self.member(field, at..next, scratch)
                .map_err(|error| error.in_field(&field.json_name))?;
            at = next;
        }
        if self.options.defaults {
            self.defaults(&table.fields[next_field..]);
        }
        Ok(())
    }

    /// A key and its value, unless the value says no more than absence.
    #[inline]
    fn member<'a>(
        &mut self,
        field: &'s FieldTable,
        at: Range<usize>,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let start = self.out.len();
        self.out.extend_from_slice(&field.key);
        match field.shape {
            Shape::Singular { presence: false } => {
                let raw = scratch[at.end - 1].raw;
                if !self.options.defaults && is_zero(field.kind, raw) {
                    self.out.truncate(start);
                    return Ok(());
                }
                self.scalar(field.kind, raw)
            }
            Shape::Repeated { .. } => {
                self.list(field, at, scratch)?;
                // Packed blocks may be empty.
                if !self.options.defaults
                    && self.out.ends_with(b"[]")
                    && self.out.len() == start + field.key.len() + 2
                {
                    self.out.truncate(start);
                }
                Ok(())
            }
            Shape::Singular { presence: true } | Shape::Map { .. } => {
                self.field_value(field, at, scratch)
            }
        }
    }

    fn field_value<'a>(
        &mut self,
        field: &'s FieldTable,
        at: Range<usize>,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        match field.shape {
            Shape::Singular { .. } => match field.kind {
                Kind::Message(id) => match scratch[at.clone()] {
                    [Occurrence { raw: Raw::Bytes(wire), .. }] => self.message(id, wire, scratch),
                    _ => self.message(id, &joined(&scratch[at]), &mut Vec::new()),
                },
                kind => self.scalar(kind, scratch[at.end - 1].raw),
            },
            Shape::Repeated { .. } => self.list(field, at, scratch),
            Shape::Map { key, entry } => self.map(key, field.kind, entry, &scratch[at]),
        }
    }

    fn list<'a>(
        &mut self,
        field: &'s FieldTable,
        at: Range<usize>,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let start = self.out.len();
        if let Kind::Message(id) = field.kind {
            for (position, index) in at.enumerate() {
                self.out.push(b',');
                if let Raw::Bytes(wire) = scratch[index].raw {
                    self.message(id, wire, scratch).map_err(|error| error.at_index(position))?;
                }
            }
        } else {
            let schema = self.schema;
            for occurrence in &scratch[at] {
                elements(schema, field, occurrence.raw, |element| {
                    self.out.push(b',');
                    self.scalar(field.kind, element)
                })?;
            }
        }
        match self.out.get_mut(start) {
            Some(comma) => *comma = b'[',
            None => self.out.push(b'['),
        }
        self.out.push(b']');
        Ok(())
    }

    /// Of entries with the same key the last one counts. They are written in the order of their keys,
    /// because their order on the wire means nothing and differs from call to call.
    fn map(
        &mut self,
        key_kind: Kind,
        kind: Kind,
        entry: MessageId,
        found: &[Occurrence<'_>],
    ) -> Outcome {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooDeep.into());
        }
        self.depth += 1;
        let schema = self.schema;
        let entries = super::map::entries(schema, key_kind, entry, found)?;
        let start = self.out.len();
        for (key, values) in &entries {
            self.out.push(b',');
            push_map_key(self.out, key);
            self.out.push(b':');
            match (kind, values.as_slice()) {
                (Kind::Message(id), parts) => self.message(id, &joined(parts), &mut Vec::new()),
                (_, [.., last]) => self.scalar(kind, last.raw),
                (_, []) => {
                    // The value is the second field of an entry's table.
                    if let Some(value) = schema.message_table(entry).fields.get(1) {
                        self.default_scalar(value);
                    }
                    Ok(())
                }
            }
            .map_err(|error| error.in_field("[…]"))?;
        }
        match self.out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    /// Fields that stand nowhere on the wire, for those who want to see every field.
    fn defaults(&mut self, fields: &'s [FieldTable]) {
        for field in fields {
            let empty: &[u8] = match field.shape {
                Shape::Singular { presence: true } => continue,
                Shape::Singular { presence: false } => b"",
                Shape::Repeated { .. } => b"[]",
                Shape::Map { .. } => b"{}",
            };
            self.out.extend_from_slice(&field.key);
            self.out.extend_from_slice(empty);
            if empty.is_empty() {
                self.default_scalar(field);
            }
        }
    }
}

/// Whether the value is the one that absence stands for.
#[inline]
fn is_zero(kind: Kind, raw: Raw<'_>) -> bool {
    match raw {
        // 32-bit kinds and `bool` don't see all bits of the varint.
        Raw::Varint(value) => match kind {
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Bool => value == 0,
            _ => value.trailing_zeros() >= 32,
        },
        Raw::Fixed32(value) => value == 0,
        Raw::Fixed64(value) => value == 0,
        Raw::Bytes(value) => value.is_empty(),
    }
}
