//! JSON's own grammar (RFC 8259): a cursor over the text that knows tokens and no messages.

use std::borrow::Cow;

use super::error::{JsonError, Parsed};
use super::number::number_len;
use super::unescape::unescape;
use crate::message::wire::MAX_DEPTH;

/// A string as it stands in the text, without its quotes.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a [u8],
    /// Whether it holds a backslash.
    pub(super) escaped: bool,
    /// Where its opening quote stands.
    pub(super) at: usize,
}

impl<'a> Quoted<'a> {
    /// The characters it stands for.
    #[inline]
    pub(super) fn characters(&self) -> Parsed<Cow<'a, [u8]>> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut characters = Vec::with_capacity(self.raw.len());
        self.push_to(&mut characters)?;
        Ok(Cow::Owned(characters))
    }

    /// Appends the characters it stands for.
    #[inline]
    pub(super) fn push_to(&self, out: &mut Vec<u8>) -> Parsed {
        if self.escaped {
            unescape(self.raw, self.at + 1, out)
        } else {
            out.extend_from_slice(self.raw);
            Ok(())
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Up to here the text is UTF-8.
    valid: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let valid = match std::str::from_utf8(text) {
            Ok(_) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        Self { text, at: 0, valid }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The next byte that is not white space; 0, which no token begins with, at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                _ => return *byte,
            }
        }
        0
    }

    /// Passes over `expected` when the text goes on with exactly that.
    #[inline]
    pub(super) fn eat_exactly(&mut self, expected: &[u8]) -> bool {
        let matches = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(expected));
        if matches {
            self.at += expected.len();
        }
        matches
    }

    /// Passes over one punctuation byte.
    #[inline]
    pub(super) fn eat(&mut self, expected: u8) -> bool {
        let matches = self.peek() == expected;
        if matches {
            self.at += 1;
        }
        matches
    }

    /// After an opening brace or after a value: whether a member follows. Stands at its key then, else
    /// behind the closing brace.
    #[inline]
    pub(super) fn next_member(&mut self, first: &mut bool) -> Parsed<bool> {
        match self.peek() {
            b'}' => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !*first => {
                self.at += 1;
                self.peek();
            }
            _ if *first => {}
            _ => return Err(self.unexpected("`,` or `}` after the value")),
        }
        *first = false;
        if self.peek() == b'"' { Ok(true) } else { Err(self.unexpected("a key in double quotes")) }
    }

    /// The same for the elements of an array.
    #[inline]
    pub(super) fn next_element(&mut self, first: &mut bool) -> Parsed<bool> {
        match self.peek() {
            b']' if *first => {
                self.at += 1;
                Ok(false)
            }
            _ if *first => {
                *first = false;
                Ok(true)
            }
            b']' => {
                self.at += 1;
                Ok(false)
            }
            b',' => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.unexpected("`,` or `]` after the element")),
        }
    }

    /// A key with its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Parsed<Quoted<'a>> {
        let key = self.string()?;
        if self.eat(b':') { Ok(key) } else { Err(self.unexpected("`:` after the key")) }
    }

    /// A string; the caller has seen its opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Parsed<Quoted<'a>> {
        let at = self.at;
        let start = at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            end += plain_prefix(self.text.get(end..).unwrap_or_default());
            match self.text.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(_) => {
                    return Err(JsonError::new(
                        end,
                        "a control character in a string",
                        "an escape such as `\\n`",
                    ));
                }
                None => {
                    return Err(JsonError::new(at, "a string without an end", "a closing quote"));
                }
            }
        }
        if end > self.valid {
            return Err(JsonError::new(self.valid, "bytes that are not UTF-8", "UTF-8 text"));
        }
        self.at = end + 1;
        Ok(Quoted { raw: self.text.get(start..end).unwrap_or_default(), escaped, at })
    }

    /// A number in JSON's grammar; the caller has seen a minus or a digit.
    #[inline]
    pub(super) fn number(&mut self) -> Parsed<&'a [u8]> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = number_len(rest);
        let number = rest.get(..len).unwrap_or_default();
        let follows = rest.get(len).copied().unwrap_or(b' ');
        if len == 0
            || follows.is_ascii_alphanumeric()
            || matches!(follows, b'.' | b'+' | b'-' | b'_')
        {
            return Err(JsonError::new(
                self.at,
                "a malformed number",
                "a number as JSON writes it",
            )
            .quoting(word(rest)));
        }
        self.at += len;
        Ok(number)
    }

    /// `true`, `false` or `null`, standing alone.
    #[inline]
    pub(super) fn literal(&mut self, name: &'static str) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let matches = rest.starts_with(name.as_bytes())
            && !rest.get(name.len()).is_some_and(u8::is_ascii_alphanumeric);
        if matches {
            self.at += name.len();
        }
        matches
    }

    /// Passes over one value of any kind, holding it to JSON's grammar.
    pub(super) fn skip_value(&mut self, depth: u32) -> Parsed {
        if depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        let mut first = true;
        match self.peek() {
            b'"' => self.checked_string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b'{' => {
                self.at += 1;
                while self.next_member(&mut first)? {
                    let key = self.key()?;
                    check_escapes(&key)?;
                    self.skip_value(depth + 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.at += 1;
                while self.next_element(&mut first)? {
                    self.skip_value(depth + 1)?;
                }
                Ok(())
            }
            _ if self.literal("true") || self.literal("false") || self.literal("null") => Ok(()),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn checked_string(&mut self) -> Parsed<Quoted<'a>> {
        let string = self.string()?;
        check_escapes(&string)?;
        Ok(string)
    }

    /// Nothing but white space may follow.
    pub(super) fn finish(&mut self) -> Parsed {
        self.peek();
        if self.at < self.text.len() { Err(self.unexpected("the end of the text")) } else { Ok(()) }
    }

    /// An error about what stands here, named and quoted.
    #[cold]
    pub(super) fn unexpected(&self, expected: impl Into<Cow<'static, str>>) -> JsonError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.first() == Some(&b'"') {
            // A string without an end is all that follows.
            let mut here = *self;
            let unended =
                Quoted { raw: rest.get(1..).unwrap_or_default(), escaped: false, at: self.at };
            let string = here.string().unwrap_or(unended);
            return JsonError::new(self.at, "the string", expected).quoting_string(&string);
        }
        let (found, quote) = match rest.first() {
            None => ("the end of the text", &[][..]),
            Some(b'{') => ("an object", &[][..]),
            Some(b'[') => ("an array", &[][..]),
            Some(b'-' | b'0'..=b'9') => ("the number", word(rest)),
            Some(b't' | b'f' | b'n') if matches!(word(rest), b"true" | b"false" | b"null") => {
                ("", word(rest))
            }
            Some(_) => ("", word(rest)),
        };
        let error = JsonError::new(self.at, found, expected);
        if quote.is_empty() { error } else { error.quoting(quote) }
    }

    #[cold]
    pub(super) fn too_deep(&self) -> JsonError {
        JsonError::new(self.at, "values nested deeper than 100 levels", "fewer")
    }
}

/// How many bytes stand before the next quote, backslash or control character.
#[inline]
fn plain_prefix(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = text.as_chunks::<8>();
    let mut len = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * 0x20);
        // A borrow can only run out of a byte that is itself a hit, so the lowest hit is true.
        let hits = (quote | backslash | control) & !word & HIGHS;
        if hits != 0 {
            return len + (hits.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

fn check_escapes(string: &Quoted<'_>) -> Parsed {
    string.characters().map(drop)
}

/// What stands here up to the next punctuation or white space, at least one byte.
fn word(text: &[u8]) -> &[u8] {
    let len = text
        .iter()
        .take(100)
        .take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_')
        })
        .count();
    if len > 0 {
        return text.get(..len).unwrap_or_default();
    }
    // One whole character, if it is one.
    let character =
        1 + text.iter().skip(1).take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    text.get(..character).unwrap_or(text)
}
