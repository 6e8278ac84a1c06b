//! What a token says, and for how long it is believed: a JWT signed with ES256 (RFC 7519, RFC 7518).

use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use service_kit::{Timestamp, clock::later, ids};

use crate::keys::SigningKey;

const ISSUER: &str = "https://shop.example";
const AUDIENCE: &str = "gateway";

/// How long a token is believed.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_mins(15);

/// Times are in seconds since 1970, as RFC 7519 has them.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: &'a str,
    roles: &'a [String],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// A signed token and the time it expires.
pub(crate) fn sign(
    key: &SigningKey,
    user_id: &str,
    roles: &[String],
    now: Timestamp,
) -> Result<(String, Timestamp), jsonwebtoken::errors::Error> {
    let expires_at = later(now, LIFE);
    let claims = Claims {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: user_id,
        roles,
        iat: now.as_second(),
        nbf: now.as_second(),
        exp: expires_at.as_second(),
        jti: ids::fresh(),
    };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(key.kid.clone());
    let token =
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&key.private_key))?;
    Ok((token, expires_at))
}
