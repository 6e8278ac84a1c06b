//! Reads a file section by section: a mistake in one does not hide the mistakes in the others.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::Error;

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

    /// Reads a section that may be left out.
    pub(super) fn optional<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> T {
        self.known.push(name);
        if self.found.contains_key(name) {
            self.read(name).unwrap_or_default()
        } else {
            T::default()
        }
    }

    /// Reads a section that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        self.known.push(name);
        if self.found.contains_key(name) {
            return self.read(name);
        }
        if self.readable {
            let message = "the section is missing".to_owned();
            self.problems.push(Problem { line: 0, column: 0, path: name.to_owned(), message });
        }
        None
    }

    /// Refuses the sections that nobody read.
    pub(super) fn refuse_others(&mut self) {
        for (name, section) in &self.found {
            if !self.known.contains(&name.as_str()) {
                let message =
                    format!("there is no such section; there are {}", self.known.join(", "));
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
    Problem { line, column, path: path.to_owned(), message: message.to_owned() }
}
