//! Why a credential was not accepted, in words its holder may read.

use std::sync::Arc;

use http::HeaderValue;
use thiserror::Error;

use super::jwks::FetchError;

/// The value of `WWW-Authenticate` for a request that carries no usable credential (RFC 6750, section 3).
pub(crate) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer");

/// Why a credential was not accepted. No message repeats any part of the token.
#[derive(Clone, Debug, Error)]
pub(crate) enum Error {
    /// There is none, where one is needed; and which are taken.
    #[error("this needs a signed-in client: {0}")]
    Missing(String),
    /// More than one `Authorization` header or API key, or both: which one counts would be a guess.
    #[error(
        "the request has several credentials, several Authorization headers or API keys or both: send exactly one"
    )]
    SeveralCredentials,
    /// Another scheme, or none.
    #[error(
        "the Authorization header is not a Bearer token: send `Authorization: Bearer` and the token"
    )]
    NotBearer,
    /// No key like this is in the file.
    #[error("the API key is not known here: send it as it was given to you, or ask for a new one")]
    UnknownApiKey,
    /// The time at which the key ends has come.
    #[error("the API key has expired: ask for a new one")]
    ExpiredApiKey,
    /// Over 8 KiB.
    #[error("the token is too long: tokens of at most 8192 characters are accepted")]
    TooLong,
    /// Not a signed JWT in compact form (RFC 7515, section 7.1).
    #[error("the token is malformed ({0}): sign in again and send the new token as it is")]
    Malformed(&'static str),
    /// A header parameter asks for something this gateway does not do (RFC 7515, section 4.1.11).
    #[error(
        "the token demands an extension (crit) that is not supported: ask the issuer for one without"
    )]
    Critical,
    /// The `typ` is that of another kind of token, for example of a refresh token (RFC 8725, section 3.11).
    #[error("the token is of another type: send an access token")]
    WrongType,
    /// The `alg` is not the one that the issuer signs with.
    #[error("the token is not signed with the algorithm of its issuer: sign in again")]
    WrongAlgorithm,
    /// No configured issuer has this `iss`.
    #[error(
        "the token comes from an issuer that is not trusted here: sign in where this service says"
    )]
    UnknownIssuer,
    /// The `kid` is in no key of the issuer.
    #[error("the token is signed with a key that its issuer does not publish: sign in again")]
    UnknownKey,
    /// The token names no key although its issuer has several.
    #[error(
        "the token does not say which of its issuer's keys it is signed with (kid): sign in again"
    )]
    UnnamedKey,
    /// The signature is not the issuer's.
    #[error("the signature of the token is wrong: sign in again and send the new token as it is")]
    BadSignature,
    /// A claim that every token must have is not there.
    #[error("the token has no claim `{0}`: sign in again, and if it stays so tell the issuer")]
    MissingClaim(&'static str),
    /// A claim is there, and is not what it must be.
    #[error(
        "the claim `{0}` of the token is invalid: sign in again, and if it stays so tell the issuer"
    )]
    InvalidClaim(&'static str),
    /// The `aud` does not name this gateway.
    #[error("the token is meant for another audience: ask the issuer for one for this service")]
    WrongAudience,
    /// The time of `exp` has come.
    #[error("the token has expired: sign in again")]
    Expired,
    /// The time of `nbf` has not come, or `iat` lies in the future.
    #[error("the token is not valid yet: wait, or check the clock of its issuer")]
    NotYetValid,
    /// Nothing can be said about the token, because the keys of its issuer are not at hand.
    #[error(
        "the token cannot be checked at the moment, because the keys of its issuer are not available: try again soon"
    )]
    KeysUnavailable {
        /// How the last attempt to fetch them failed; `None` while the first one runs.
        #[source]
        cause: Option<Arc<FetchError>>,
    },
}

impl Error {
    /// The value of `WWW-Authenticate` (RFC 6750, section 3.1); `None` when the client is not to blame.
    pub(crate) fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::KeysUnavailable { .. } => None,
            Self::Missing(_) | Self::NotBearer | Self::UnknownApiKey | Self::ExpiredApiKey => {
                Some(CHALLENGE)
            }
            _ => HeaderValue::try_from(format!(
                "Bearer error=\"invalid_token\", error_description=\"{self}\""
            ))
            .ok()
            .or(Some(CHALLENGE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_challenge_is_one_that_rfc_6750_allows() {
        let errors = [
            Error::SeveralCredentials,
            Error::TooLong,
            Error::Malformed("it has not three parts"),
            Error::Critical,
            Error::WrongType,
            Error::WrongAlgorithm,
            Error::UnknownIssuer,
            Error::UnknownKey,
            Error::UnnamedKey,
            Error::BadSignature,
            Error::MissingClaim("exp"),
            Error::InvalidClaim("exp"),
            Error::WrongAudience,
            Error::Expired,
            Error::NotYetValid,
        ];
        for error in errors {
            let challenge = error.challenge().unwrap();
            let description = challenge
                .to_str()
                .unwrap()
                .strip_prefix("Bearer error=\"invalid_token\", error_description=\"")
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap();
            let allowed = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
            assert!(description.bytes().all(allowed), "{description}");
        }
    }

    #[test]
    fn a_request_without_a_token_is_told_the_scheme_only() {
        let missing = Error::Missing("sign in".to_owned());
        for error in [missing, Error::NotBearer, Error::UnknownApiKey, Error::ExpiredApiKey] {
            assert_eq!(error.challenge().unwrap(), "Bearer");
        }
    }

    #[test]
    fn an_outage_of_ours_is_no_challenge_to_the_client() {
        assert!(Error::KeysUnavailable { cause: None }.challenge().is_none());
    }
}
