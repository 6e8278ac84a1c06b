//! The id of one exchange.

use std::sync::Arc;

use http::HeaderValue;
use uuid::Uuid;

/// Identifies one exchange in logs, error bodies and the services' own logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// Takes over the client's id when it is 1 to 64 letters, digits or hyphens; anything else could forge log lines.
    pub(crate) fn accept(value: &HeaderValue) -> Option<Self> {
        let value = value.to_str().ok()?;
        let fits = (1..=64).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(value.into()))
    }

    /// Makes an id that nobody else has (UUIDv7).
    pub(crate) fn fresh() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the value of `x-request-id`.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_what_can_not_forge_a_log_line() {
        let accepted =
            |value: &str| RequestId::accept(&HeaderValue::from_str(value).unwrap()).is_some();
        assert!(accepted("a-Z-09") && accepted(&"x".repeat(64)));
        for wrong in ["", "a b", "a\"b", "a_b", "{}", &"x".repeat(65)] {
            assert!(!accepted(wrong), "{wrong}");
        }
        assert!(RequestId::accept(&HeaderValue::from_bytes(b"\xff").unwrap()).is_none());
    }

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(RequestId::fresh(), RequestId::fresh());
    }
}
