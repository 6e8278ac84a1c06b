//! What can be wrong with a template, and what to do about it.

use super::super::percent::Undecodable;

/// A text that is no path template: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position} of `{template}`: {fault}")]
pub(crate) struct TemplateError {
    /// The text.
    pub(crate) template: String,
    /// Which of its characters, counted from 1.
    pub(crate) position: usize,
    /// What is wrong there.
    pub(crate) fault: Fault,
}

/// What can be wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
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
