//! An object whose keys are data.

use std::ops::Range;

use super::error::{JsonError, Parsed};
use super::{Quoted, Reader, Written, integer, integer_range, is_number, push_integer};
use crate::message::schema::{FieldTable, Kind, MessageTable};
use crate::message::wire::{close, open};

impl<'s> Reader<'s, '_, '_> {
    /// One entry of the map per member; `entry` is the message of an entry, key and value its fields.
    pub(super) fn map(
        &mut self,
        field: &'s FieldTable,
        key_kind: Kind,
        entry: &'s MessageTable,
    ) -> Parsed {
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
    fn refuse_duplicates(&self, mut keys: Vec<(Range<usize>, Quoted<'_>)>) -> Parsed {
        let bytes = |range: &Range<usize>| self.out.get(range.clone()).unwrap_or_default();
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

    /// A map's key, which JSON always writes as a string.
    fn map_key(&mut self, kind: Kind, key: &Quoted<'_>) -> Parsed {
        if kind == Kind::String {
            return self.push_string(key);
        }
        let text = key.characters()?;
        match (kind, &*text) {
            (Kind::Bool, b"true") => self.out.push(1),
            (Kind::Bool, b"false") => self.out.push(0),
            (Kind::Bool, _) => {
                return Err(
                    JsonError::new(key.at, "the key", "\"true\" or \"false\"").quoting_string(key)
                );
            }
            (_, number) => {
                let valid = is_number(number)
                    && integer(number).is_ok_and(|value| push_integer(self.out, kind, value));
                if !valid {
                    return Err(
                        JsonError::new(key.at, "the key", integer_range(kind)).quoting_string(key)
                    );
                }
            }
        }
        Ok(())
    }
}
