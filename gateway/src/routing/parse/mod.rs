//! The grammar of `google.api.http`:
//!
//! ```text
//! Template  = "/" Segments [ Verb ] ;
//! Segments  = Segment { "/" Segment } ;
//! Segment   = "*" | "**" | LITERAL | Variable ;
//! Variable  = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb      = ":" LITERAL ;
//! ```

mod fault;
#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, TemplateError};

use super::percent::{self, Slash};
use super::template::{Segment, Template, Variable};

/// More segments than any API has; the search of a path goes no deeper.
const MAX_SEGMENTS: usize = 64;

impl Template {
    /// Reads a template by the grammar of `google.api.http`.
    ///
    /// A colon in a literal is written `%3A`, because a bare one begins the verb.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { text, rest: text, segments: Vec::new(), variables: Vec::new() };
        match parser.template() {
            Ok(verb) => Ok(Self::new(parser.segments, parser.variables, verb)),
            Err((at, fault)) => {
                let position = text.get(..at).unwrap_or(text).chars().count() + 1;
                Err(TemplateError { template: text.to_owned(), position, fault })
            }
        }
    }
}

/// A fault and the byte where it is.
type Located = (usize, Fault);

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Template,
    Variable,
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl<'a> Parser<'a> {
    fn template(&mut self) -> Result<Option<Box<str>>, Located> {
        if !self.eat('/') {
            return Err(self.here(Fault::NoLeadingSlash));
        }
        self.segments(Within::Template)?;
        if !self.eat(':') {
            return Ok(None);
        }
        let verb = self.literal(Fault::EmptyVerb)?;
        match self.peek() {
            None => Ok(Some(verb)),
            Some('*') => Err(self.here(Fault::MixedWildcard)),
            Some('{') => Err(self.here(Fault::MixedVariable)),
            Some('}') => Err(self.here(Fault::StrayBrace)),
            Some(_) => Err(self.here(Fault::VerbNotLast)),
        }
    }

    fn segments(&mut self, within: Within) -> Result<(), Located> {
        loop {
            self.segment(within)?;
            let behind = self.at();
            if !self.eat('/') {
                return Ok(());
            }
            if self.segments.last() == Some(&Segment::Rest) {
                return Err((behind, Fault::RestNotLast));
            }
        }
    }

    fn segment(&mut self, within: Within) -> Result<(), Located> {
        if self.segments.len() == MAX_SEGMENTS {
            return Err(self.here(Fault::TooLong));
        }
        let mixed = match self.peek() {
            Some('*') => {
                self.eat('*');
                let segment = if self.eat('*') { Segment::Rest } else { Segment::Single };
                self.segments.push(segment);
                Fault::MixedWildcard
            }
            Some('{') if within == Within::Variable => return Err(self.here(Fault::NestedVariable)),
            Some('{') => {
                self.variable()?;
                Fault::MixedVariable
            }
            Some('}') if within == Within::Template => return Err(self.here(Fault::StrayBrace)),
            _ => {
                let start = self.at();
                let literal = self.literal(Fault::EmptySegment)?;
                if is_dot_segment(&literal) {
                    return Err((start, Fault::NeverMatches));
                }
                self.segments.push(Segment::Literal(literal));
                Fault::MixedVariable
            }
        };
        match self.peek() {
            None | Some('/' | ':') => Ok(()),
            Some('}') if within == Within::Variable => Ok(()),
            Some('}') => Err(self.here(Fault::StrayBrace)),
            Some('*') => Err(self.here(Fault::MixedWildcard)),
            Some('{') => Err(self.here(Fault::MixedVariable)),
            Some(_) => Err(self.here(mixed)),
        }
    }

    fn variable(&mut self) -> Result<(), Located> {
        let opening = self.here(Fault::Unclosed);
        self.eat('{');
        let (field_at, start) = (self.at(), self.segments.len());
        let field = self.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let explicit = self.eat('=');
        if !field.split('.').all(is_identifier)
            || !(explicit || matches!(self.peek(), None | Some('}')))
        {
            return Err((field_at, Fault::FieldPath));
        }
        if self.variables.iter().any(|earlier| *earlier.field == *field) {
            return Err((field_at, Fault::Duplicate(field.to_owned())));
        }
        if explicit {
            self.segments(Within::Variable)?;
        } else {
            self.segments.push(Segment::Single);
        }
        if !self.eat('}') {
            return Err(if self.peek() == Some(':') {
                self.here(Fault::VerbNotLast)
            } else {
                opening
            });
        }
        let length = self.segments.len() - start;
        let open = self.segments.last() == Some(&Segment::Rest);
        self.variables.push(Variable { field: field.into(), start, length, open });
        Ok(())
    }

    fn literal(&mut self, when_empty: Fault) -> Result<Box<str>, Located> {
        let start = self.at();
        let raw = self.take(|c| !matches!(c, '/' | ':' | '{' | '}' | '*'));
        if raw.is_empty() {
            return Err((start, when_empty));
        }
        if let Some((offset, end)) = raw.char_indices().find(|(_, c)| matches!(c, '?' | '#')) {
            return Err((start + offset, Fault::EndsPath(end)));
        }
        let literal = percent::decode(raw, Slash::Decoded)
            .map_err(|cause| (start, Fault::Undecodable(cause)))?;
        if literal.contains(|c: char| c.is_ascii_control() || c == '\\') {
            return Err((start, Fault::NeverMatches));
        }
        Ok(literal.into())
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let Some(after) = self.rest.strip_prefix(wanted) else { return false };
        self.rest = after;
        true
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, after) = self.rest.split_at(end);
        self.rest = after;
        taken
    }

    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn here(&self, fault: Fault) -> Located {
        (self.at(), fault)
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// What a client resolves before it asks (RFC 3986, section 5.2.4), in every spelling that some server takes for it.
fn is_dot_segment(literal: &str) -> bool {
    literal.split('/').any(|part| matches!(part.split([';', ':']).next(), Some("." | "..")))
}
