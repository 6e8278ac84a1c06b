//! What outlives a configuration: whatever learns.
//!
//! Connections, what is in flight at an endpoint, keys and verified tokens stay when the configuration is replaced,
//! as long as their own settings stay the same. Otherwise a reload would reconnect everything and forgive everyone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::authentication::{Algorithm, ClientError, KeySet, TokenCache, TrustedIssuer};
use crate::upstream::{InvalidAddress, Peer};

/// How many verified tokens are remembered.
const TOKENS: usize = 10_000;

/// Everything that is remembered, by name and parameters.
#[derive(Debug)]
pub(crate) struct Memory {
    peers: HashMap<(String, String), Arc<Peer>>,
    key_sets: HashMap<(String, Algorithm), Arc<KeySet>>,
    tokens: Arc<TokenCache>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            peers: HashMap::new(),
            key_sets: HashMap::new(),
            tokens: Arc::new(TokenCache::new(TOKENS)),
        }
    }
}

impl Memory {
    /// The connection of an upstream to an address.
    pub(super) fn peer(
        &mut self,
        upstream: &str,
        address: &str,
    ) -> Result<Arc<Peer>, InvalidAddress> {
        let key = (upstream.to_owned(), address.to_owned());
        if let Some(peer) = self.peers.get(&key) {
            return Ok(Arc::clone(peer));
        }
        let peer = Arc::new(Peer::new(address)?);
        self.peers.insert(key, Arc::clone(&peer));
        Ok(peer)
    }

    /// The keys of an issuer.
    pub(super) fn key_set(&mut self, issuer: &TrustedIssuer) -> Result<Arc<KeySet>, ClientError> {
        let key = (issuer.jwks.to_string(), issuer.algorithm);
        if let Some(keys) = self.key_sets.get(&key) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(KeySet::new(issuer.jwks.clone(), issuer.algorithm)?);
        self.key_sets.insert(key, Arc::clone(&keys));
        Ok(keys)
    }

    /// The tokens that were verified.
    pub(super) fn tokens(&self) -> Arc<TokenCache> {
        Arc::clone(&self.tokens)
    }

    /// Forgets what no pipeline uses any more.
    pub(crate) fn forget_unused(&mut self) {
        self.peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        self.key_sets.retain(|_, keys| Arc::strong_count(keys) > 1);
    }
}
