//! The messages whose JSON is not an object of their fields.

use super::Writer;
use super::scalar::push_f64;
use super::string::push_wire_string;
use crate::message::base64::push_base64;
use crate::message::calendar::{push_duration, push_timestamp};
use crate::message::field_mask::push_camel;
use crate::message::schema::{Kind, MessageTable, Special};
use crate::message::wire::{Fault, Occurrence, Outcome, Raw, read_level, sign32};

impl<'s> Writer<'s, '_> {
    /// The message whose fields begin at `base` in the scratch. Their numbers and kinds were checked when the
    /// schema was loaded, so field `n` stands at index `n - 1`.
    pub(super) fn well_known<'a>(
        &mut self,
        table: &'s MessageTable,
        base: usize,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        let found = &scratch[base..];
        match table.special {
            Special::None | Special::Empty => self.object(table, base, scratch),
            Special::Timestamp => {
                let (seconds, nanos) = moment(found);
                self.quoted(|out| push_timestamp(out, seconds, nanos))
                    .ok_or_else(|| "a timestamp is outside of the years 1 to 9999, or its nanoseconds are no part of a second".into())
            }
            Special::Duration => {
                let (seconds, nanos) = moment(found);
                self.quoted(|out| push_duration(out, seconds, nanos)).ok_or_else(|| {
                    "a duration is longer than 10,000 years, or its parts differ in sign".into()
                })
            }
            Special::FieldMask => self.field_mask(found),
            Special::Wrapper => match (table.fields.first(), found.last()) {
                (Some(field), Some(value)) => self.scalar(field.kind, value.raw),
                (Some(field), None) => self.zero(field.kind),
                (None, _) => Ok(()),
            },
            Special::Struct | Special::ListValue => {
                let end = scratch.len();
                let Some(field) = table.fields.first() else { return Ok(()) };
                self.field_value(field, base..end, scratch)
            }
            Special::Value => self.value(table, base, scratch),
            Special::Any => {
                let (url, value) = (bytes_of(found, 0), bytes_of(found, 1));
                self.any(url, value)
            }
        }
    }

    fn quoted(&mut self, push: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<()> {
        self.out.push(b'"');
        let pushed = push(self.out);
        self.out.push(b'"');
        pushed.then_some(())
    }

    fn field_mask(&mut self, paths: &[Occurrence<'_>]) -> Outcome {
        self.quoted(|out| {
            paths.iter().enumerate().all(|(index, path)| {
                if index > 0 {
                    out.push(b',');
                }
                matches!(path.raw, Raw::Bytes(path) if push_camel(out, path))
            })
        })
        .ok_or_else(|| "a path of a field mask has no JSON form".into())
    }

    /// `google.protobuf.Value`: one of six kinds; none of them is written as `null` too.
    fn value<'a>(
        &mut self,
        table: &'s MessageTable,
        base: usize,
        scratch: &mut Vec<Occurrence<'a>>,
    ) -> Outcome {
        // All fields are members of one oneof, so at most one is there.
        let Some(last) = scratch[base..].last().copied() else {
            self.out.extend_from_slice(b"null");
            return Ok(());
        };
        let end = scratch.len();
        let field = &table.fields[usize::from(last.field)];
        match (field.kind, last.raw) {
            (Kind::Double, Raw::Fixed64(bits)) => {
                let number = f64::from_bits(bits);
                if !number.is_finite() {
                    return Err(
                        "a google.protobuf.Value holds a number that JSON can't write".into()
                    );
                }
                push_f64(self.out, number);
                Ok(())
            }
            (Kind::Enum(_), _) => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            _ => self.field_value(field, base..end, scratch),
        }
    }

    /// A known type is written as itself with its `@type`; of an unknown one the bytes are kept.
    fn any(&mut self, url: &[u8], value: &[u8]) -> Outcome {
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        self.out.extend_from_slice(b"{\"@type\":");
        push_wire_string(self.out, url)?;
        let name = url.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let id = std::str::from_utf8(name).ok().and_then(|name| self.schema.message_id(name));
        let Some(id) = id else {
            self.out.extend_from_slice(b",\"value\":");
            push_base64(self.out, value);
            self.out.push(b'}');
            return Ok(());
        };
        let table = self.schema.message_table(id);
        if matches!(table.special, Special::None | Special::Empty) {
            if self.depth >= super::MAX_DEPTH {
                return Err(Fault::TooDeep.into());
            }
            self.depth += 1;
            let mut scratch = Vec::new();
            read_level(self.schema, table, value, &mut scratch)?;
            self.members(table, 0, &mut scratch)?;
            self.depth -= 1;
        } else {
            self.out.extend_from_slice(b",\"value\":");
            self.message(id, value, &mut Vec::new())?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// The two fields of `Timestamp` and `Duration`.
fn moment(found: &[Occurrence<'_>]) -> (i64, i32) {
    let varint = |field: u16| match last(found, field) {
        Some(Raw::Varint(value)) => value,
        _ => 0,
    };
    (varint(0).cast_signed(), sign32(varint(1)))
}

fn bytes_of<'a>(found: &[Occurrence<'a>], field: u16) -> &'a [u8] {
    match last(found, field) {
        Some(Raw::Bytes(bytes)) => bytes,
        _ => &[],
    }
}

fn last<'a>(found: &[Occurrence<'a>], field: u16) -> Option<Raw<'a>> {
    found.iter().rev().find(|occurrence| occurrence.field == field).map(|occurrence| occurrence.raw)
}
