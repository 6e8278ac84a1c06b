use std::borrow::Cow;
use std::fmt;

use super::scanner::Quoted;
use super::unescape::unescape;
use crate::message::readable;

/// How many characters of a text are quoted.
const LONGEST: usize = 40;

/// Why a JSON text is not a message of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    path: String,
    offset: usize,
    line: usize,
    column: usize,
    found: Cow<'static, str>,
    quote: Option<String>,
    expected: Cow<'static, str>,
}

impl JsonError {
    /// The field as the client spelled it, `items[2].unitPrice.units`; empty for the whole text.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Where in the text, in bytes from its start.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// What was found and what is expected. Quotes at most a few characters of the text, and none of
    /// a field that is marked `debug_redact`.
    pub fn reason(&self) -> String {
        let Inner { found, quote, expected, .. } = &*self.0;
        match quote {
            Some(quote) if found.is_empty() => format!("found {quote}, expected {expected}"),
            Some(quote) => format!("found {found} {quote}, expected {expected}"),
            None if found.is_empty() => format!("expected {expected}"),
            None => format!("found {found}, expected {expected}"),
        }
    }

    #[cold]
    pub(crate) fn new(
        offset: usize,
        found: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            path: String::new(),
            offset,
            line: 0,
            column: 0,
            found: found.into(),
            quote: None,
            expected: expected.into(),
        }))
    }

    /// Adds what was found, cut to a few characters.
    #[cold]
    pub(crate) fn quoting(mut self, text: &[u8]) -> Self {
        let lossy = String::from_utf8_lossy(text.get(..(LONGEST + 1) * 4).unwrap_or(text));
        let (shown, more) = match lossy.char_indices().nth(LONGEST) {
            Some((end, _)) => (lossy.get(..end).unwrap_or_default(), "…"),
            None => (&*lossy, ""),
        };
        let quote: String = readable(shown).chain(more.chars()).collect();
        self.0.quote = Some(format!("`{quote}`"));
        self
    }

    /// Adds the string that was found: what it says, not how the text spells it.
    #[cold]
    pub(super) fn quoting_string(self, string: &Quoted<'_>) -> Self {
        // No character takes more than twelve bytes to spell.
        let raw = string.raw.get(..LONGEST * 16).unwrap_or(string.raw);
        let mut said = Vec::new();
        let complete = unescape(raw, 0, &mut said).is_ok() || raw.len() < string.raw.len();
        self.quoting(if complete { &said } else { raw })
    }

    #[cold]
    pub(crate) fn in_field(mut self, name: &str, redacted: bool) -> Self {
        if redacted {
            self.0.path.clear();
            self.0.quote = None;
        }
        self.under(name);
        self
    }

    #[cold]
    pub(crate) fn at_index(mut self, index: usize) -> Self {
        self.under(&format!("[{index}]"));
        self
    }

    #[cold]
    pub(crate) fn at_key(mut self, key: &[u8]) -> Self {
        let key: String = String::from_utf8_lossy(key).chars().take(LONGEST).collect();
        let key: String = readable(&key).collect();
        self.under(&format!("[\"{key}\"]"));
        self
    }

    fn under(&mut self, segment: &str) {
        let path = &mut self.0.path;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert_str(0, segment);
    }

    /// Fills in line and column, once the whole text is at hand.
    pub(crate) fn located(mut self, text: &[u8]) -> Self {
        let before = text.get(..self.0.offset).unwrap_or(text);
        self.0.line = 1 + memchr::memchr_iter(b'\n', before).count();
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // Every byte but the continuation bytes begins a character.
        self.0.column = 1 + line.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.0.path)?;
        }
        write!(f, "{} (line {}, column {})", self.reason(), self.0.line, self.0.column)
    }
}

impl std::error::Error for JsonError {}

pub(crate) type Parsed<T = ()> = Result<T, JsonError>;
