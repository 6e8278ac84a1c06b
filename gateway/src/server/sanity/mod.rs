//! Request sanity: what no honest client sends is refused before anything else sees it.
//!
//! Method, host and path mean the same to everything behind this check, because what has two readings does not come
//! through. Nothing is repaired here: a request is passed on as it came, or refused with a sentence that says why.
//! What the HTTP library has done before can't be seen any more: it refuses bytes that no request target has, and it
//! cuts off a fragment (`#…`), which is the client's own business (RFC 9110, section 7.1). So a request with one is
//! served as if it had none, and nothing behind the library ever sees it.

mod host;
mod target;
#[cfg(test)]
mod tests;

use http::request::Parts;
use http::{Method, Version};

use crate::routing::METHODS;

/// Why a request is refused: 501 for an unknown method, 405 for a refused one, else 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Insane {
    /// A method that the gateway does not know: 501 (RFC 9110, section 9.1).
    #[error("the method is not known here; use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")]
    UnknownMethod,
    /// CONNECT or TRACE: 405 (RFC 9110, section 9.1). A gateway is no tunnel, and echoes no credentials.
    #[error(
        "CONNECT and TRACE are not taken here; use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"
    )]
    RefusedMethod,
    /// A request target in another form than origin-form (RFC 9112, section 3.2).
    #[error("the request target must be a path that begins with `/`, without scheme and host")]
    NotOriginForm,
    /// No host (RFC 9112, section 3.2).
    #[error("the request names no host; send one Host header, or :authority in HTTP/2")]
    NoHost,
    /// More than one `Host`.
    #[error("the request has several Host headers; send one")]
    SeveralHosts,
    /// A host that is no name or address with an optional port.
    #[error(
        "the host is not a name or an address with an optional port; send it as in `example.com:8080`"
    )]
    BadHost,
    /// `Host` and `:authority` differ (RFC 9113, section 8.3.1).
    #[error("the Host header and :authority differ; send one of them, or the same in both")]
    HostsDiffer,
    /// `.` or `..` as a segment, in any spelling.
    #[error(
        "the path has a dot segment (`.` or `..`, however it is spelled); send the path it stands for"
    )]
    DotSegment,
    /// `//` in the path.
    #[error(
        "the path has an empty segment (`//`); remove the extra slash, or fill in the missing value"
    )]
    EmptySegment,
    /// `\` or `%5C` in the path.
    #[error("the path has a backslash; separate segments by `/`")]
    Backslash,
    /// A control character in the path or query, or an encoded one in the path.
    #[error("the request target has a control character; remove it")]
    ControlCharacter,
    /// A `%` without two hexadecimal digits behind it (RFC 3986, section 2.1).
    #[error(
        "a `%` in the request target is not followed by two hexadecimal digits; write %25 for a percent sign"
    )]
    BadTriplet,
    /// Bytes above 127 in the path that are not percent-encoded.
    #[error("the path has characters outside ASCII; percent-encode them as UTF-8")]
    NotAscii,
    /// Triplets in the path that decode to no UTF-8, overlong forms among them.
    #[error("the path does not decode to UTF-8; percent-encode text as UTF-8")]
    NotUtf8,
}

/// Checks the head of a request of HTTP/1 or HTTP/2.
///
/// `%2F` in a path, and a slash at its end, are sane; the lengths of everything are limited elsewhere.
pub(crate) fn check(head: &Parts) -> Result<(), Insane> {
    check_method(&head.method)?;
    let multiplexed = head.version >= Version::HTTP_2;
    let authority = head.uri.authority();
    if authority.is_some() && !multiplexed {
        return Err(Insane::NotOriginForm);
    }
    host::check(&head.headers, authority)?;
    let target = head.uri.path_and_query().ok_or(Insane::NotOriginForm)?;
    target::check(target.as_str())
}

/// Methods are told apart by case (RFC 9110, section 9.1), so `get` is unknown.
fn check_method(method: &Method) -> Result<(), Insane> {
    if METHODS.contains(method) {
        Ok(())
    } else if *method == Method::CONNECT || *method == Method::TRACE {
        Err(Insane::RefusedMethod)
    } else {
        Err(Insane::UnknownMethod)
    }
}
