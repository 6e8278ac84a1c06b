//! The method of a route, and the methods a path takes.

use std::fmt;
use std::str::FromStr;

use http::{HeaderValue, Method};

/// The methods that are let in, sorted: the value of `Allow` when another one is refused.
pub(crate) static METHODS: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

/// Which methods a route takes: the `pattern` of `google.api.HttpRule`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MethodPattern {
    /// Every method: the custom kind `*`.
    Any,
    /// This one.
    Only(Method),
}

/// A custom kind that no request could have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a method that the gateway lets in; write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, or `*` for all"
)]
pub(crate) struct InvalidKind(String);

impl FromStr for MethodPattern {
    type Err = InvalidKind;

    /// Reads the `kind` of a `google.api.CustomHttpPattern`.
    fn from_str(kind: &str) -> Result<Self, InvalidKind> {
        if kind == "*" {
            return Ok(Self::Any);
        }
        let known = METHODS.iter().find(|method| method.as_str() == kind);
        known.cloned().map(Self::Only).ok_or_else(|| InvalidKind(kind.to_owned()))
    }
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Only(method) => f.write_str(method.as_str()),
        }
    }
}

/// The methods a path takes, sorted: the value of the header `Allow` (RFC 9110, section 10.2.1).
///
/// HEAD is there when GET is, and OPTIONS always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allow(Vec<Method>);

impl Allow {
    /// What a path takes whose routes take these methods.
    pub(super) fn of<'m>(methods: impl IntoIterator<Item = &'m Method>) -> Self {
        let mut all: Vec<Method> = methods.into_iter().cloned().collect();
        if all.contains(&Method::GET) {
            all.push(Method::HEAD);
        }
        all.push(Method::OPTIONS);
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    /// The list as the value of `Allow`.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("OPTIONS"))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{method}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_methods_in_the_order_of_allow() {
        assert!(METHODS.is_sorted());
    }

    #[test]
    fn reads_a_custom_kind() {
        let read = |kind: &str| kind.parse::<MethodPattern>().ok();
        assert_eq!(read("*"), Some(MethodPattern::Any));
        assert_eq!(read("HEAD"), Some(MethodPattern::Only(Method::HEAD)));
        for wrong in ["", "get", "A B", "GET ", "é", "LINK", "TRACE", "CONNECT"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn allows_head_with_get_and_options_always() {
        let allow = |methods: &[Method]| Allow::of(methods).header();
        assert_eq!(allow(&[Method::POST, Method::GET]), "GET, HEAD, OPTIONS, POST");
        assert_eq!(allow(&[Method::DELETE, Method::DELETE]), "DELETE, OPTIONS");
        assert_eq!(allow(&[Method::OPTIONS, Method::GET, Method::HEAD]), "GET, HEAD, OPTIONS");
        assert_eq!(allow(&[]), "OPTIONS");
    }
}
