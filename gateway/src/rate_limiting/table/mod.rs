//! What is remembered of each key: bounded, and never at the cost of who is limited.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use tokio::time::Instant;

/// In how many pieces a table is locked and swept: what has to stop for either is a thousandth of it.
const SHARDS: usize = 1024;

/// How many keys a piece has room for: a million in all, and a quarter more because hashes do not fill pieces evenly.
const KEYS_PER_SHARD: usize = 1280;

/// A key as a table knows it: 128 bits of two keyed hashes (`SipHash`), each with its own random key. Whoever chooses
/// keys can't choose where they fall, nor make one fall on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u64; 2]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[1]);
    }
}

/// What a limiter looks up: a key, and whether what it decides is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Visit {
    pub(super) key: Key,
    /// Without this a decision is only looked at: nothing is taken.
    pub(super) charge: bool,
}

/// The theoretical arrival times of GCRA, in nanoseconds since the table was made.
///
/// A key is kept while it differs from one that was never seen. When there is no room for a new one, all new keys share
/// one entry: they are limited together, but nobody who is limited gets away, and nobody is without a limit.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) origin: Instant,
    hashers: [RandomState; 2],
    shards: Box<[Mutex<Shard>]>,
    overflow: Mutex<Option<u64>>,
}

#[derive(Debug, Default)]
struct Shard {
    arrivals: HashMap<Key, u64, BuildHasherDefault<Hashed>>,
    /// Before this time no entry can be dropped.
    earliest: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            hashers: [RandomState::new(), RandomState::new()],
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            overflow: Mutex::new(None),
        }
    }

    /// The key of something.
    pub(super) fn key(&self, of: &impl Hash) -> Key {
        Key([self.hashers[0].hash_one(of), self.hashers[1].hash_one(of)])
    }

    /// How many keys are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).arrivals.len()).sum()
    }

    fn shard(&self, key: Key) -> Option<&Mutex<Shard>> {
        let index = usize::try_from(key.0[0] % self.shards.len() as u64).unwrap_or_default();
        self.shards.get(index)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Shard {
    /// Whether a new key may be written down. Before the piece grows, what is as good as never seen is dropped: of each
    /// entry that happens once, and what is looked through is a thousandth of the table.
    fn has_room(&mut self, now: impl FnOnce() -> u64) -> bool {
        if self.arrivals.len() < self.arrivals.capacity().min(KEYS_PER_SHARD) {
            return true;
        }
        let now = now();
        if now >= self.earliest {
            self.arrivals.retain(|_, arrival| *arrival > now);
            self.earliest = self.arrivals.values().copied().min().unwrap_or(now);
            if self.arrivals.len() < self.arrivals.capacity() / 4 {
                self.arrivals.shrink_to(self.arrivals.len() * 2);
            }
        }
        self.arrivals.len() < KEYS_PER_SHARD
    }
}

/// The table as the state of a limiter; several limiters may have the same.
#[derive(Clone, Debug)]
pub(super) struct Kept(pub(super) Arc<Table>);

impl StateStore for Kept {
    type Key = Visit;

    fn measure_and_replace<T, F, E>(&self, visit: &Visit, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Some(shard) = self.0.shard(visit.key) else {
            return decide_shared(&self.0.overflow, visit.charge, decide);
        };
        let mut shard = lock(shard);
        if let Some(arrival) = shard.arrivals.get_mut(&visit.key) {
            let (outcome, next) = decide(Some(Nanos::from(*arrival)))?;
            if visit.charge {
                *arrival = next.as_u64();
            }
            return Ok(outcome);
        }
        if !shard.has_room(|| self.0.now()) {
            drop(shard);
            return decide_shared(&self.0.overflow, visit.charge, decide);
        }
        let (outcome, next) = decide(None)?;
        if visit.charge {
            shard.earliest = shard.earliest.min(next.as_u64());
            shard.arrivals.insert(visit.key, next.as_u64());
        }
        Ok(outcome)
    }
}

/// Decides by the entry that all keys without one share.
fn decide_shared<T, E>(
    entry: &Mutex<Option<u64>>,
    charge: bool,
    decide: impl Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
) -> Result<T, E> {
    let mut entry = lock(entry);
    let (outcome, next) = decide(entry.map(Nanos::from))?;
    if charge {
        *entry = Some(next.as_u64());
    }
    Ok(outcome)
}

/// What a panic left behind is a whole entry or none: nothing is written in two steps.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;
