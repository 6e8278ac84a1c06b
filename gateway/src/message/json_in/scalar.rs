use std::borrow::Cow;

use super::error::{JsonError, Parsed};
use super::{Integer, NotAnInteger, Quoted, Reader, Written, integer, is_number};
use crate::message::base64::decode_base64;
use crate::message::nearest::nearest;
use crate::message::schema::{EnumId, Kind};
use crate::message::wire::{close, open, push_varint, zigzag32, zigzag64};

impl<'t> Reader<'_, 't, '_> {
    /// A value without its tag.
    #[inline]
    pub(super) fn value(&mut self, kind: Kind) -> Parsed<Written> {
        let first = self.text.peek();
        match kind {
            Kind::String => {
                let text = self.quoted(first, "a string")?;
                self.push_string(&text)?;
            }
            Kind::Message(id) => {
                let start = open(self.out);
                self.message(id)?;
                close(self.out, start);
            }
            Kind::Enum(id) => return self.enum_value(id, first),
            Kind::Bool => {
                let value = self.bool(first)?;
                self.out.push(u8::from(value));
            }
            Kind::Bytes => {
                let text = self.quoted(first, "a string in base64")?;
                self.bytes(&text)?;
            }
            Kind::Float => {
                let value: f32 = self.float(first)?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Kind::Double => {
                let value: f64 = self.float(first)?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            _ => {
                let at = self.text.position();
                let number = self.number_text(first, kind)?;
                if !integer(&number).is_ok_and(|value| push_integer(self.out, kind, value)) {
                    return Err(not_an_integer(at, &number, kind));
                }
            }
        }
        Ok(Written::Yes)
    }

    #[inline]
    pub(super) fn quoted(&mut self, first: u8, expected: &'static str) -> Parsed<Quoted<'t>> {
        if first == b'"' { self.text.string() } else { Err(self.text.unexpected(expected)) }
    }

    /// A string with its length.
    #[inline]
    pub(super) fn push_string(&mut self, text: &Quoted<'_>) -> Parsed {
        if text.escaped {
            let start = open(self.out);
            text.push_to(self.out)?;
            close(self.out, start);
        } else {
            push_varint(self.out, text.raw.len() as u64);
            self.out.extend_from_slice(text.raw);
        }
        Ok(())
    }

    pub(super) fn bool(&mut self, first: u8) -> Parsed<bool> {
        match first {
            b't' if self.text.literal("true") => Ok(true),
            b'f' if self.text.literal("false") => Ok(false),
            _ => Err(self.text.unexpected("true or false")),
        }
    }

    fn bytes(&mut self, text: &Quoted<'_>) -> Parsed {
        let start = open(self.out);
        if !decode_base64(&text.characters()?, self.out) {
            return Err(JsonError::new(text.at, "the string", "base64").quoting_string(text));
        }
        close(self.out, start);
        Ok(())
    }

    /// The digits of a number, which may stand in quotes.
    #[inline]
    fn number_text(&mut self, first: u8, kind: Kind) -> Parsed<Cow<'t, [u8]>> {
        match first {
            b'-' | b'0'..=b'9' => self.text.number().map(Cow::Borrowed),
            b'"' => {
                let text = self.text.string()?;
                let digits = text.characters()?;
                if is_number(&digits) {
                    return Ok(digits);
                }
                Err(JsonError::new(text.at, "the string", integer_range(kind))
                    .quoting_string(&text))
            }
            _ => Err(self.text.unexpected(integer_range(kind))),
        }
    }

    fn enum_value(&mut self, id: EnumId, first: u8) -> Parsed<Written> {
        let table = self.schema.enum_table(id);
        let at = self.text.position();
        let number = match first {
            b'"' => {
                let text = self.text.string()?;
                match table.number_of(&text.characters()?, self.options.ignore_case) {
                    Some(number) => number,
                    None if self.options.ignore_unknown => return Ok(Written::Ignored),
                    None => {
                        return Err(unknown_enum(at, &text, &expected_names(table, text.raw)));
                    }
                }
            }
            b'-' | b'0'..=b'9' => {
                let text = self.text.number()?;
                let number = integer(text)
                    .ok()
                    .and_then(Integer::to_i64)
                    .and_then(|value| i32::try_from(value).ok());
                match number {
                    Some(number) if !table.closed || table.quoted(number).is_some() => number,
                    Some(_) if self.options.ignore_unknown => return Ok(Written::Ignored),
                    _ => {
                        return Err(JsonError::new(at, "the number", expected_names(table, b""))
                            .quoting(text));
                    }
                }
            }
            b'n' if table.null && self.text.literal("null") => 0,
            _ => return Err(self.text.unexpected(expected_names(table, b""))),
        };
        push_varint(self.out, i64::from(number).cast_unsigned());
        Ok(Written::Yes)
    }
}

/// Appends the integer as its kind writes it. False when it is out of the kind's range.
#[inline]
pub(in crate::message) fn push_integer(out: &mut Vec<u8>, kind: Kind, value: Integer) -> bool {
    let signed32 = || value.to_i64().and_then(|value| i32::try_from(value).ok());
    let unsigned32 = || value.to_u64().and_then(|value| u32::try_from(value).ok());
    let varint = match kind {
        Kind::Int32 => signed32().map(|value| i64::from(value).cast_unsigned()),
        Kind::Int64 => value.to_i64().map(i64::cast_unsigned),
        Kind::Uint32 => unsigned32().map(u64::from),
        Kind::Uint64 => value.to_u64(),
        Kind::Sint32 => signed32().map(zigzag32),
        Kind::Sint64 => value.to_i64().map(zigzag64),
        Kind::Fixed32 => return push_fixed(out, unsigned32().map(u32::to_le_bytes)),
        Kind::Sfixed32 => return push_fixed(out, signed32().map(i32::to_le_bytes)),
        Kind::Fixed64 => return push_fixed(out, value.to_u64().map(u64::to_le_bytes)),
        Kind::Sfixed64 => return push_fixed(out, value.to_i64().map(i64::to_le_bytes)),
        _ => None,
    };
    let Some(varint) = varint else { return false };
    push_varint(out, varint);
    true
}

fn push_fixed<const N: usize>(out: &mut Vec<u8>, bytes: Option<[u8; N]>) -> bool {
    let Some(bytes) = bytes else { return false };
    out.extend_from_slice(&bytes);
    true
}

/// Says which integers the kind holds.
pub(in crate::message) fn integer_range(kind: Kind) -> &'static str {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "an integer from -2147483648 to 2147483647",
        Kind::Uint32 | Kind::Fixed32 => "an integer from 0 to 4294967295",
        Kind::Uint64 | Kind::Fixed64 => "an integer from 0 to 18446744073709551615",
        _ => "an integer from -9223372036854775808 to 9223372036854775807",
    }
}

#[cold]
fn not_an_integer(at: usize, number: &[u8], kind: Kind) -> JsonError {
    let found = match integer(number) {
        Err(NotAnInteger::Fraction) => "the fraction",
        Err(NotAnInteger::TooLarge) | Ok(_) => "the number",
    };
    JsonError::new(at, found, integer_range(kind)).quoting(number)
}

#[cold]
fn unknown_enum(at: usize, name: &Quoted<'_>, expected: &str) -> JsonError {
    JsonError::new(at, "the name", expected.to_owned()).quoting_string(name)
}

/// A sentence with the first names of an enum, and the one that was probably meant.
#[cold]
fn expected_names(table: &crate::message::schema::EnumTable, found: &[u8]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = table.names().take(SHOWN + 1).collect();
    let mut sentence =
        format!("a value of {}: {}", table.full_name, names[..names.len().min(SHOWN)].join(", "));
    if names.len() > SHOWN {
        sentence.push_str(", …");
    }
    if let Some(meant) =
        std::str::from_utf8(found).ok().and_then(|found| nearest(found, table.names()))
    {
        sentence.push_str(" (did you mean ");
        sentence.push_str(meant);
        sentence.push_str("?)");
    }
    sentence
}
