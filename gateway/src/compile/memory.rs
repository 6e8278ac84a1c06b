//! What outlives a configuration: whatever learns.
//!
//! Connections, what is in flight at an endpoint, keys, verified tokens and what limits have counted stay when the configuration is replaced,
//! as long as their own settings stay the same. Otherwise a reload would reconnect everything and forgive everyone.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use uuid::Uuid;

use crate::authentication::{Algorithm, ClientError, KeySet, TokenCache, TrustedIssuer};
use crate::context::{Allowance, BoxError};
use crate::rate_limiting::{self, By, Location, Store};
use crate::resilience::{self, Bulkhead, RetryBudget, Room};
use crate::setting::Percent;
use crate::upstream::{Address, Containment, Settings, Source};

/// How many verified tokens are remembered.
const TOKENS: usize = 10_000;

/// Everything that is remembered, by name and parameters.
///
/// It only finds again what pipelines hold. So what the last request of an old pipeline lets go ends there and then,
/// with its connections and its fetching of keys, and not at the next reload.
#[derive(Debug)]
pub(crate) struct Memory {
    sources: HashMap<(String, String, Settings), Weak<Source>>,
    bulkheads: HashMap<(String, Room), Weak<Bulkhead>>,
    budgets: HashMap<(String, Percent), Weak<RetryBudget>>,
    key_sets: HashMap<(String, Algorithm), Weak<KeySet>>,
    tokens: Arc<TokenCache>,
    limits: HashMap<(By, Arc<str>, u32, Duration), Weak<rate_limiting::Memory>>,
    stores: HashMap<String, Weak<Store>>,
    /// What tells this gateway from others that share a store.
    id: Arc<str>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
            bulkheads: HashMap::new(),
            budgets: HashMap::new(),
            key_sets: HashMap::new(),
            tokens: Arc::new(TokenCache::new(TOKENS)),
            limits: HashMap::new(),
            stores: HashMap::new(),
            id: Uuid::new_v4().simple().to_string().into(),
        }
    }
}

impl Memory {
    /// Where endpoints of an upstream come from, with the connections to them.
    pub(super) fn source(
        &mut self,
        upstream: &str,
        address: &str,
        settings: &Settings,
    ) -> Result<Arc<Source>, BoxError> {
        let key = (upstream.to_owned(), address.to_owned(), settings.clone());
        if let Some(source) = self.sources.get(&key).and_then(Weak::upgrade) {
            return Ok(source);
        }
        let source = Arc::new(Source::new(Address::parse(address)?, settings.clone())?);
        self.sources.insert(key, Arc::downgrade(&source));
        Ok(source)
    }

    /// What contains the failures of an upstream: its calls in flight, and its retries.
    pub(super) fn containment(
        &mut self,
        upstream: &str,
        written: &resilience::Config,
    ) -> Containment {
        let (room, share) = (written.room(upstream), written.budget(upstream));
        let name = || upstream.to_owned();
        let bulkhead = found(&mut self.bulkheads, (name(), room), || Bulkhead::new(room));
        let budget = found(&mut self.budgets, (name(), share), || RetryBudget::new(share));
        Containment { trip: written.trip(upstream), bulkhead, budget }
    }

    /// The keys of an issuer.
    pub(super) fn key_set(&mut self, issuer: &TrustedIssuer) -> Result<Arc<KeySet>, ClientError> {
        let key = (issuer.jwks.to_string(), issuer.algorithm);
        if let Some(keys) = self.key_sets.get(&key).and_then(Weak::upgrade) {
            return Ok(keys);
        }
        let keys = Arc::new(KeySet::new(issuer.jwks.clone(), issuer.algorithm)?);
        self.key_sets.insert(key, Arc::downgrade(&keys));
        Ok(keys)
    }

    /// The tokens that were verified.
    pub(super) fn tokens(&self) -> Arc<TokenCache> {
        Arc::clone(&self.tokens)
    }

    /// What a limit has counted. One that allows something else is another limit.
    pub(super) fn limit(
        &mut self,
        by: By,
        allowance: &Arc<Allowance>,
    ) -> Arc<rate_limiting::Memory> {
        let Allowance { name, burst, interval } = &**allowance;
        let key = (by, Arc::clone(name), *burst, *interval);
        if let Some(counted) = self.limits.get(&key).and_then(Weak::upgrade) {
            return counted;
        }
        let counted = Arc::new(rate_limiting::Memory::new(Arc::clone(allowance)));
        self.limits.insert(key, Arc::downgrade(&counted));
        counted
    }

    /// A store, with its connection.
    pub(super) fn store(&mut self, location: &Location) -> Arc<Store> {
        if let Some(store) = self.stores.get(location.url()).and_then(Weak::upgrade) {
            return store;
        }
        let store = Arc::new(Store::new(location.clone(), Arc::clone(&self.id)));
        self.stores.insert(location.url().to_owned(), Arc::downgrade(&store));
        store
    }

    /// Forgets the names of what no pipeline uses any more.
    pub(crate) fn forget_unused(&mut self) {
        self.sources.retain(|_, source| source.strong_count() > 0);
        self.bulkheads.retain(|_, bulkhead| bulkhead.strong_count() > 0);
        self.budgets.retain(|_, budget| budget.strong_count() > 0);
        self.key_sets.retain(|_, keys| keys.strong_count() > 0);
        self.limits.retain(|_, counted| counted.strong_count() > 0);
        self.stores.retain(|_, store| store.strong_count() > 0);
    }
}

/// What is in use by that key, or something new.
fn found<K: Eq + Hash, V>(
    known: &mut HashMap<K, Weak<V>>,
    key: K,
    new: impl FnOnce() -> V,
) -> Arc<V> {
    if let Some(used) = known.get(&key).and_then(Weak::upgrade) {
        return used;
    }
    let value = Arc::new(new());
    known.insert(key, Arc::downgrade(&value));
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancing;
    use crate::setting::Period;

    #[tokio::test]
    async fn what_is_in_use_is_found_again_and_nothing_else_is_kept() {
        let mut memory = Memory::default();
        let settings = Settings::of(&load_balancing::Config::default());
        let find = |memory: &mut Memory, settings: &Settings| {
            memory.source("user", "http://127.0.0.1:1", settings).unwrap()
        };
        let source = find(&mut memory, &settings);
        let again = find(&mut memory, &settings);
        assert!(Arc::ptr_eq(&source, &again));
        memory.forget_unused();
        assert!(Arc::ptr_eq(&source, &find(&mut memory, &settings)));
        let dns_refresh = Period::millis(7_000);
        let other = load_balancing::Config { dns_refresh, ..load_balancing::Config::default() };
        assert!(!Arc::ptr_eq(&source, &find(&mut memory, &Settings::of(&other))));
        // The last request of an old pipeline ends, and no reload follows.
        let old = Arc::downgrade(&source);
        drop((source, again));
        assert!(old.upgrade().is_none());
        memory.forget_unused();
        assert!(memory.sources.is_empty());
    }

    #[tokio::test]
    async fn what_a_limit_has_counted_is_found_again_as_long_as_it_allows_the_same() {
        let mut memory = Memory::default();
        let allowance = |name: &str, burst| {
            let interval = Duration::from_secs(1);
            Arc::new(Allowance { name: name.into(), burst, interval })
        };
        let counted = memory.limit(By::Principal, &allowance("a", 1));
        let same = memory.limit(By::Principal, &allowance("a", 1));
        assert!(Arc::ptr_eq(&counted, &same));
        for other in [
            memory.limit(By::Principal, &allowance("b", 1)),
            memory.limit(By::Principal, &allowance("a", 2)),
            memory.limit(By::Address, &allowance("a", 1)),
        ] {
            assert!(!Arc::ptr_eq(&counted, &other));
        }
        let location = |url| Location::parse(url).unwrap();
        let store = memory.store(&location("redis://127.0.0.1:1"));
        assert!(Arc::ptr_eq(&store, &memory.store(&location("redis://127.0.0.1:1"))));
        assert!(!Arc::ptr_eq(&store, &memory.store(&location("redis://127.0.0.1:1/1"))));
        drop((counted, same, store));
        memory.forget_unused();
        assert!(memory.limits.is_empty() && memory.stores.is_empty());
    }
}
