//! `google.protobuf.Any`: the one message whose type is in the text.

use super::error::{JsonError, Parsed};
use super::{Quoted, Reader};
use crate::message::schema::{MessageId, MessageTable, Special};
use crate::message::wire::{close, open};

/// How many `Any` may hold each other. Each may be scanned twice, so their number bounds the work.
const MAX_ANYS: u32 = 16;

impl<'s, 't> Reader<'s, 't, '_> {
    /// The content of an `Any`: its type's URL, then the message that the other members spell.
    pub(super) fn any(&mut self) -> Parsed {
        if self.text.peek() != b'{' {
            return Err(self.text.unexpected("an object with an `@type` for google.protobuf.Any"));
        }
        let start = self.text.position();
        let Some(url) = self.find_type()? else {
            // Nothing at all stands for an `Any` that holds nothing.
            let mut first = true;
            if self.text.eat(b'{') && !self.text.next_member(&mut first)? {
                return Ok(());
            }
            return Err(JsonError::new(
                start,
                "an object without `@type`",
                "`@type` for google.protobuf.Any",
            ));
        };
        let name = url.characters()?;
        let (id, table) = self.known_type(&url, &name)?;
        self.anys += 1;
        if self.anys > MAX_ANYS {
            return Err(JsonError::new(
                start,
                "google.protobuf.Any nested deeper than 16 levels",
                "fewer",
            ));
        }
        self.out.push(0x0a);
        self.push_string(&url)?;
        let tag = self.out.len();
        self.out.push(0x12);
        let content = open(self.out);
        match table.special {
            Special::None => {
                self.enter(1)?;
                self.object(table, true)?;
                self.leave(1);
            }
            _ => self.value_member(id, table)?,
        }
        if self.out.len() == content {
            self.out.truncate(tag);
        } else {
            close(self.out, content);
        }
        self.anys -= 1;
        Ok(())
    }

    /// Looks for `@type` and comes back to where the object begins.
    fn find_type(&mut self) -> Parsed<Option<Quoted<'t>>> {
        let mut ahead = self.text;
        ahead.eat(b'{');
        let mut first = true;
        while ahead.next_member(&mut first)? {
            let is_type = &*ahead.key()?.characters()? == b"@type";
            if is_type && ahead.peek() == b'"' {
                return ahead.string().map(Some);
            }
            if is_type {
                return Err(
                    ahead.unexpected("a string such as \"type.googleapis.com/package.Message\"")
                );
            }
            ahead.skip_value(self.depth)?;
        }
        Ok(None)
    }

    fn known_type(&self, url: &Quoted<'_>, name: &[u8]) -> Parsed<(MessageId, &'s MessageTable)> {
        let error = |found| {
            JsonError::new(
                url.at,
                found,
                "the URL of a known type, such as type.googleapis.com/package.Message",
            )
            .quoting_string(url)
            .in_field("@type", false)
        };
        let text = std::str::from_utf8(name).map_err(|_| error("the type"))?;
        let (_, name) = text.rsplit_once('/').ok_or_else(|| error("the type"))?;
        let id = self.schema.message_id(name).ok_or_else(|| error("the unknown type"))?;
        Ok((id, self.schema.message_table(id)))
    }

    /// A type whose JSON is no object of fields stands under the key `value`. An `Empty`, which has
    /// nothing to say, may leave it out.
    fn value_member(&mut self, id: MessageId, table: &MessageTable) -> Parsed {
        let start = self.text.position();
        self.text.eat(b'{');
        let (mut first, mut value, mut type_seen) = (true, false, false);
        while self.text.next_member(&mut first)? {
            let key = self.text.key()?;
            let seen = match &*key.characters()? {
                b"@type" => {
                    self.text.skip_value(self.depth)?;
                    &mut type_seen
                }
                b"value" if !value => {
                    self.message(id).map_err(|error| error.in_field("value", false))?;
                    &mut value
                }
                b"value" => &mut value,
                _ if self.options.ignore_unknown => {
                    self.text.skip_value(self.depth)?;
                    continue;
                }
                _ => {
                    return Err(JsonError::new(
                        key.at,
                        "an unknown field",
                        "`@type` and `value` only",
                    )
                    .quoting_string(&key));
                }
            };
            if std::mem::replace(seen, true) {
                return Err(JsonError::new(key.at, "the key a second time", "every key once")
                    .quoting_string(&key));
            }
        }
        if !value && table.special != Special::Empty {
            return Err(JsonError::new(
                start,
                "an object without `value`",
                format!("`value` for {}", table.full_name),
            ));
        }
        Ok(())
    }
}
