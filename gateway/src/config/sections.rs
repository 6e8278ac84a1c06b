//! Reads a file section by section: a mistake in one does not hide the mistakes in the others.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::Error;

use crate::message::nearest;
use crate::setting::{Problem, Spanned};

/// The sections of one file.
pub(super) struct Sections<'a> {
    text: &'a str,
    found: BTreeMap<String, Spanned<IgnoredAny>>,
    /// Whether it is known which sections there are.
    readable: bool,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Sections<'a> {
    /// Finds out which sections there are.
    pub(super) fn new(text: &'a str, problems: &'a mut Vec<Problem>) -> Self {
        let found = serde_saphyr::from_str(text);
        if let Err(error) = &found {
            problems.push(problem("(file)", error));
        }
        let readable = found.is_ok();
        Self { text, found: found.unwrap_or_default(), readable, known: Vec::new(), problems }
    }

    /// Whether the text is YAML at all.
    pub(super) fn are_readable(&self) -> bool {
        self.readable
    }

    /// Reads a section that may be left out. One that can't be read stands as if it were left out.
    pub(super) fn optional<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        self.known.push(name);
        if self.found.contains_key(name) {
            self.read(name).unwrap_or_default()
        } else {
            T::default()
        }
    }

    /// Reads a section that must be there.
    pub(super) fn required<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        if self.readable && !self.found.contains_key(name) {
            self.problems.push(Problem::nowhere(name, "the section is missing"));
        }
        self.optional(name)
    }

    /// Refuses the sections that nobody read.
    pub(super) fn refuse_others(&mut self) {
        for (name, section) in &self.found {
            if !self.known.contains(&name.as_str()) {
                let hint = nearest(name, self.known.iter().copied()).map_or_else(
                    || format!("there are {}", self.known.join(", ")),
                    |meant| format!("did you mean {meant}?"),
                );
                let message = format!("there is no such section; {hint}");
                self.problems.push(Problem::at(section, name, message));
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let read = serde_saphyr::with_deserializer_from_str(self.text, |deserializer| {
            deserializer.deserialize_map(One { name, section: PhantomData })
        });
        read.unwrap_or_else(|error| {
            self.problems.push(problem(name, &error));
            None
        })
    }
}

/// Takes one section out of the map and skips the others.
struct One<T> {
    name: &'static str,
    section: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> Visitor<'de> for One<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a mapping of sections")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut section = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                section = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(section)
    }
}

fn problem(path: &str, error: &Error) -> Problem {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let message = error.without_snippet().to_string();
    // The position is said in front of the message; the library says it again at the end.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    // What it advises is meant for programmers.
    let advice = [", set DuplicateKeyPolicy", "; use Option<"];
    let message = advice
        .iter()
        .find_map(|advice| message.split_once(advice))
        .map_or(message, |(said, _)| said);
    Problem { line, column, path: path.to_owned(), message: plain(message).to_owned() }
}

/// What the library says in the words of its parser, said to people.
fn plain(message: &str) -> &str {
    match message {
        "expected mapping start" => "expected lines of the form `name: value`",
        "expected sequence start" => {
            "expected a list: [ONE, ANOTHER], or lines that begin with `- `"
        }
        "expected string scalar" => "expected one value, not a list and not lines of their own",
        "mapping values are not allowed in this context" => {
            "a value holds a second `: `: put it into double quotes, or finish it (`role:` needs a name)"
        }
        _ if message.starts_with("tabs disallowed") => "indent with spaces, not with tabs",
        _ => message,
    }
}
