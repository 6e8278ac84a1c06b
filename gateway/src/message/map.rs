//! The entries of a map as the wire holds them.

use super::schema::{Kind, MessageId, Schema};
use super::wire::{Fault, Occurrence, Outcome, Raw, read_level, sign32, unzigzag32, unzigzag64};

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
    let mut entries = Vec::with_capacity(occurrences.len());
    for occurrence in occurrences {
        let Raw::Bytes(wire) = occurrence.raw else { continue };
        let mut fields = Vec::with_capacity(2);
        read_level(schema, table, wire, &mut fields)?;
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
