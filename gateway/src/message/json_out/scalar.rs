use super::Writer;
use super::string::push_wire_string;
use crate::message::base64::push_base64;
use crate::message::escape::push_json_string;
use crate::message::map::MapKey;
use crate::message::schema::{EnumId, FieldTable, Kind, Special};
use crate::message::value::Value;
use crate::message::wire::{Fault, Outcome, Raw, sign32, unzigzag32, unzigzag64};

impl<'s> Writer<'s, '_> {
    /// A value that is not a message.
    #[inline]
    pub(super) fn scalar(&mut self, kind: Kind, raw: Raw<'_>) -> Outcome {
        match (kind, raw) {
            (Kind::String, Raw::Bytes(text)) => return push_wire_string(self.out, text),
            (Kind::Bytes, Raw::Bytes(bytes)) => push_base64(self.out, bytes),
            (Kind::Int32, Raw::Varint(value)) => push_signed(self.out, sign32(value).into()),
            (Kind::Sint32, Raw::Varint(value)) => push_signed(self.out, unzigzag32(value).into()),
            (Kind::Uint32, Raw::Varint(value)) => push_digits(self.out, value & 0xffff_ffff),
            (Kind::Int64, Raw::Varint(value)) | (Kind::Sfixed64, Raw::Fixed64(value)) => {
                self.quoted_signed(value.cast_signed());
            }
            (Kind::Sint64, Raw::Varint(value)) => self.quoted_signed(unzigzag64(value)),
            (Kind::Uint64, Raw::Varint(value)) | (Kind::Fixed64, Raw::Fixed64(value)) => {
                self.out.push(b'"');
                push_digits(self.out, value);
                self.out.push(b'"');
            }
            (Kind::Fixed32, Raw::Fixed32(value)) => push_digits(self.out, value.into()),
            (Kind::Sfixed32, Raw::Fixed32(value)) => {
                push_signed(self.out, value.cast_signed().into());
            }
            (Kind::Bool, Raw::Varint(value)) => push_bool(self.out, value != 0),
            (Kind::Enum(id), Raw::Varint(value)) => self.enum_value(id, sign32(value)),
            (Kind::Float, Raw::Fixed32(bits)) => push_f32(self.out, f32::from_bits(bits)),
            (Kind::Double, Raw::Fixed64(bits)) => push_f64(self.out, f64::from_bits(bits)),
            // The reader only hands out values in their field's wire type.
            _ => return Err(Fault::Tag.into()),
        }
        Ok(())
    }

    fn quoted_signed(&mut self, value: i64) {
        self.out.push(b'"');
        push_signed(self.out, value);
        self.out.push(b'"');
    }

    fn enum_value(&mut self, id: EnumId, number: i32) {
        let table = self.schema.enum_table(id);
        if table.null {
            self.out.extend_from_slice(b"null");
            return;
        }
        match table.quoted(number) {
            Some(name) if !self.options.enum_numbers => self.out.extend_from_slice(name.as_bytes()),
            _ => push_signed(self.out, number.into()),
        }
    }

    /// The zero of a kind.
    pub(super) fn zero(&mut self, kind: Kind) -> Outcome {
        let raw = match kind {
            Kind::String | Kind::Bytes | Kind::Message(_) => Raw::Bytes(&[]),
            Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => Raw::Fixed32(0),
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Raw::Fixed64(0),
            _ => Raw::Varint(0),
        };
        self.scalar(kind, raw)
    }

    /// What an absent scalar stands for.
    pub(super) fn default_scalar(&mut self, field: &FieldTable) {
        match &field.default {
            Some(Value::Bool(value)) => push_bool(self.out, *value),
            Some(Value::I64(value)) if field.kind.is_64_bit() => self.quoted_signed(*value),
            Some(Value::I64(value)) => push_signed(self.out, *value),
            Some(Value::U64(value)) if field.kind.is_64_bit() => {
                self.out.push(b'"');
                push_digits(self.out, *value);
                self.out.push(b'"');
            }
            Some(Value::U64(value)) => push_digits(self.out, *value),
            Some(Value::F64(value)) if field.kind == Kind::Float => {
                push_f32(self.out, narrow(*value));
            }
            Some(Value::F64(value)) => push_f64(self.out, *value),
            Some(Value::Str(value)) => push_json_string(self.out, value),
            Some(Value::Bytes(value)) => push_base64(self.out, value),
            Some(Value::Enum(number)) => match field.kind {
                Kind::Enum(id) => self.enum_value(id, *number),
                _ => push_signed(self.out, (*number).into()),
            },
            Some(Value::Message(_) | Value::List(_) | Value::Map(_)) | None => {
                // The zero of a scalar is always printable.
                let _ = self.zero(field.kind);
            }
        }
    }

    /// The value of a field that is not there.
    pub(super) fn absent(&mut self, field: &'s FieldTable) -> Outcome {
        use crate::message::schema::Shape;
        match (field.shape, field.kind) {
            (Shape::Repeated { .. }, _) => self.out.extend_from_slice(b"[]"),
            (Shape::Map { .. }, _) => self.out.extend_from_slice(b"{}"),
            (Shape::Singular { .. }, Kind::Message(id)) => {
                let table = self.schema.message_table(id);
                match table.special {
                    Special::None | Special::Empty if self.options.defaults => {
                        return self.message(id, &[], &mut Vec::new());
                    }
                    Special::None | Special::Empty | Special::Any | Special::Struct => {
                        self.out.extend_from_slice(b"{}");
                    }
                    Special::ListValue => self.out.extend_from_slice(b"[]"),
                    _ => self.out.extend_from_slice(b"null"),
                }
            }
            (Shape::Singular { .. }, _) => self.default_scalar(field),
        }
        Ok(())
    }
}

pub(super) fn push_map_key(out: &mut Vec<u8>, key: &MapKey<'_>) {
    if let MapKey::Str(text) = key {
        push_json_string(out, text);
        return;
    }
    out.push(b'"');
    match key {
        MapKey::Bool(value) => push_bool(out, *value),
        MapKey::I64(value) => push_signed(out, *value),
        MapKey::U64(value) => push_digits(out, *value),
        MapKey::Str(_) => {}
    }
    out.push(b'"');
}

#[inline]
fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

#[inline]
pub(super) fn push_signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_digits(out, value.unsigned_abs());
}

#[inline]
pub(super) fn push_digits(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The shortest digits that read back as the same number; JSON has no words for the rest.
pub(super) fn push_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        // Writing to memory can't fail.
        let _ = serde_json::to_writer(out, &value);
    } else {
        push_not_finite(out, value);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the value was a float before")]
fn narrow(value: f64) -> f32 {
    value as f32
}

fn push_f32(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else {
        push_not_finite(out, value.into());
    }
}

fn push_not_finite(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}
