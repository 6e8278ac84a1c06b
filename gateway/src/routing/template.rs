//! A path template of `google.api.http`, read and understood.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use super::percent::{self, Slash};
use super::{Error, Undecodable};

/// A path template, for example `/api/users/{user.id}` or `/v1/{name=shelves/*/books/**}:read`.
///
/// It prints in canonical form: `{id=*}` as `{id}`, and literals percent-encoded where a path must encode them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Template {
    text: Arc<str>,
    segments: Box<[Segment]>,
    variables: Box<[Variable]>,
    verb: Option<Box<str>>,
    /// What becomes of `%2F` in variables of several segments.
    slash: Slash,
}

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// This text, percent-decoded.
    Literal(Box<str>),
    /// `*`: one segment, whatever it holds.
    Single,
    /// `**`: all segments to the end, or none.
    Rest,
}

/// A part of the path that is a field of the request message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variable {
    pub(super) field: Box<str>,
    /// How many segments of the template stand before it.
    pub(super) start: usize,
    /// How many segments of the template it has.
    pub(super) length: usize,
    /// Whether it ends in `**`.
    pub(super) open: bool,
}

impl Variable {
    /// The field's path from the request message, for example `user.id`.
    pub(crate) fn field_path(&self) -> &str {
        &self.field
    }

    /// Whether it may hold more than one segment; then its value keeps `%2F` as it was written (`google.api.http`).
    pub(crate) fn is_multi_segment(&self) -> bool {
        self.open || self.length > 1
    }
}

impl Template {
    pub(super) fn new(
        segments: Vec<Segment>,
        variables: Vec<Variable>,
        verb: Option<Box<str>>,
    ) -> Self {
        let text = print(&segments, &variables, verb.as_deref()).into();
        Self {
            text,
            segments: segments.into(),
            variables: variables.into(),
            verb,
            slash: Slash::Kept,
        }
    }

    /// Decodes `%2F` in variables of several segments too, where it can't be told from a separator any more.
    pub(crate) fn decoding_slashes(self) -> Self {
        Self { slash: Slash::Decoded, ..self }
    }

    /// Its variables, from left to right.
    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The canonical text.
    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// The value of each variable in a path that matches.
    pub(super) fn capture<'p>(&self, path: &'p str) -> Result<Vec<Cow<'p, str>>, Error> {
        if self.variables.is_empty() {
            return Ok(Vec::new());
        }
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        if self.verb.is_some() {
            rest = rest.rsplit_once(':').map_or(rest, |(segments, _)| segments);
        }
        let mut position = 0;
        let mut values = Vec::with_capacity(self.variables.len());
        for variable in &self.variables {
            let (_, from_start) = split_after(rest, variable.start - position);
            let (value, after) = if variable.open {
                (from_start, "")
            } else {
                split_after(from_start, variable.length)
            };
            let slash = if variable.is_multi_segment() { self.slash } else { Slash::Decoded };
            let value =
                percent::decode(value, slash).map_err(|source| variable.undecodable(source))?;
            values.push(value);
            rest = after;
            position = variable.start + variable.length;
        }
        Ok(values)
    }

    /// A path that matches, for people.
    pub(super) fn example(&self) -> String {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => _ = write!(path, "{}", percent::encode(text)),
                Segment::Single | Segment::Rest => path.push('x'),
            }
        }
        if let Some(verb) = &self.verb {
            _ = write!(path, ":{}", percent::encode(verb));
        }
        path
    }
}

impl Variable {
    fn undecodable(&self, source: Undecodable) -> Error {
        Error::BadCapture { field: self.field.to_string(), source }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn print(segments: &[Segment], variables: &[Variable], verb: Option<&str>) -> String {
    let mut text = String::new();
    let mut variables = variables.iter().peekable();
    for (index, segment) in segments.iter().enumerate() {
        text.push('/');
        if let Some(variable) = variables.peek().filter(|variable| variable.start == index) {
            text.push('{');
            text.push_str(&variable.field);
            if variable.length == 1 && *segment == Segment::Single {
                text.push('}');
                variables.next();
                continue;
            }
            text.push('=');
        }
        match segment {
            Segment::Literal(literal) => _ = write!(text, "{}", percent::encode(literal)),
            Segment::Single => text.push('*'),
            Segment::Rest => text.push_str("**"),
        }
        if variables.next_if(|variable| variable.start + variable.length == index + 1).is_some() {
            text.push('}');
        }
    }
    if let Some(verb) = verb {
        _ = write!(text, ":{}", percent::encode(verb));
    }
    text
}

/// The first `count` segments, and what follows the slash behind them.
fn split_after(path: &str, count: usize) -> (&str, &str) {
    let Some(last) = count.checked_sub(1) else { return ("", path) };
    match path.match_indices('/').nth(last) {
        Some((slash, _)) => {
            let (taken, after) = path.split_at(slash);
            (taken, after.strip_prefix('/').unwrap_or(after))
        }
        None => (path, ""),
    }
}
