//! Names of headers that a configuration may not take for something else.

use http::HeaderName;

/// Names that the gateway or the transport write themselves, or that must never reach a service.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "www-authenticate",
    "x-request-id",
];

/// How more of them begin.
const RESERVED_PREFIXES: &[&str] = &["access-control-", "grpc-", "x-principal-"];

/// Whether the gateway or the transport writes it, or it must never reach a service.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    is_among(name, RESERVED, RESERVED_PREFIXES)
}

/// Whether a header is one of these, or begins like one of those.
///
/// Programs that find headers as variables, in which `_` stands for every other sign, can't tell `x_request_id` from
/// `x-request-id`. So a name in another spelling is meant too.
pub(crate) fn is_among(name: &HeaderName, names: &[&str], prefixes: &[&str]) -> bool {
    let plain = name.as_str().replace(['_', '.'], "-");
    names.contains(&&*plain) || prefixes.iter().any(|prefix| plain.starts_with(prefix))
}
