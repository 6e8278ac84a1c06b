//! Responsibility 1, request routing: which route does a method and a path belong to, and what does the path say?
//!
//! The room decides by the path templates of `google.api.http`: the same answer whatever the order in which the routes
//! were written, found in the same number of steps whatever their number, and two routes of equal rank are refused when
//! the table is built. What a route leads to is the caller's business: [`RouteTable`] is generic over it.
//! It never reads headers, query or body, and never changes a path: a path is split first, and decoded only then.
//! Chapter 1: docs/01-routing.md

mod method;
mod parse;
mod percent;
mod route;
mod table;
mod template;
mod trie;

#[cfg(test)]
mod tests;

pub(crate) use method::{Allow, InvalidKind, METHODS, MethodPattern};
pub(crate) use percent::Undecodable;
pub(crate) use route::Route;
pub(crate) use table::{Found, RouteTable};
pub(crate) use template::{Template, Variable};

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// No template matches the path: 404.
    #[error("no route matches the path; check its spelling, and that it does not end in a slash")]
    NotFound,
    /// Templates match the path, but none of them with this method: 405 (RFC 9110, section 15.5.6).
    #[error("the path does not take this method; it takes {allow}")]
    MethodNotAllowed {
        /// What the path takes, for the `Allow` header.
        allow: Allow,
    },
    /// The route is found, but what the path holds for one of its fields is not text: 400.
    #[error("the path's value for `{field}` can't be decoded")]
    BadCapture {
        /// The field path as the template spells it.
        field: String,
        /// What is wrong with the value.
        source: Undecodable,
    },
}
