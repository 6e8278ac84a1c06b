//! Reading a field from wire bytes by the laws that a conforming parser follows.

use std::borrow::Cow;

use super::FieldPath;
use crate::message::map::{self, MapKey};
use crate::message::schema::{Field, FieldTable, Kind, Schema, Shape};
use crate::message::value::Value;
use crate::message::wire::{
    Fault, Occurrence, Outcome, Raw, WireError, elements, joined, read_field, sign32, unzigzag32,
    unzigzag64,
};

impl FieldPath {
    /// The field's value in the message `wire`, or its default when it is not there. Through repeated
    /// fields it is the list of all that is found, in order.
    ///
    /// Every level that the path visits is read to its end, and malformed wire on any of them is an
    /// error; what lies beside the path is passed over by its length.
    pub fn read<'a>(&'a self, wire: &'a [u8]) -> Result<Value<'a>, WireError> {
        Ok(self.find(wire)?.unwrap_or_else(|| default(self.leaf(), self.is_repeated())))
    }

    /// The field's value if the message holds one. Where the schema makes no difference between absent
    /// and default (a proto3 scalar without `optional`), a default is absent; so are empty lists and maps.
    pub fn find<'a>(&'a self, wire: &'a [u8]) -> Result<Option<Value<'a>>, WireError> {
        if self.is_repeated() {
            let mut values = Vec::new();
            collect(&self.steps, wire, &mut values)?;
            return Ok((!values.is_empty()).then_some(Value::List(values)));
        }
        single(&self.steps, wire)
    }
}

/// Follows a path on which every field stands at most once.
fn single<'a>(steps: &'a [Field], wire: &'a [u8]) -> Outcome<Option<Value<'a>>> {
    let Some((field, rest)) = steps.split_first() else { return Ok(None) };
    let found = occurrences(field, wire)?;
    if found.is_empty() {
        return Ok(None);
    }
    let in_field = |error: WireError| error.in_field(field.json_name());
    if rest.is_empty() {
        return leaf(field, &found).map_err(in_field);
    }
    match joined(&found) {
        Cow::Borrowed(wire) => single(rest, wire),
        Cow::Owned(wire) => Ok(single(rest, &wire).map_err(in_field)?.map(Value::into_owned)),
    }
    .map_err(in_field)
}

/// Follows a path through repeated fields into every element.
fn collect<'a>(steps: &'a [Field], wire: &'a [u8], values: &mut Vec<Value<'a>>) -> Outcome {
    let Some((field, rest)) = steps.split_first() else { return Ok(()) };
    let found = occurrences(field, wire)?;
    let in_field = |error: WireError| error.in_field(field.json_name());
    if rest.is_empty() {
        return collect_leaf(field, &found, values).map_err(in_field);
    }
    if matches!(field.shape(), Shape::Repeated { .. }) {
        for (index, element) in found.iter().enumerate() {
            if let Raw::Bytes(wire) = element.raw {
                collect(rest, wire, values).map_err(|error| in_field(error.at_index(index)))?;
            }
        }
        return Ok(());
    }
    if found.is_empty() {
        return Ok(());
    }
    match joined(&found) {
        Cow::Borrowed(wire) => collect(rest, wire, values).map_err(in_field),
        Cow::Owned(wire) => {
            let mut inner = Vec::new();
            collect(rest, &wire, &mut inner).map_err(in_field)?;
            for value in inner {
                values.push(value.into_owned());
            }
            Ok(())
        }
    }
}

pub(super) fn occurrences<'a>(field: &Field, wire: &'a [u8]) -> Outcome<Vec<Occurrence<'a>>> {
    let message = field.parent();
    Ok(read_field(message.schema(), message.table(), field.index(), wire)?)
}

fn collect_leaf<'a>(
    field: &'a Field,
    found: &[Occurrence<'a>],
    values: &mut Vec<Value<'a>>,
) -> Outcome {
    if !matches!(field.shape(), Shape::Repeated { .. }) {
        values.extend(leaf(field, found)?.or_else(|| Some(default(field, false))));
        return Ok(());
    }
    let table = field.table();
    for occurrence in found {
        elements(field.parent().schema(), table, occurrence.raw, |element| {
            values.push(scalar(table.kind, element)?);
            Ok::<_, WireError>(())
        })?;
    }
    Ok(())
}

/// The value of a field that is not repeated.
fn leaf<'a>(field: &'a Field, found: &[Occurrence<'a>]) -> Outcome<Option<Value<'a>>> {
    let table = field.table();
    match (table.shape, table.kind, found.last()) {
        (_, _, None) => Ok(None),
        (Shape::Map { key, entry }, kind, Some(_)) => {
            let schema = field.parent().schema();
            let entries = map::entries(schema, key, entry, found)?;
            let values =
                entries.into_iter().map(|(key, value)| map_entry(schema, table, kind, key, &value));
            Ok(Some(Value::Map(values.collect::<Outcome<_>>()?)))
        }
        (_, Kind::Message(_), Some(_)) => Ok(Some(Value::Message(joined(found)))),
        (shape, kind, Some(last)) => {
            let value = scalar(kind, last.raw)?;
            let is_absent = shape == (Shape::Singular { presence: false }) && value == zero(kind);
            Ok((!is_absent).then_some(value))
        }
    }
}

fn map_entry<'a>(
    schema: &Schema,
    table: &FieldTable,
    kind: Kind,
    key: MapKey<'a>,
    value: &[Occurrence<'a>],
) -> Outcome<(Value<'a>, Value<'a>)> {
    let key = match key {
        MapKey::Bool(key) => Value::Bool(key),
        MapKey::I64(key) => Value::I64(key),
        MapKey::U64(key) => Value::U64(key),
        MapKey::Str(key) => Value::Str(key.into()),
    };
    let value = match (kind, value.last()) {
        (Kind::Message(_), _) => Value::Message(joined(value)),
        (_, Some(last)) => scalar(kind, last.raw)?,
        (Kind::Enum(_), None) => {
            let Shape::Map { entry, .. } = table.shape else { return Ok((key, zero(kind))) };
            let first =
                schema.message_table(entry).fields.get(1).and_then(|field| field.default.clone());
            first.unwrap_or_else(|| zero(kind))
        }
        (_, None) => zero(kind),
    };
    Ok((key, value))
}

fn scalar(kind: Kind, raw: Raw<'_>) -> Outcome<Value<'_>> {
    Ok(match (kind, raw) {
        (Kind::Bool, Raw::Varint(value)) => Value::Bool(value != 0),
        (Kind::Int32, Raw::Varint(value)) => Value::I64(sign32(value).into()),
        (Kind::Int64, Raw::Varint(value)) | (Kind::Sfixed64, Raw::Fixed64(value)) => {
            Value::I64(value.cast_signed())
        }
        (Kind::Sint32, Raw::Varint(value)) => Value::I64(unzigzag32(value).into()),
        (Kind::Sint64, Raw::Varint(value)) => Value::I64(unzigzag64(value)),
        (Kind::Uint32, Raw::Varint(value)) => Value::U64(value & 0xffff_ffff),
        (Kind::Uint64, Raw::Varint(value)) | (Kind::Fixed64, Raw::Fixed64(value)) => {
            Value::U64(value)
        }
        (Kind::Fixed32, Raw::Fixed32(value)) => Value::U64(value.into()),
        (Kind::Sfixed32, Raw::Fixed32(value)) => Value::I64(value.cast_signed().into()),
        (Kind::Float, Raw::Fixed32(bits)) => Value::F64(f32::from_bits(bits).into()),
        (Kind::Double, Raw::Fixed64(bits)) => Value::F64(f64::from_bits(bits)),
        (Kind::Enum(_), Raw::Varint(value)) => Value::Enum(sign32(value)),
        (Kind::String, Raw::Bytes(text)) => {
            Value::Str(std::str::from_utf8(text).map_err(|_| Fault::Utf8)?.into())
        }
        (Kind::Bytes, Raw::Bytes(bytes)) => Value::Bytes(bytes.into()),
        (Kind::Message(_), Raw::Bytes(bytes)) => Value::Message(bytes.into()),
        // The reader only hands out values in their field's wire type.
        _ => return Err(Fault::Tag.into()),
    })
}

fn zero(kind: Kind) -> Value<'static> {
    match kind {
        Kind::Bool => Value::Bool(false),
        Kind::Int32
        | Kind::Int64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Sfixed32
        | Kind::Sfixed64 => Value::I64(0),
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Value::U64(0),
        Kind::Float | Kind::Double => Value::F64(0.0),
        Kind::String => Value::Str("".into()),
        Kind::Bytes => Value::Bytes(Cow::Borrowed(&[])),
        Kind::Enum(_) => Value::Enum(0),
        Kind::Message(_) => Value::Message(Cow::Borrowed(&[])),
    }
}

/// What an absent field stands for.
fn default(field: &Field, list: bool) -> Value<'static> {
    match field.shape() {
        _ if list => Value::List(Vec::new()),
        Shape::Map { .. } => Value::Map(Vec::new()),
        Shape::Singular { .. } | Shape::Repeated { .. } => {
            field.table().default.clone().unwrap_or_else(|| zero(field.kind()))
        }
    }
}
