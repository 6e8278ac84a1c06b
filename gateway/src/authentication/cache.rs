//! Remembers tokens that were proven, because checking a signature costs far more than a look-up.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::TrustedIssuer;
use super::claims::Validity;
use super::jwks::Key;
use crate::context::Identity;

/// The least an entry counts: what it takes beside the texts, so that many small ones are bounded too.
const ENTRY: usize = 512;

/// The SHA-256 of a credential. The credential itself is not kept: who reads the memory finds nothing to replay.
pub(super) type Digest = [u8; 32];

/// A proof, with everything it rests on.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) identity: Arc<Identity>,
    pub(super) validity: Validity,
    pub(super) key: Arc<Key>,
    pub(super) issuer: Arc<TrustedIssuer>,
}

/// Tokens that were proven. Only proofs are kept: a token that failed may be good when the next key arrives, and a
/// client could fill the memory with failures.
pub(crate) struct TokenCache(Cache<Digest, Arc<Entry>, ByBytes>);

impl TokenCache {
    /// A cache for that many tokens at most, and for half a KiB each: those with many roles take more room.
    pub(crate) fn new(tokens: usize) -> Self {
        let bytes = u64::try_from(tokens.saturating_mul(ENTRY)).unwrap_or(u64::MAX);
        Self(Cache::with_weighter(tokens, bytes, ByBytes))
    }

    /// How many tokens are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<Arc<Entry>> {
        self.0.get(digest)
    }

    pub(super) fn insert(&self, digest: Digest, entry: Entry) {
        self.0.insert(digest, Arc::new(entry));
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.0.remove(digest);
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCache({} tokens)", self.len())
    }
}

/// The SHA-256 of a credential.
pub(super) fn digest(credential: &[u8]) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest::digest(&digest::SHA256, credential).as_ref());
    bytes
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Digest, Arc<Entry>> for ByBytes {
    fn weight(&self, _: &Digest, entry: &Arc<Entry>) -> u64 {
        let Identity { id, roles, .. } = &*entry.identity;
        // Each text is there twice: to be looked at, and to be told to services.
        let roles: usize = roles.iter().map(|role| size_of::<String>() + 2 * role.len() + 1).sum();
        u64::try_from(ENTRY.max(ENTRY / 2 + 2 * id.len() + roles)).unwrap_or(u64::MAX)
    }
}
