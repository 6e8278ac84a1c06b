//! The messages whose JSON is not an object of their fields. Their numbers and kinds were checked
//! when the schema was loaded, so tags are written as the constants they are.

use super::error::{JsonError, Parsed};
use super::{Quoted, Reader};
use crate::message::calendar::{parse_duration, parse_timestamp};
use crate::message::field_mask::push_snake;
use crate::message::schema::Special;
use crate::message::wire::{close, open, push_varint};

impl Reader<'_, '_, '_> {
    /// `Timestamp` or `Duration`.
    pub(super) fn moment(&mut self, special: Special) -> Parsed {
        let first = self.text.peek();
        let expected = if special == Special::Timestamp { TIMESTAMP } else { DURATION };
        let text = self.quoted(first, expected)?;
        let characters = text.characters()?;
        if push_moment(self.out, special, &characters) {
            Ok(())
        } else {
            Err(JsonError::new(text.at, "the string", expected).quoting_string(&text))
        }
    }

    pub(super) fn field_mask(&mut self) -> Parsed {
        let first = self.text.peek();
        let text = self.quoted(first, FIELD_MASK)?;
        if push_field_mask(self.out, &text.characters()?) {
            Ok(())
        } else {
            Err(JsonError::new(text.at, "the string", FIELD_MASK).quoting_string(&text))
        }
    }

    /// `google.protobuf.Value`: any JSON.
    pub(super) fn dynamic_value(&mut self) -> Parsed {
        match self.text.peek() {
            b'n' if self.text.literal("null") => self.out.extend_from_slice(&[0x08, 0]),
            b'-' | b'0'..=b'9' => {
                let at = self.text.position();
                let number = self.text.number()?;
                let value =
                    std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
                let value = value.filter(|value| value.is_finite()).ok_or_else(|| {
                    JsonError::new(at, "the number", "a number that fits a double").quoting(number)
                })?;
                self.out.push(0x11);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            b'"' => {
                let text = self.text.string()?;
                self.out.push(0x1a);
                self.push_string(&text)?;
            }
            b't' if self.text.literal("true") => self.out.extend_from_slice(&[0x20, 1]),
            b'f' if self.text.literal("false") => self.out.extend_from_slice(&[0x20, 0]),
            b'{' => self.nested(0x2a, Self::structure)?,
            b'[' => self.nested(0x32, Self::list_value)?,
            _ => return Err(self.text.unexpected("a value")),
        }
        Ok(())
    }

    /// `google.protobuf.Struct`: the entries of its one map.
    pub(super) fn structure(&mut self) -> Parsed {
        if !self.text.eat(b'{') {
            return Err(self.text.unexpected("an object for google.protobuf.Struct"));
        }
        let mut keys: Vec<Quoted<'_>> = Vec::new();
        let mut first = true;
        while self.text.next_member(&mut first)? {
            let key = self.text.key()?;
            self.out.push(0x0a);
            let entry = open(self.out);
            self.out.push(0x0a);
            self.push_string(&key)?;
            self.enter(1)?;
            self.nested(0x12, Self::dynamic_value).map_err(|error| error.at_key(key.raw))?;
            self.leave(1);
            close(self.out, entry);
            keys.push(key);
        }
        refuse_duplicates(keys)
    }

    /// `google.protobuf.ListValue`: its elements one after the other.
    pub(super) fn list_value(&mut self) -> Parsed {
        if !self.text.eat(b'[') {
            return Err(self.text.unexpected("an array for google.protobuf.ListValue"));
        }
        let mut first = true;
        let mut index = 0;
        while self.text.next_element(&mut first)? {
            self.nested(0x0a, Self::dynamic_value).map_err(|error| error.at_index(index))?;
            index += 1;
        }
        Ok(())
    }

    fn nested(&mut self, tag: u8, content: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.out.push(tag);
        let start = open(self.out);
        self.enter(1)?;
        content(self)?;
        self.leave(1);
        close(self.out, start);
        Ok(())
    }
}

const TIMESTAMP: &str = "an RFC 3339 time such as \"2026-11-24T09:30:00Z\", from year 1 to 9999";
const DURATION: &str = "a duration in seconds such as \"1.5s\", at most 10,000 years";
const FIELD_MASK: &str = "field paths such as \"displayName,address.zipCode\"";

/// Appends the content of a `Timestamp` or `Duration`. False when the text is none.
pub(in crate::message) fn push_moment(out: &mut Vec<u8>, special: Special, text: &[u8]) -> bool {
    let parsed = match special {
        Special::Timestamp => parse_timestamp(text),
        _ => parse_duration(text),
    };
    let Some((seconds, nanos)) = parsed else { return false };
    if seconds != 0 {
        out.push(0x08);
        push_varint(out, seconds.cast_unsigned());
    }
    if nanos != 0 {
        out.push(0x10);
        push_varint(out, i64::from(nanos).cast_unsigned());
    }
    true
}

/// Appends the content of a `FieldMask`. False when a path is none.
pub(in crate::message) fn push_field_mask(out: &mut Vec<u8>, text: &[u8]) -> bool {
    text.is_empty()
        || text.split(|byte| *byte == b',').all(|path| {
            out.push(0x0a);
            let start = open(out);
            let valid = push_snake(out, path);
            close(out, start);
            valid
        })
}

fn refuse_duplicates(keys: Vec<Quoted<'_>>) -> Parsed {
    let mut spelled = Vec::with_capacity(keys.len());
    for key in keys {
        spelled.push((key.characters()?, key));
    }
    spelled.sort_by(|(a, key_a), (b, key_b)| a.cmp(b).then(key_a.at.cmp(&key_b.at)));
    for pair in spelled.windows(2) {
        if let [(first, _), (second, key)] = pair
            && first == second
        {
            return Err(
                JsonError::new(key.at, "the key a second time", "every key once").at_key(key.raw)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::message::json_in::tests::{accepts, error, refuses};

    #[test]
    fn well_known_types_have_their_own_form() {
        let same = |text: &str| accepts("sink.v1.WellKnown", text, text);
        same(
            r#"{"timestamp":"2026-11-24T09:30:00.120Z","duration":"-1.500s","fieldMask":"a,bC.dE"}"#,
        );
        same(r#"{"empty":{},"struct":{"a":[1.0,{"b":null}],"c":"d"},"listValue":[true,false,[]]}"#);
        same(
            r#"{"doubleValue":0.0,"floatValue":"NaN","int64Value":"0","uint64Value":"1","int32Value":-1}"#,
        );
        same(r#"{"uint32Value":1,"boolValue":false,"stringValue":"","bytesValue":"AA=="}"#);
        same(r#"{"any":{"@type":"type.googleapis.com/sink.v1.Tree","name":"a","left":{}}}"#);
        same(r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}"#);
        same(
            r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Empty"}}}"#,
        );
        same(r#"{"any":{},"value":"a"}"#);
        same(r#"{"duration":"0s","fieldMask":"","struct":{},"listValue":[]}"#);
        accepts(
            "sink.v1.WellKnown",
            r#"{"any": {"value": {"a": 1}, "@type": "x/google.protobuf.Value"}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Value","value":{"a":1.0}}}"#,
        );
        accepts(
            "sink.v1.WellKnown",
            r#"{"any": {"name": "a", "\u0040type": "x/sink.v1.Tree", "left": {}}}"#,
            r#"{"any":{"@type":"x/sink.v1.Tree","name":"a","left":{}}}"#,
        );
        accepts(
            "sink.v1.WellKnown",
            r#"{"any": {"@type": "x/google.protobuf.Empty", "value": {}}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#,
        );
        accepts(
            "sink.v1.WellKnown",
            r#"{"value": 1e2, "int64Value": 12, "doubleValue": "1"}"#,
            r#"{"value":100.0,"doubleValue":1.0,"int64Value":"12"}"#,
        );
        refuses(
            "sink.v1.WellKnown",
            r#"{"timestamp": "yesterday"}"#,
            "timestamp: found the string `yesterday`, expected an RFC 3339 time such as \"2026-11-24T09:30:00Z\", from year 1 to 9999 (line 1, column 15)",
        );
        refuses(
            "sink.v1.WellKnown",
            r#"{"any": {"@type": "x/no.Such"}}"#,
            "any.@type: found the unknown type `x/no.Such`, expected the URL of a known type, such as type.googleapis.com/package.Message (line 1, column 19)",
        );
        for text in [
            r#"{"timestamp": 1}"#,
            r#"{"duration": "1"}"#,
            r#"{"fieldMask": "a_b"}"#,
            r#"{"fieldMask": "a,,b"}"#,
            r#"{"fieldMask": ["a"]}"#,
            r#"{"empty": {"a": 1}}"#,
            r#"{"empty": []}"#,
            r#"{"struct": []}"#,
            r#"{"struct": {"a": 1, "a": 2}}"#,
            r#"{"struct": {"a": 1, "\u0061": 2}}"#,
            r#"{"value": 1e400}"#,
            r#"{"value": NaN}"#,
            r#"{"listValue": {}}"#,
            r#"{"int32Value": {"value": 1}}"#,
            r#"{"int32Value": 2147483648}"#,
            r#"{"any": {"@type": "sink.v1.Tree"}}"#,
            r#"{"any": {"@type": ""}}"#,
            r#"{"any": {"@type": 1}}"#,
            r#"{"any": {"name": "a"}}"#,
            r#"{"any": {"@type": "x/sink.v1.Tree", "@type": "x/sink.v1.Tree"}}"#,
            r#"{"any": {"@type": "x/sink.v1.Tree", "nam": ""}}"#,
            r#"{"any": {"@type": "x/google.protobuf.Duration"}}"#,
            r#"{"any": {"@type": "x/google.protobuf.Duration", "value": "1s", "value": "1s"}}"#,
            r#"{"any": {"@type": "x/google.protobuf.Duration", "value": "1s", "x": 1}}"#,
            r#"{"any": []}"#,
            r#"{"any": "x"}"#,
            r#"{"any": {"@type": "x/google.protobuf.Empty", "value": 1}}"#,
        ] {
            error("sink.v1.WellKnown", text.as_bytes());
        }
    }
}
