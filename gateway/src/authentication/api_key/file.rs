//! The file that says which keys there are.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::ApiKey;
use crate::authentication::cache::{self, Digest};
use crate::authentication::claims::{MAX_ROLES, is_role, is_subject};
use crate::context::Identity;
use crate::setting::Spanned;

/// The file as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    keys: Vec<Entry>,
}

/// One key as it was written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    sha256: Spanned<String>,
    principal: Spanned<String>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    #[serde(default, deserialize_with = "written")]
    expires: Option<Spanned<String>>,
}

/// An end that is there and empty is a slip, and no key without an end.
fn written<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Spanned<String>>, D::Error> {
    Spanned::deserialize(value).map(Some)
}

/// One mistake in a file of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    line: u64,
    column: u64,
    message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Reads the keys, by the SHA-256 of each.
pub(super) fn read(text: &str) -> Result<HashMap<Digest, ApiKey>, Vec<Mistake>> {
    let written: Written = serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let said = error.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or_default().to_owned();
        vec![Mistake { line, column, message: said }]
    })?;
    let mut reader = Reader::default();
    for (index, entry) in written.keys.iter().enumerate() {
        reader.entry(index, entry);
    }
    if reader.mistakes.is_empty() { Ok(reader.keys) } else { Err(reader.mistakes) }
}

#[derive(Default)]
struct Reader<'f> {
    keys: HashMap<Digest, ApiKey>,
    names: HashSet<&'f str>,
    mistakes: Vec<Mistake>,
}

impl<'f> Reader<'f> {
    fn entry(&mut self, index: usize, entry: &'f Entry) {
        let Entry { name, sha256, principal, roles, expires } = entry;
        let mut complain = |value: &Spanned<String>, setting: &str, message: &str| {
            let (line, column) = (value.referenced.line(), value.referenced.column());
            let message = format!("keys[{index}].{setting}: {message}");
            self.mistakes.push(Mistake { line, column, message });
        };
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=64).contains(&name.value.len()) || !visible(&name.value) {
            complain(name, "name", "a name has 1 to 64 visible ASCII characters");
        } else if !self.names.insert(&name.value) {
            complain(name, "name", "this name is there twice: give each key its own");
        }
        if !is_subject(&principal.value) {
            complain(
                principal,
                "principal",
                "a principal has 1 to 255 visible ASCII characters, and no comma",
            );
        }
        if let Some(role) = roles.get(MAX_ROLES) {
            complain(role, "roles", "a principal has at most 64 roles");
        }
        for role in roles.iter().filter(|role| !is_role(&role.value)) {
            complain(role, "roles", "a role has 1 to 64 letters, digits, `_`, `.`, `:` or `-`");
        }
        let end = expires.as_ref().map(|end| end.value.parse::<Timestamp>());
        if let (Some(written), Some(Err(_))) = (expires, &end) {
            let advice = "write a time such as 2027-01-31T00:00:00Z (RFC 3339)";
            complain(written, "expires", advice);
        }
        let advice = "write the 64 hexadecimal digits that `printf %s KEY | sha256sum` prints";
        let Some(digest) = digest(&sha256.value) else { return complain(sha256, "sha256", advice) };
        if digest == cache::digest(b"") {
            complain(sha256, "sha256", "this is the hash of nothing, and no key is empty");
        }
        let (id, named) = (principal.value.clone(), Some(name.value.as_str().into()));
        let roles = roles.iter().map(|role| role.value.clone()).collect();
        // Principals and roles are visible ASCII: of one that could not be told to services was complained already.
        let Ok(identity) = Identity::new(id, roles, named) else { return };
        let expires = end.and_then(Result::ok);
        let key = ApiKey { digest, identity: Arc::new(identity), expires };
        if self.keys.insert(digest, key).is_some() {
            complain(sha256, "sha256", "this key is there twice: a key has one holder");
        }
    }
}

/// Reads 64 hexadecimal digits.
fn digest(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
