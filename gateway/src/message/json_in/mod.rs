//! From JSON text straight to wire bytes: the proto3 JSON mapping, whole.
//!
//! One pass, no tree: a value is written as it is read, the length of a message is put in when its
//! end is known. Only an `Any` whose `@type` does not come first is looked at twice. What the mapping
//! forbids and other parsers let through is refused here: unknown fields, duplicate keys under either
//! name, two members of a oneof, numbers out of range.

mod any;
mod error;
mod number;
mod scalar;
mod scanner;
#[cfg(test)]
mod tests;
mod unescape;
mod well_known;

pub use self::error::JsonError;
use self::error::Parsed;
pub(super) use self::number::{Integer, NotAnInteger, integer};
pub(super) use self::scalar::{decode_base64, integer_range, push_integer};
pub(super) use self::scanner::is_number;
use self::scanner::{Quoted, Scanner};
pub(super) use self::well_known::{push_field_mask, push_moment};
use super::nearest::nearest;
use super::schema::{FieldTable, Kind, MessageId, MessageTable, Schema, Shape, Special};
use super::wire::{MAX_DEPTH, close, open};

/// How JSON is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonIn {
    /// Pass over fields and enum names that the schema does not know, instead of refusing them.
    pub ignore_unknown: bool,
}

/// Whether a value was written; not, when it is an enum name that is to be ignored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    Ignored,
}

pub(super) fn message(
    schema: &Schema,
    id: MessageId,
    json: &[u8],
    options: &JsonIn,
    out: &mut Vec<u8>,
) -> Parsed {
    out.reserve(json.len());
    let mut reader = Reader::new(schema, json, options, out);
    reader.message(id).and_then(|()| reader.text.finish()).map_err(|error| error.located(json))
}

/// The text is the value of one field.
pub(super) fn field(
    schema: &Schema,
    field: &FieldTable,
    json: &[u8],
    options: &JsonIn,
    out: &mut Vec<u8>,
) -> Parsed {
    let mut reader = Reader::new(schema, json, options, out);
    let read = if reader.null_is_absence(field) { Ok(()) } else { reader.field(field) };
    read.map_err(|error| error.in_field(&field.json_name, field.redacted))
        .and_then(|()| reader.text.finish())
        .map_err(|error| error.located(json))
}

struct Reader<'s, 't, 'o> {
    schema: &'s Schema,
    text: Scanner<'t>,
    ignore_unknown: bool,
    out: &'o mut Vec<u8>,
    /// Messages around this place, as the wire will nest them.
    depth: u32,
    /// Of these, how many are held by an `Any`.
    anys: u32,
}

impl<'s, 't, 'o> Reader<'s, 't, 'o> {
    fn new(schema: &'s Schema, json: &'t [u8], options: &JsonIn, out: &'o mut Vec<u8>) -> Self {
        let text = Scanner::new(json);
        Self { schema, text, ignore_unknown: options.ignore_unknown, out, depth: 0, anys: 0 }
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

    /// An object whose members are the fields of `table`. In an `Any` it also holds an `@type`, which
    /// has been read before.
    fn object(&mut self, table: &'s MessageTable, in_any: bool) -> Parsed {
        if !self.text.eat(b'{') {
            return Err(self.text.unexpected(format!("an object for {}", table.full_name)));
        }
        let mut seen = Seen::new(table);
        let mut type_seen = false;
        let mut first = true;
        let mut guess = 0;
        while self.text.next_member(&mut first)? {
            let at = self.text.position();
            // Most clients send the fields in order and write no space before the colon.
            let index = match table.fields.get(guess) {
                Some(field) if self.text.eat_exactly(field.key.get(1..).unwrap_or_default()) => {
                    guess
                }
                _ => {
                    let key = self.text.key()?;
                    if let Some(index) = Self::find(table, &key)? {
                        usize::from(index)
                    } else if in_any && *key.characters()? == *b"@type" {
                        if type_seen {
                            return Err(JsonError::new(at, "`@type` a second time", "it once"));
                        }
                        type_seen = true;
                        self.text.skip_value(self.depth)?;
                        continue;
                    } else {
                        self.unknown(table, &key)?;
                        continue;
                    }
                }
            };
            guess = index + 1;
            let Some(field) = table.fields.get(index) else { continue };
            self.member(table, field, index, &mut seen, at).map_err(|error| {
                error.in_field(spelling(self.text.text(), at, field), field.redacted)
            })?;
        }
        Ok(())
    }

    #[inline]
    fn member(
        &mut self,
        table: &MessageTable,
        field: &'s FieldTable,
        index: usize,
        seen: &mut Seen,
        at: usize,
    ) -> Parsed {
        if seen.insert(index) {
            let names = both_names(field);
            return Err(JsonError::new(at, "the field a second time", format!("{names} once")));
        }
        if self.null_is_absence(field) {
            return Ok(());
        }
        if let Some(oneof) = field.oneof
            && seen.insert(table.fields.len() + usize::from(oneof))
        {
            let name = table.oneofs.get(usize::from(oneof)).map_or("", |name| name);
            return Err(JsonError::new(
                at,
                format!("a second member of the oneof {name}"),
                format!("one of {}", members(table, oneof)),
            ));
        }
        self.field(field)
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

    fn map(&mut self, field: &'s FieldTable, key_kind: Kind, entry: &'s MessageTable) -> Parsed {
        let [key_field, value_field] = &*entry.fields else {
            return Err(self.text.unexpected("a map"));
        };
        if !self.text.eat(b'{') {
            return Err(self.text.unexpected("an object for the map"));
        }
        self.enter(1)?;
        let mut keys = Vec::new();
        let mut first = true;
        while self.text.next_member(&mut first)? {
            let key = self.text.key()?;
            let start = self.out.len();
            field.tag.push(self.out);
            let content = open(self.out);
            key_field.tag.push(self.out);
            self.map_key(key_kind, &key).map_err(|error| error.at_key(key.raw))?;
            let key_end = self.out.len();
            value_field.tag.push(self.out);
            match self.value(field.kind).map_err(|error| error.at_key(key.raw))? {
                Written::Ignored => self.out.truncate(start),
                Written::Yes => {
                    let before = self.out.len();
                    close(self.out, content);
                    let moved = self.out.len() - before;
                    keys.push((content + moved..key_end + moved, key));
                }
            }
        }
        self.leave(1);
        self.refuse_duplicates(keys)
    }

    /// Keys are compared as they were written: `"1"` and `"1.0"` are one.
    fn refuse_duplicates(&self, mut keys: Vec<(std::ops::Range<usize>, Quoted<'_>)>) -> Parsed {
        let bytes =
            |range: &std::ops::Range<usize>| self.out.get(range.clone()).unwrap_or_default();
        keys.sort_by(|(a, key_a), (b, key_b)| bytes(a).cmp(bytes(b)).then(key_a.at.cmp(&key_b.at)));
        for pair in keys.windows(2) {
            if let [(first, _), (second, key)] = pair
                && bytes(first) == bytes(second)
            {
                return Err(JsonError::new(key.at, "the key a second time", "every key once")
                    .at_key(key.raw));
            }
        }
        Ok(())
    }

    #[inline]
    fn find(table: &MessageTable, key: &Quoted<'_>) -> Parsed<Option<u16>> {
        Ok(table.index_of_name(&key.characters()?))
    }

    #[cold]
    fn unknown(&mut self, table: &MessageTable, key: &Quoted<'_>) -> Parsed {
        if self.ignore_unknown {
            return self.text.skip_value(self.depth);
        }
        let name = key.characters()?;
        let name = String::from_utf8_lossy(&name);
        let expected = nearest(&name, table.fields.iter().map(|field| &*field.json_name))
            .map_or_else(
                || format!("a field of {}", table.full_name),
                |known| format!("a field of {} (did you mean `{known}`?)", table.full_name),
            );
        let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        Err(JsonError::new(key.at, "an unknown field", expected)
            .quoting(name.as_bytes())
            .in_field(&shown, false))
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

/// The fields and oneofs of one object that have been met.
struct Seen {
    low: u128,
    high: Vec<u64>,
}

impl Seen {
    #[inline]
    fn new(table: &MessageTable) -> Self {
        let count = table.fields.len() + table.oneofs.len();
        Self { low: 0, high: vec![0; count.saturating_sub(128).div_ceil(64)] }
    }

    /// Whether it was there before.
    #[inline]
    fn insert(&mut self, index: usize) -> bool {
        if index < 128 {
            let bit = 1 << index;
            let before = self.low & bit != 0;
            self.low |= bit;
            before
        } else if let Some(word) = self.high.get_mut((index - 128) / 64) {
            let bit = 1 << (index % 64);
            let before = *word & bit != 0;
            *word |= bit;
            before
        } else {
            false
        }
    }
}

/// Whether the value at `start` is the zero of its kind: no kind writes anything else as zeros only.
#[inline]
fn is_zero(out: &[u8], start: usize) -> bool {
    out.get(start) == Some(&0) && out.iter().skip(start).all(|byte| *byte == 0)
}

/// The field's name as the client wrote it, if it wrote it plainly.
#[cold]
fn spelling<'f>(text: &[u8], at: usize, field: &'f FieldTable) -> &'f str {
    let key = text.get(at + 1..).unwrap_or_default();
    let spelled =
        key.strip_prefix(field.name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"'));
    if spelled { &field.name } else { &field.json_name }
}

fn both_names(field: &FieldTable) -> String {
    if field.name == field.json_name {
        format!("`{}`", field.name)
    } else {
        format!("`{}` or `{}`", field.json_name, field.name)
    }
}

fn members(table: &MessageTable, oneof: u16) -> String {
    let names: Vec<&str> = table
        .fields
        .iter()
        .filter(|field| field.oneof == Some(oneof))
        .map(|field| &*field.json_name)
        .take(20)
        .collect();
    names.join(", ")
}
