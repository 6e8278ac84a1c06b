use std::borrow::Cow;
use std::fmt;

/// Why bytes are not a message of their type, or one that has no JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    path: String,
    problem: Cow<'static, str>,
}

impl WireError {
    /// The field, as `items[2].unitPrice`; empty for the message itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong with it; never holds a value from the message.
    pub fn problem(&self) -> &str {
        &self.0.problem
    }

    fn under(mut self, segment: &str) -> Self {
        let path = &mut self.0.path;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert_str(0, segment);
        self
    }

    pub(crate) fn in_field(self, name: &str) -> Self {
        self.under(name)
    }

    pub(crate) fn at_index(self, index: usize) -> Self {
        self.under(&format!("[{index}]"))
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.0.path)?;
        }
        f.write_str(&self.0.problem)
    }
}

impl std::error::Error for WireError {}

/// The ways in which wire bytes can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Truncated,
    Varint,
    Tag,
    Group,
    TooDeep,
    Utf8,
    Packed,
}

impl From<Fault> for WireError {
    #[cold]
    fn from(fault: Fault) -> Self {
        Self::from(match fault {
            Fault::Truncated => "the message ends in the middle of a field",
            Fault::Varint => "a varint is longer than 64 bits",
            Fault::Tag => "a field has an impossible number or wire type",
            Fault::Group => "a group ends that did not begin",
            Fault::TooDeep => "messages are nested deeper than 100 levels",
            Fault::Utf8 => "a string is not UTF-8",
            Fault::Packed => "a packed list ends in the middle of an element",
        })
    }
}

impl From<&'static str> for WireError {
    #[cold]
    fn from(problem: &'static str) -> Self {
        Self(Box::new(Inner { path: String::new(), problem: problem.into() }))
    }
}

pub(crate) type Outcome<T = ()> = Result<T, WireError>;
