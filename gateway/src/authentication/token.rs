//! Takes a token apart: three parts, strictly encoded, with a header that asks for nothing unusual.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::claims::Claims;
use super::{Algorithm, Error};

/// A signed token in compact form (RFC 7515, section 7.1). Nothing in it is proven.
pub(super) struct Token<'a> {
    pub(super) header: Header,
    pub(super) claims: Claims,
    /// What the signature covers.
    pub(super) signed: &'a [u8],
    /// Still in base64url.
    pub(super) signature: &'a str,
}

/// What is read of the header. `jwk`, `jku`, `x5u` and `x5c` are not: a key that the token itself brings or
/// points to proves nothing.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    /// Reads a token. A second spelling of the same token (padding, stray bits, a fourth part) is refused, so that
    /// one token is one text.
    pub(super) fn parse(text: &'a str) -> Result<Self, Error> {
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Malformed("it does not have three parts"));
        };
        let signed = text
            .as_bytes()
            .get(..header.len() + 1 + payload.len())
            .ok_or(Error::Malformed("it does not have three parts"))?;
        if decode(signature)?.is_empty() {
            return Err(Error::Malformed("it is not signed"));
        }
        Ok(Self {
            header: json(header, "its header cannot be read")?,
            claims: json(payload, "its claims cannot be read")?,
            signed,
            signature,
        })
    }
}

impl Header {
    /// Demands what RFC 8725 recommends: the issuer's algorithm, not the token's (section 3.1); no extension that
    /// would be ignored; and the type of an access token (section 3.11): `JWT`, `at+jwt` (RFC 9068) or none.
    pub(super) fn check(&self, algorithm: Algorithm) -> Result<(), Error> {
        if self.crit.is_some() {
            return Err(Error::Critical);
        }
        if self.alg != algorithm.name() {
            return Err(Error::WrongAlgorithm);
        }
        if let Some(typ) = &self.typ {
            let typ = typ.to_ascii_lowercase();
            if !matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt") {
                return Err(Error::WrongType);
            }
        }
        Ok(())
    }
}

/// Reads a member that is there, so that `null` is a wrong value and not an absent one.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn json<T: DeserializeOwned>(part: &str, complaint: &'static str) -> Result<T, Error> {
    let text = decode(part)?;
    // serde also fills a structure from a list, by position.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(Error::Malformed(complaint));
    }
    serde_json::from_slice(&text).map_err(|_| Error::Malformed(complaint))
}

fn decode(part: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Error::Malformed("it is not base64url without padding"))
}
