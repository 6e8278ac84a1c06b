//! An object whose members are the fields of a message.

use super::error::{JsonError, Parsed};
use super::{Quoted, Reader};
use crate::message::nearest::nearest;
use crate::message::place::Names;
use crate::message::readable;
use crate::message::schema::{FieldTable, MessageTable};

impl<'s> Reader<'s, '_, '_> {
    /// An object whose members are the fields of `table`. In an `Any` it also holds an `@type`, which
    /// has been read before.
    pub(super) fn object(&mut self, table: &'s MessageTable, in_any: bool) -> Parsed {
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
                    if let Some(index) = self.find(table, &key)? {
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

    #[inline]
    fn find(&mut self, table: &MessageTable, key: &Quoted<'_>) -> Parsed<Option<u16>> {
        let key = key.characters()?;
        let index = table.index_of_name(&key);
        let field = index.and_then(|index| table.fields.get(usize::from(index)));
        if field.is_some_and(|field| field.json_name.as_bytes() != &*key) {
            self.names = Names::Contract;
        }
        Ok(index)
    }

    #[cold]
    fn unknown(&mut self, table: &MessageTable, key: &Quoted<'_>) -> Parsed {
        if self.options.ignore_unknown {
            return self.text.skip_value(self.depth);
        }
        let name = key.characters()?;
        let name = String::from_utf8_lossy(&name);
        let expected = nearest(&name, table.fields.iter().map(|field| &*field.json_name))
            .map_or_else(
                || format!("a field of {}", table.full_name),
                |known| format!("a field of {} (did you mean `{known}`?)", table.full_name),
            );
        let shown: String = name.chars().take(40).collect();
        let shown: String = readable(&shown).collect();
        Err(JsonError::new(key.at, "an unknown field", expected)
            .quoting(name.as_bytes())
            .in_field(&shown, false))
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
