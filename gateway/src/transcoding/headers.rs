//! Which headers pass through the door, in either direction. What is not named here stays outside.

use http::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use super::Config;
use crate::setting::{Problem, Spanned, header};

/// How much metadata a call has beside what the client may send: of the exchange, the principal, the deadline and gRPC
/// itself. A map that has room for it never has to move.
const OWN: usize = 8;

/// The metadata a client may always send: the services own idempotency, the gateway only checks the key's shape.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A header of the request can't be passed on.
#[derive(Debug, Error)]
pub(crate) enum InvalidHeader {
    /// The idempotency key is not one.
    #[error(
        "the header idempotency-key must be sent once, with 1 to 255 visible ASCII characters, bare or in double quotes"
    )]
    IdempotencyKey,
}

/// The names that pass.
#[derive(Debug)]
pub(crate) struct HeaderPolicy {
    request: Vec<HeaderName>,
    response: Vec<HeaderName>,
}

impl HeaderPolicy {
    /// Reads the names, refusing those that are reserved.
    pub(crate) fn compile(config: &Config, problems: &mut Vec<Problem>) -> Self {
        let mut read = |path: &str, names: &[Spanned<String>]| {
            names.iter().filter_map(|name| passable(path, name, problems)).collect()
        };
        Self {
            request: read("transcoding.request_headers", &config.request_headers),
            response: read("transcoding.response_headers", &config.response_headers),
        }
    }

    /// The metadata for the service out of the client's headers.
    pub(crate) fn request_metadata(&self, headers: &HeaderMap) -> Result<HeaderMap, InvalidHeader> {
        let mut metadata = HeaderMap::with_capacity(OWN + self.request.len());
        select(&self.request, headers, &mut metadata);
        let mut keys = headers.get_all(&IDEMPOTENCY_KEY).iter();
        match (keys.next(), keys.next()) {
            (None, _) => {}
            (Some(key), None) => {
                metadata.insert(
                    IDEMPOTENCY_KEY,
                    idempotency_key(key).ok_or(InvalidHeader::IdempotencyKey)?,
                );
            }
            (Some(_), Some(_)) => return Err(InvalidHeader::IdempotencyKey),
        }
        Ok(metadata)
    }

    /// The headers for the client out of the service's metadata.
    pub(crate) fn response_headers(&self, metadata: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        select(&self.response, metadata, &mut headers);
        headers
    }
}

fn select(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

fn passable(
    path: &str,
    written: &Spanned<String>,
    problems: &mut Vec<Problem>,
) -> Option<HeaderName> {
    let refuse = |why: &str| Problem::at(written, path, format!("`{}` {why}", written.value));
    let Ok(name) = written.value.parse::<HeaderName>() else {
        problems.push(refuse("is not the name of a header"));
        return None;
    };
    if header::is_reserved(&name) {
        problems.push(refuse(
            "is set by the gateway or the transport and can't be passed on: remove it",
        ));
        return None;
    }
    Some(name)
}

/// Accepts the key bare or as a structured-field string (draft-ietf-httpapi-idempotency-key-header-07), and passes it bare.
fn idempotency_key(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let bare = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains(['"', '\\']))?,
        None => text,
    };
    let fits = (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| HeaderValue::from_str(bare).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(request: &[&str], response: &[&str]) -> (HeaderPolicy, Vec<Problem>) {
        let list = |names: &[&str]| {
            format!(
                "[{}]",
                names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            )
        };
        let yaml =
            format!("request_headers: {}\nresponse_headers: {}\n", list(request), list(response));
        let mut problems = Vec::new();
        let policy = HeaderPolicy::compile(&serde_saphyr::from_str(&yaml).unwrap(), &mut problems);
        (policy, problems)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_named_headers_pass_in_either_direction() {
        let (policy, problems) = policy(&["x-tenant"], &["x-cost"]);
        assert_eq!(problems, []);
        let sent = headers(&[
            ("x-tenant", "a"),
            ("x-tenant", "b"),
            ("x-principal-id", "1"),
            ("x-principal-roles", "admin"),
            ("grpc-metadata-x-principal-id", "1"),
            ("authorization", "Bearer t"),
            ("cookie", "c"),
            ("x-cost", "9"),
        ]);
        assert_eq!(
            policy.request_metadata(&sent).unwrap(),
            headers(&[("x-tenant", "a"), ("x-tenant", "b")])
        );
        let answered = headers(&[
            ("x-cost", "9"),
            ("set-cookie", "c"),
            ("x-internal-host", "h"),
            ("x-tenant", "a"),
        ]);
        assert_eq!(policy.response_headers(&answered), headers(&[("x-cost", "9")]));
    }

    #[test]
    fn refuses_to_pass_what_the_gateway_writes_itself() {
        for name in [
            "x-principal-id",
            "X-Principal-Roles",
            "grpc-timeout",
            "authorization",
            "traceparent",
            "te",
            "x-request-id",
            "x_principal_id",
            "X.Principal.Id",
            "x-principal_roles",
            "x_request_id",
            "set.cookie",
            "grpc_timeout",
        ] {
            let (policy, problems) = policy(&[name], &[]);
            assert_eq!(problems.len(), 1, "{name}");
            assert!(problems[0].message.contains("can't be passed on"), "{}", problems[0]);
            assert!(policy.request.is_empty());
        }
        assert!(policy(&[], &["no spaces"]).1[0].message.contains("not the name of a header"));
    }

    #[test]
    fn idempotency_keys_pass_bare_whether_quoted_or_not() {
        let (policy, _) = policy(&[], &[]);
        let passed = |value: &'static str| {
            policy
                .request_metadata(&headers(&[("idempotency-key", value)]))
                .ok()
                .and_then(|m| m.get(IDEMPOTENCY_KEY).cloned())
        };
        assert_eq!(passed("k-1").unwrap(), "k-1");
        assert_eq!(passed("\"k-1\"").unwrap(), "k-1");
        for wrong in ["", "\"\"", "\"k", "k 1", "\"k\\\"\"", "\"a\"b\""] {
            assert_eq!(passed(wrong), None, "{wrong}");
        }
        let twice = headers(&[("idempotency-key", "a"), ("idempotency-key", "a")]);
        assert!(policy.request_metadata(&twice).is_err());
        let long = HeaderValue::from_str(&"k".repeat(256)).unwrap();
        assert!(idempotency_key(&long).is_none());
    }
}
