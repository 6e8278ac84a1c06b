//! API keys: the credential of a machine that can't sign in.
//!
//! A key is a long random text, and the file that names its holder has only its SHA-256. Passwords need a slow hash,
//! because people choose them and they can be guessed; a key of 128 random bits can't, however fast the hash is.

mod config;
mod file;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

pub(crate) use self::config::Written;
pub(crate) use self::file::Mistake;
use super::Error;
use super::cache::{self, Digest};
use crate::context::Identity;

/// The header, unless the configuration names another.
pub(super) const DEFAULT_HEADER: &str = "x-api-key";

/// The longest key that is looked at, in bytes.
const LONGEST: usize = 1024;

/// The keys of one file, and the header they come in.
pub(crate) struct ApiKeys {
    header: HeaderName,
    /// By the SHA-256 of the key.
    keys: HashMap<Digest, ApiKey>,
}

/// What a key says about its holder.
struct ApiKey {
    digest: Digest,
    identity: Arc<Identity>,
    expires: Option<Timestamp>,
}

impl ApiKeys {
    /// Reads a file of keys. Fails with every mistake in it.
    pub(crate) fn read(header: HeaderName, text: &str) -> Result<Self, Vec<Mistake>> {
        Ok(Self { header, keys: file::read(text)? })
    }

    /// The header they come in.
    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// The holder of the key that a request carries; `None` when it carries none.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Arc<Identity>>, Error> {
        let mut values = headers.get_all(&self.header).iter();
        let Some(presented) = values.next() else { return Ok(None) };
        // With a token beside it, which of them counts would be a guess.
        if values.next().is_some() || headers.contains_key(AUTHORIZATION) {
            return Err(Error::SeveralCredentials);
        }
        let presented = presented.as_bytes();
        if presented.is_empty() || presented.len() > LONGEST {
            return Err(Error::UnknownApiKey);
        }
        // How long the look-up takes tells something of the digest, and nobody can choose what a digest begins with: to
        // come closer to a digest that is stored, one would have to turn SHA-256 around. The last comparison takes the
        // same time wherever two digests differ.
        let digest = cache::digest(presented);
        let key = self.keys.get(&digest).ok_or(Error::UnknownApiKey)?;
        verify_slices_are_equal(&key.digest, &digest).map_err(|_| Error::UnknownApiKey)?;
        if key.expires.is_some_and(|end| end <= now) {
            return Err(Error::ExpiredApiKey);
        }
        Ok(Some(Arc::clone(&key.identity)))
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({} in {})", self.keys.len(), self.header)
    }
}
