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

use super::percent::{self, Slash, Undecodable};
use super::template::{Segment, Template, Variable};

/// More segments than any API has; the search of a path goes no deeper.
const MAX_SEGMENTS: usize = 64;

/// A text that is no path template: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position} of `{template}`: {fault}")]
pub struct TemplateError {
    /// The text.
    pub template: String,
    /// Which of its characters, counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It begins with something else than `/`.
    #[error("a template begins with `/`")]
    NoLeadingSlash,
    /// Nothing stands between two slashes, or behind the last.
    #[error("a segment is empty; write a literal, `*`, `**` or a variable")]
    EmptySegment,
    /// Something follows `**`.
    #[error("`**` takes the rest of the path; only a verb may follow it")]
    RestNotLast,
    /// Something else is in the segment of a `*` or `**`.
    #[error("`*` or `**` stands alone in its segment; write %2A for an asterisk")]
    MixedWildcard,
    /// Something else is in the segment of a variable.
    #[error("a variable fills its segment; write `/` or a verb beside it, or %7B for a brace")]
    MixedVariable,
    /// A `}` without its `{`.
    #[error("`}}` closes no variable; write %7D for a brace")]
    StrayBrace,
    /// A `{` without its `}`.
    #[error("the variable is not closed; write `}}` behind it")]
    Unclosed,
    /// A variable in a variable.
    #[error("a variable can't hold another; name only one field")]
    NestedVariable,
    /// A field path that is none.
    #[error("a field path is made of names and dots, such as `user.id`")]
    FieldPath,
    /// The same field for the second time.
    #[error("`{0}` stands here for the second time; name each field once")]
    Duplicate(String),
    /// A colon before the end, or within a variable.
    #[error("a bare `:` begins the verb, which ends the template; write %3A for a colon")]
    VerbNotLast,
    /// A verb without text.
    #[error("the verb is empty; write one, or leave the `:` out")]
    EmptyVerb,
    /// A character that ends a path.
    #[error("`{0}` ends a path; percent-encode it")]
    EndsPath(char),
    /// A literal that is no text.
    #[error("{0}")]
    Undecodable(Undecodable),
    /// A literal that no request may hold.
    #[error(
        "no path with a dot segment, a backslash or a control character is let in; choose another literal"
    )]
    NeverMatches,
    /// More segments than 64.
    #[error("a template has at most 64 segments; shorten it")]
    TooLong,
}

pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
    let mut parser = Parser { text, rest: text, segments: Vec::new(), variables: Vec::new() };
    match parser.template() {
        Ok(verb) => Ok(Template::new(parser.segments, parser.variables, verb)),
        Err((at, fault)) => {
            let position = text.get(..at).unwrap_or(text).chars().count() + 1;
            Err(TemplateError { template: text.to_owned(), position, fault })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a template prints as, with its variables: `field` or `field+` when it may hold several segments.
    #[track_caller]
    fn check(text: &str, printed: &str, variables: &[&str]) {
        let template = parse(text).expect(text);
        assert_eq!(template.to_string(), printed, "{text}");
        let found: Vec<String> = template
            .variables()
            .iter()
            .map(|variable| {
                format!(
                    "{}{}",
                    variable.field_path(),
                    if variable.is_multi_segment() { "+" } else { "" }
                )
            })
            .collect();
        assert_eq!(found, variables, "{text}");
        assert_eq!(parse(printed), Ok(template), "{text}");
    }

    #[test]
    fn reads_the_whole_grammar() {
        check("/v1", "/v1", &[]);
        check("/v1/*", "/v1/*", &[]);
        check("/**", "/**", &[]);
        check("/v1/{id}", "/v1/{id}", &["id"]);
        check("/v1/{id=*}", "/v1/{id}", &["id"]);
        check("/v1/{user.id}/x", "/v1/{user.id}/x", &["user.id"]);
        check("/{_a.b_2.C}", "/{_a.b_2.C}", &["_a.b_2.C"]);
        check("/v1/{name=**}", "/v1/{name=**}", &["name+"]);
        check("/v1/{name=a}/b", "/v1/{name=a}/b", &["name"]);
        check("/v1/{name=a/*}/{id}", "/v1/{name=a/*}/{id}", &["name+", "id"]);
        check("/v1/{name=a/*/**}:get", "/v1/{name=a/*/**}:get", &["name+"]);
        check("/v1/{a}/{b=x/*/y}/{c=z/**}", "/v1/{a}/{b=x/*/y}/{c=z/**}", &["a", "b+", "c+"]);
        check("/products:batchGet", "/products:batchGet", &[]);
        check("/**:do", "/**:do", &[]);
        check("/{a}/{a.b}", "/{a}/{a.b}", &["a", "a.b"]);
    }

    #[test]
    fn prints_literals_as_a_path_must_encode_them() {
        check("/%61b", "/ab", &[]);
        check("/caf\u{e9}/a b", "/caf%C3%A9/a%20b", &[]);
        check("/a%2fb/%3A%2a", "/a%2Fb/%3A%2A", &[]);
        check("/a;x=1,2/!$&'()+@~-._/=", "/a;x=1,2/!$&'()+@~-._/=", &[]);
        check("/%7Bid%7D/%3F%23", "/%7Bid%7D/%3F%23", &[]);
        check("/x:caf%c3%a9%2F", "/x:caf%C3%A9%2F", &[]);
        check("/a%25b", "/a%25b", &[]);
        check("/x:..", "/x:..", &[]);
        check("/...", "/...", &[]);
    }

    #[track_caller]
    fn refuse(text: &str, position: usize, fault: Fault) {
        assert_eq!(
            parse(text),
            Err(TemplateError { template: text.into(), position, fault }),
            "{text}"
        );
    }

    #[test]
    fn says_where_and_what_is_wrong() {
        refuse("", 1, Fault::NoLeadingSlash);
        refuse("v1/x", 1, Fault::NoLeadingSlash);
        refuse("/", 2, Fault::EmptySegment);
        refuse("/:verb", 2, Fault::EmptySegment);
        refuse("/a//b", 4, Fault::EmptySegment);
        refuse("/a/", 4, Fault::EmptySegment);
        refuse("/a/:v", 4, Fault::EmptySegment);
        refuse("/{a=}", 5, Fault::EmptySegment);
        refuse("/{a=b/}", 7, Fault::EmptySegment);
        refuse("/{a=/b}", 5, Fault::EmptySegment);
        refuse("/**/a", 4, Fault::RestNotLast);
        refuse("/{a=**}/b", 8, Fault::RestNotLast);
        refuse("/{a=**/b}", 7, Fault::RestNotLast);
        refuse("/a/{x=b/**}/{y}", 12, Fault::RestNotLast);
        refuse("/***", 4, Fault::MixedWildcard);
        refuse("/a*", 3, Fault::MixedWildcard);
        refuse("/*a", 3, Fault::MixedWildcard);
        refuse("/{a}*", 5, Fault::MixedWildcard);
        refuse("/a:b*", 5, Fault::MixedWildcard);
        refuse("/{a}b", 5, Fault::MixedVariable);
        refuse("/a{b}", 3, Fault::MixedVariable);
        refuse("/{a}{b}", 5, Fault::MixedVariable);
        refuse("/*{b}", 3, Fault::MixedVariable);
        refuse("/a:b{c}", 5, Fault::MixedVariable);
        refuse("/}", 2, Fault::StrayBrace);
        refuse("/a}", 3, Fault::StrayBrace);
        refuse("/{a}}", 5, Fault::StrayBrace);
        refuse("/a:b}", 5, Fault::StrayBrace);
        refuse("/x/{a", 4, Fault::Unclosed);
        refuse("/x/{a=b", 4, Fault::Unclosed);
        refuse("/{a={b}}", 5, Fault::NestedVariable);
        refuse("/{a=b/{c}}", 7, Fault::NestedVariable);
        for field in
            ["", ".", "a.", ".a", "a..b", "1a", "a.2", "a-b", "a b", "\u{e9}", "a/b", "*", "a:b"]
        {
            refuse(&format!("/{{{field}}}"), 3, Fault::FieldPath);
        }
        refuse("/\u{e9}/{=*}", 5, Fault::FieldPath);
        refuse("/{a}/x/{a}", 9, Fault::Duplicate("a".into()));
        refuse("/a:b/c", 5, Fault::VerbNotLast);
        refuse("/a:b:c", 5, Fault::VerbNotLast);
        refuse("/{a=b:c}", 6, Fault::VerbNotLast);
        refuse("/a:", 4, Fault::EmptyVerb);
        refuse("/a::b", 4, Fault::EmptyVerb);
        refuse("/a?b=c", 3, Fault::EndsPath('?'));
        refuse("/\u{e9}#b", 3, Fault::EndsPath('#'));
        refuse("/a%zz", 2, Fault::Undecodable(Undecodable::Triplet));
        refuse("/a:%2", 4, Fault::Undecodable(Undecodable::Triplet));
        refuse("/%c0%af", 2, Fault::Undecodable(Undecodable::Utf8));
        for literal in [
            ".",
            "..",
            "%2e",
            "..;x",
            "%2E%2e%3bx",
            "a%2F..",
            "a\\b",
            "%5C",
            "a%00",
            "\t",
            "..%3Ax",
        ] {
            refuse(&format!("/x/{literal}/y"), 4, Fault::NeverMatches);
        }
        refuse(&"/a".repeat(65), 130, Fault::TooLong);
        assert!(parse(&"/a".repeat(64)).is_ok());
    }

    #[test]
    fn writes_a_mistake_in_one_line() {
        let message = parse("/a//b").unwrap_err().to_string();
        assert_eq!(
            message,
            "character 4 of `/a//b`: a segment is empty; write a literal, `*`, `**` or a variable"
        );
    }
}
