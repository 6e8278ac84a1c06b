//! One message's own fields, read by the laws of a conforming parser.

use std::borrow::Cow;

use super::{Cursor, Fault, WireType, sign32};
use crate::message::schema::{FieldTable, Kind, MessageTable, Schema, Shape};

/// A field's value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    /// A string, bytes, a part of a message, or a block of packed values.
    Bytes(&'a [u8]),
}

/// One value of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence<'a> {
    /// Index in the message's table.
    pub(crate) field: u16,
    pub(crate) raw: Raw<'a>,
}

/// Appends to `found` what counts of the message `wire`, in the order of the table and, within a
/// field, of the wire. Of a singular scalar the last one counts, and of a singular message all of
/// them together. Members that a later member of their oneof has cleared are gone, and so are
/// unknown fields, values in another wire type than the field's, and unknown numbers of closed enums.
/// Reads to the end: malformed wire is an error wherever it stands.
pub(crate) fn read_level<'a>(
    schema: &Schema,
    table: &MessageTable,
    wire: &'a [u8],
    found: &mut Vec<Occurrence<'a>>,
) -> Result<(), Fault> {
    scan(schema, table, wire, found, |_, _| true)
}

/// The same for one field alone: everything is read, and only what counts of this field is kept.
pub(crate) fn read_field<'a>(
    schema: &Schema,
    table: &MessageTable,
    wanted: u16,
    wire: &'a [u8],
) -> Result<Vec<Occurrence<'a>>, Fault> {
    let oneof = table.fields.get(usize::from(wanted)).and_then(|field| field.oneof);
    let mut found = Vec::with_capacity(4);
    scan(schema, table, wire, &mut found, |index, field| {
        index == wanted || (oneof.is_some() && field.oneof == oneof)
    })?;
    found.retain(|occurrence| occurrence.field == wanted);
    Ok(found)
}

#[inline]
fn scan<'a>(
    schema: &Schema,
    table: &MessageTable,
    wire: &'a [u8],
    found: &mut Vec<Occurrence<'a>>,
    keep: impl Fn(u16, &FieldTable) -> bool,
) -> Result<(), Fault> {
    let base = found.len();
    let mut cursor = Cursor::new(wire);
    let mut ordered = true;
    let mut previous = 0;
    let mut oneofs_seen = 0_u64;
    let mut oneof_twice = false;
    while !cursor.is_empty() {
        let (number, wire_type) = cursor.tag()?;
        let Some(index) = table.index_of_number(number) else {
            cursor.skip(number, wire_type)?;
            continue;
        };
        let field = &table.fields[usize::from(index)];
        if wire_type != field.wire_type && !(wire_type == WireType::Len && field.packable()) {
            cursor.skip(number, wire_type)?;
            continue;
        }
        let raw = match wire_type {
            WireType::Varint => Raw::Varint(cursor.varint()?),
            WireType::Fixed32 => Raw::Fixed32(cursor.fixed32()?),
            WireType::Fixed64 => Raw::Fixed64(cursor.fixed64()?),
            WireType::Len => Raw::Bytes(cursor.bytes()?),
            WireType::StartGroup | WireType::EndGroup => return Err(Fault::Group),
        };
        if !keep(index, field) || is_unknown_enum(schema, field, raw) {
            continue;
        }
        // Kept for each repetition, a value of two bytes would fill sixteen times the memory.
        if let Some(last) = found.get_mut(base..).and_then(<[_]>::last_mut)
            && last.field == index
            && let Some(both) = in_one(field, last.raw, raw)
        {
            last.raw = both;
            continue;
        }
        if let Some(oneof) = field.oneof {
            // Two oneofs may share a bit: that costs a look, not the result.
            let bit = 1 << (oneof % 64);
            oneof_twice |= oneofs_seen & bit != 0;
            oneofs_seen |= bit;
        }
        ordered &= index >= previous;
        previous = index;
        found.push(Occurrence { field: index, raw });
    }
    if oneof_twice {
        keep_last_members(table, found, base);
    }
    if !ordered && let Some(level) = found.get_mut(base..) {
        level.sort_by_key(|occurrence| occurrence.field);
    }
    Ok(())
}

/// The one value that stands for two neighbours, if there is one.
#[inline]
fn in_one<'a>(field: &FieldTable, earlier: Raw<'a>, later: Raw<'a>) -> Option<Raw<'a>> {
    match (field.shape, field.kind) {
        (Shape::Repeated { .. } | Shape::Map { .. }, _) => None,
        (Shape::Singular { .. }, Kind::Message(_)) if later == Raw::Bytes(&[]) => Some(earlier),
        (Shape::Singular { .. }, Kind::Message(_)) if earlier != Raw::Bytes(&[]) => None,
        (Shape::Singular { .. }, _) => Some(later),
    }
}

/// A closed enum's unknown number is kept by parsers as an unknown field, so it is no value.
fn is_unknown_enum(schema: &Schema, field: &FieldTable, raw: Raw<'_>) -> bool {
    match (field.kind, raw) {
        (Kind::Enum(id), Raw::Varint(number)) => {
            let declared = schema.enum_table(id);
            declared.closed && declared.quoted(sign32(number)).is_none()
        }
        _ => false,
    }
}

/// Walks back from the end: of each oneof the last member stays with its occurrences, up to where
/// another member stood.
fn keep_last_members(table: &MessageTable, found: &mut Vec<Occurrence<'_>>, base: usize) {
    #[derive(Clone, Copy)]
    enum Oneof {
        Unseen,
        Set(u16),
        Cleared(u16),
    }
    let mut oneofs = vec![Oneof::Unseen; table.oneofs.len()];
    let mut kept = found.split_off(base);
    kept.reverse();
    kept.retain(|occurrence| {
        let oneof = table.fields[usize::from(occurrence.field)].oneof;
        let Some(state) = oneof.and_then(|index| oneofs.get_mut(usize::from(index))) else {
            return true;
        };
        match *state {
            Oneof::Unseen => *state = Oneof::Set(occurrence.field),
            Oneof::Set(member) if member == occurrence.field => {}
            Oneof::Set(member) | Oneof::Cleared(member) => {
                *state = Oneof::Cleared(member);
                return false;
            }
        }
        true
    });
    kept.reverse();
    found.append(&mut kept);
}

/// The message that the parts are of: parsing the parts one after the other is parsing them joined.
pub(crate) fn joined<'a>(parts: &[Occurrence<'a>]) -> Cow<'a, [u8]> {
    if let [Occurrence { raw: Raw::Bytes(part), .. }] = parts {
        return Cow::Borrowed(part);
    }
    let bytes = |part: &Occurrence<'a>| match part.raw {
        Raw::Bytes(part) => part,
        Raw::Varint(_) | Raw::Fixed32(_) | Raw::Fixed64(_) => &[],
    };
    Cow::Owned(parts.iter().map(bytes).collect::<Vec<_>>().concat())
}

/// Calls `each` with every element in one occurrence of a list: several in a packed block, else one.
#[inline]
pub(crate) fn elements<'a, E: From<Fault>>(
    schema: &Schema,
    field: &FieldTable,
    raw: Raw<'a>,
    mut each: impl FnMut(Raw<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let Raw::Bytes(block) = raw else { return each(raw) };
    if field.wire_type == WireType::Len {
        return each(raw);
    }
    let mut cursor = Cursor::new(block);
    while !cursor.is_empty() {
        let element = match field.wire_type {
            WireType::Fixed32 => cursor.fixed32().map(Raw::Fixed32),
            WireType::Fixed64 => cursor.fixed64().map(Raw::Fixed64),
            _ => cursor.varint().map(Raw::Varint),
        };
        let element = element.map_err(|fault| match fault {
            Fault::Truncated => Fault::Packed,
            other => other,
        })?;
        if !is_unknown_enum(schema, field, element) {
            each(element)?;
        }
    }
    Ok(())
}
