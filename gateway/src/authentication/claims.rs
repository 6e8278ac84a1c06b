//! What a token says, and whether it may be believed once its signature is proven.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::token::present;
use crate::context::Identity;

/// How far the clocks of issuer and gateway may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
/// How far ahead `iat` may lie. It decides nothing, so it may be off by more than the leeway; a token from next
/// week is still a sign that something is wrong.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);
const MAX_SUBJECT: usize = 255;
pub(super) const MAX_ROLES: usize = 64;
const MAX_ROLE: usize = 64;

/// The claims that are read (RFC 7519, section 4.1), and `roles`. A claim that occurs twice is refused.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    roles: Option<Value>,
}

/// When a token counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    /// The first moment; `None` when there is none.
    from: Option<Timestamp>,
    /// The first moment at which it counts no more.
    until: Timestamp,
}

impl Validity {
    pub(super) fn check(self, now: Timestamp) -> Result<(), Error> {
        if now >= self.until {
            return Err(Error::Expired);
        }
        if self.from.is_some_and(|from| now < from) {
            return Err(Error::NotYetValid);
        }
        Ok(())
    }
}

impl Claims {
    /// The issuer the token claims to come from.
    pub(super) fn issuer(&self) -> Result<&str, Error> {
        required(self.iss.as_ref(), "iss")?.as_str().ok_or(Error::InvalidClaim("iss"))
    }

    /// Judges the claims of a token whose signature is proven.
    pub(super) fn accept(
        &self,
        audience: &str,
        now: Timestamp,
    ) -> Result<(Identity, Validity), Error> {
        let validity = self.validity()?;
        validity.check(now)?;
        if !names(required(self.aud.as_ref(), "aud")?, audience)? {
            return Err(Error::WrongAudience);
        }
        let identity = Identity::new(self.subject()?, self.roles()?, None);
        // Subjects and roles are visible ASCII, so what could not be told to services was refused before.
        Ok((identity.map_err(|_| Error::InvalidClaim("sub"))?, validity))
    }

    fn validity(&self) -> Result<Validity, Error> {
        let until = shifted(moment(required(self.exp.as_ref(), "exp")?, "exp")?, LEEWAY);
        let earliest = |claim: Option<&Value>, name, slack: SignedDuration| {
            claim.map(|value| Ok(shifted(moment(value, name)?, -slack))).transpose()
        };
        let from = earliest(self.nbf.as_ref(), "nbf", LEEWAY)?.max(earliest(
            self.iat.as_ref(),
            "iat",
            MAX_AHEAD,
        )?);
        Ok(Validity { from, until })
    }

    /// The subject becomes metadata of every call, where a comma or a control character would mean something.
    fn subject(&self) -> Result<String, Error> {
        let subject =
            required(self.sub.as_ref(), "sub")?.as_str().ok_or(Error::InvalidClaim("sub"))?;
        if is_subject(subject) { Ok(subject.to_owned()) } else { Err(Error::InvalidClaim("sub")) }
    }

    /// The roles become metadata too, joined by commas.
    fn roles(&self) -> Result<Vec<String>, Error> {
        let Some(roles) = &self.roles else { return Ok(Vec::new()) };
        let roles = roles.as_array().filter(|roles| roles.len() <= MAX_ROLES);
        let roles = roles.ok_or(Error::InvalidClaim("roles"))?;
        let role = |role: &Value| role.as_str().filter(|role| is_role(role)).map(str::to_owned);
        roles.iter().map(role).collect::<Option<_>>().ok_or(Error::InvalidClaim("roles"))
    }
}

fn required<'a>(claim: Option<&'a Value>, name: &'static str) -> Result<&'a Value, Error> {
    claim.ok_or(Error::MissingClaim(name))
}

/// Whether `aud`, one text or a list of them, names the audience.
fn names(claim: &Value, audience: &str) -> Result<bool, Error> {
    match claim {
        Value::String(one) => Ok(one == audience),
        Value::Array(many) if many.iter().all(Value::is_string) => {
            Ok(many.iter().any(|one| one.as_str() == Some(audience)))
        }
        _ => Err(Error::InvalidClaim("aud")),
    }
}

/// A `NumericDate`: seconds since 1970, possibly with a fraction. One beyond the year 9999 is a mistake, most often
/// milliseconds.
fn moment(claim: &Value, name: &'static str) -> Result<Timestamp, Error> {
    let seconds = claim.as_f64().ok_or(Error::InvalidClaim(name))?;
    SignedDuration::try_from_secs_f64(seconds)
        .and_then(Timestamp::from_duration)
        .map_err(|_| Error::InvalidClaim(name))
}

/// Moved by a few seconds, but never beyond the ends of time.
fn shifted(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(moment)
}

/// Whether a text can be the id of a principal.
pub(super) fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// Whether a text can be a role.
pub(super) fn is_role(text: &str) -> bool {
    (1..=MAX_ROLE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}
