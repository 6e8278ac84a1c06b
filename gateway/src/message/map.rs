//! The entries of a map as the wire holds them.

use super::schema::{EnumTable, FieldTable, Kind, MessageId, Schema};
use super::wire::{
    Cursor, Fault, Occurrence, Outcome, Raw, WireType, read_level, sign32, unzigzag32, unzigzag64,
};

/// A key of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MapKey<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    Str(&'a str),
}

/// The entries in the order of their keys, each with the occurrences of its value: none when the entry
/// holds no value, several when a message came in parts. Of entries with the same key the last counts.
pub(crate) fn entries<'a>(
    schema: &Schema,
    key_kind: Kind,
    entry: MessageId,
    occurrences: &[Occurrence<'a>],
) -> Outcome<Vec<(MapKey<'a>, Vec<Occurrence<'a>>)>> {
    let table = schema.message_table(entry);
    let closed = table.fields.get(1).and_then(|value| closed_enum(schema, value));
    let mut entries = Vec::with_capacity(occurrences.len());
    for occurrence in occurrences {
        let Raw::Bytes(wire) = occurrence.raw else { continue };
        let mut fields = Vec::with_capacity(2);
        read_level(schema, table, wire, &mut fields)?;
        if let Some(closed) = closed
            && holds_unknown(closed, wire)?
        {
            continue;
        }
        // Its key is the first field of the table, its value the second.
        let values = fields.split_off(fields.partition_point(|found| found.field == 0));
        entries.push((map_key(key_kind, fields.last().map(|key| key.raw))?, values));
    }
    entries.sort_by_key(|(key, _)| *key);
    // Keeps the last of equals: the sort is stable, and `dedup` would keep the first.
    entries.reverse();
    entries.dedup_by_key(|(key, _)| *key);
    entries.reverse();
    Ok(entries)
}

fn closed_enum<'s>(schema: &'s Schema, value: &FieldTable) -> Option<&'s EnumTable> {
    match value.kind {
        Kind::Enum(id) => Some(schema.enum_table(id)).filter(|declared| declared.closed),
        _ => None,
    }
}

/// Whether the entry's value is a number that its closed enum does not know: parsers keep such an entry as an unknown
/// field, key and all, instead of giving the key another value.
fn holds_unknown(closed: &EnumTable, entry: &[u8]) -> Outcome<bool> {
    const VALUE: u32 = 2;
    let mut unknown = false;
    let mut cursor = Cursor::new(entry);
    while !cursor.is_empty() {
        match cursor.tag()? {
            (VALUE, WireType::Varint) => {
                unknown = closed.quoted(sign32(cursor.varint()?)).is_none();
            }
            (number, wire_type) => cursor.skip(number, wire_type)?,
        }
    }
    Ok(unknown)
}

fn map_key(kind: Kind, raw: Option<Raw<'_>>) -> Outcome<MapKey<'_>> {
    Ok(match (kind, raw) {
        (Kind::String, Some(Raw::Bytes(text))) => {
            MapKey::Str(std::str::from_utf8(text).map_err(|_| Fault::Utf8)?)
        }
        (Kind::String, _) => MapKey::Str(""),
        (Kind::Bool, Some(Raw::Varint(value))) => MapKey::Bool(value != 0),
        (Kind::Bool, _) => MapKey::Bool(false),
        (Kind::Int32, Some(Raw::Varint(value))) => MapKey::I64(sign32(value).into()),
        (Kind::Int64, Some(Raw::Varint(value))) | (Kind::Sfixed64, Some(Raw::Fixed64(value))) => {
            MapKey::I64(value.cast_signed())
        }
        (Kind::Sint32, Some(Raw::Varint(value))) => MapKey::I64(unzigzag32(value).into()),
        (Kind::Sint64, Some(Raw::Varint(value))) => MapKey::I64(unzigzag64(value)),
        (Kind::Sfixed32, Some(Raw::Fixed32(value))) => MapKey::I64(value.cast_signed().into()),
        (
            Kind::Int32
            | Kind::Int64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Sfixed32
            | Kind::Sfixed64,
            _,
        ) => MapKey::I64(0),
        (Kind::Uint32, Some(Raw::Varint(value))) => MapKey::U64(value & 0xffff_ffff),
        (_, Some(Raw::Varint(value) | Raw::Fixed64(value))) => MapKey::U64(value),
        (_, Some(Raw::Fixed32(value))) => MapKey::U64(value.into()),
        (_, _) => MapKey::U64(0),
    })
}
