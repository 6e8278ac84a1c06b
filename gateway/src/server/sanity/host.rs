//! Exactly one host, and one that can be a host.

use std::net::Ipv6Addr;

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

use super::Insane;

/// Checks the `Host` header together with the `:authority` of HTTP/2.
///
/// HTTP/1.0 knew requests without a host; they are refused like those of HTTP/1.1.
pub(super) fn check(headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Insane> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Insane::SeveralHosts);
    }
    let host = host.map(|value| value.to_str().map_err(|_| Insane::BadHost)).transpose()?;
    let authority = authority.map(Authority::as_str);
    if let (Some(host), Some(authority)) = (host, authority)
        && !host.eq_ignore_ascii_case(authority)
    {
        return Err(Insane::HostsDiffer);
    }
    let named = host.or(authority).ok_or(Insane::NoHost)?;
    if is_host_and_port(named) { Ok(()) } else { Err(Insane::BadHost) }
}

/// Stricter than RFC 3986, section 3.2: no user information, no empty port, only names that DNS or a hosts file has.
fn is_host_and_port(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|inner| inner.split_once(']'));
    let (is_host, port) = if let Some((address, port)) = bracketed {
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!name.is_empty() && name.bytes().all(fits), port)
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    is_host && is_port
}
