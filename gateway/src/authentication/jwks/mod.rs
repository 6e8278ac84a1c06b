//! The keys of an issuer: fetched, kept fresh, and kept when a fetch goes wrong.
//!
//! One task per set does all the fetching, so a hundred requests that need the keys at once are one fetch, and a
//! client that goes away interrupts nothing. An answer replaces the keys only when it holds a usable one: an issuer
//! in trouble does not lock everybody out, and it never makes anybody welcome.

mod fetch;
mod keys;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use futures_util::future::BoxFuture;
use reqwest::Url;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use self::fetch::{ClientError, FetchError};
pub(super) use self::keys::Key;
use self::keys::Keys;
use super::{Algorithm, Error};

/// The least time between attempts that unknown keys cause: whoever invents key ids cannot make us flood the issuer.
const COOLDOWN: Duration = Duration::from_secs(30);
/// The same while there are no keys at all, and nobody can sign in.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// The time after which keys are fetched again without being asked, so that a withdrawn one disappears.
const REFRESH: Duration = Duration::from_mins(5);
/// The first and the longest pause after failures while there are no keys.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long keys serve without having been confirmed.
const MAX_AGE: Duration = Duration::from_hours(24);
/// How long a request waits for an attempt.
const PATIENCE: Duration = Duration::from_secs(3);

type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Keys, FetchError>> + Send + Sync>;

/// The keys of one issuer. It outlives configurations: keep one per URL and algorithm.
pub(crate) struct KeySet {
    shared: Arc<Shared>,
    task: Mutex<Option<AbortHandle>>,
}

/// How a key set is doing.
#[cfg(test)]
pub(super) struct Snapshot {
    /// Keys that tokens can be verified with at the moment.
    pub(super) usable: usize,
    /// How the last attempt failed; `None` when it went well.
    pub(super) failure: Option<Arc<FetchError>>,
}

struct Shared {
    fetch: Fetch,
    /// The last good answer.
    good: ArcSwapOption<Good>,
    progress: watch::Sender<Progress>,
}

struct Good {
    keys: Keys,
    at: Instant,
}

#[derive(Default)]
struct Progress {
    /// Attempts begun. The last one runs while fewer have ended.
    begun: u64,
    ended: u64,
    last_begun: Option<Instant>,
    /// A request asks for the next attempt.
    wanted: bool,
    failure: Option<Arc<FetchError>>,
}

impl KeySet {
    /// The keys for this algorithm that are published at this URL. Nothing is fetched before [`Self::warm`] or the
    /// first token.
    ///
    /// # Errors
    ///
    /// When the URL is https and this machine has no certificates to trust.
    pub(crate) fn new(url: Url, algorithm: Algorithm) -> Result<Self, ClientError> {
        let client = fetch::client(&url)?;
        Ok(Self::over(Box::new(move || {
            Box::pin(fetch::fetch(client.clone(), url.clone(), algorithm))
        })))
    }

    fn over(fetch: Fetch) -> Self {
        let shared =
            Shared { fetch, good: ArcSwapOption::empty(), progress: watch::Sender::default() };
        Self { shared: Arc::new(shared), task: Mutex::new(None) }
    }

    /// Starts fetching, now and again, until the set is dropped. Does nothing when that is under way already.
    /// Must be called within a tokio runtime, on which the fetching then stays.
    pub(crate) fn warm(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            *task = Some(tokio::spawn(keep_fresh(Arc::clone(&self.shared))).abort_handle());
        }
    }

    /// Waits for the end of the first attempt, and tells why it failed.
    pub(crate) async fn first_attempt(&self) -> Result<(), Arc<FetchError>> {
        let mut progress = self.shared.progress.subscribe();
        let ended = progress.wait_for(|progress| progress.ended > 0).await;
        ended.ok().and_then(|progress| progress.failure.clone()).map_or(Ok(()), Err)
    }

    /// Whether an attempt has ended, well or badly.
    pub(crate) fn tried(&self) -> bool {
        self.shared.progress.borrow().ended > 0
    }

    #[cfg(test)]
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { usable: self.usable(), failure: self.shared.progress.borrow().failure.clone() }
    }

    fn usable(&self) -> usize {
        self.shared.usable().map_or(0, |good| good.keys.all.len())
    }

    /// Whether tokens may still be verified with this very key.
    pub(super) fn holds(&self, key: &Arc<Key>) -> bool {
        self.shared
            .usable()
            .is_some_and(|good| good.keys.all.iter().any(|held| Arc::ptr_eq(held, key)))
    }

    /// The key with this id; for a token without one, the only key. A key that is not known makes the issuer be
    /// asked again, unless that was done just now.
    pub(super) async fn key(&self, kid: Option<&str>) -> Result<Arc<Key>, Error> {
        let floor = match self.shared.find(kid) {
            Err(Error::UnknownKey) => COOLDOWN,
            Err(Error::KeysUnavailable { .. }) => IMPATIENCE,
            found => return found,
        };
        if let Some(attempt) = self.shared.ask(floor) {
            self.warm();
            let mut progress = self.shared.progress.subscribe();
            let ended = progress.wait_for(|progress| progress.ended >= attempt);
            let _ = timeout(PATIENCE, ended).await;
        }
        // Whether the attempt ended in time, too late, or in the instant before it was asked for: what counts is what
        // is there now.
        self.shared.find(kid)
    }
}

impl Drop for KeySet {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.shared.good.load().as_ref().map_or(0, |good| good.keys.skipped);
        write!(f, "KeySet({} keys usable, {skipped} skipped)", self.usable())
    }
}

impl Shared {
    fn usable(&self) -> Option<Arc<Good>> {
        self.good.load_full().filter(|good| good.at.elapsed() < MAX_AGE)
    }

    fn find(&self, kid: Option<&str>) -> Result<Arc<Key>, Error> {
        match self.usable() {
            Some(good) => good.keys.find(kid),
            None => Err(Error::KeysUnavailable { cause: self.progress.borrow().failure.clone() }),
        }
    }

    /// Asks for an attempt and says which one to wait for; `None` when the last one began too short a time ago.
    fn ask(&self, floor: Duration) -> Option<u64> {
        let mut attempt = None;
        self.progress.send_if_modified(|progress| {
            if progress.begun > progress.ended {
                attempt = Some(progress.begun);
            } else if progress.last_begun.is_none_or(|begun| begun.elapsed() >= floor) {
                attempt = Some(progress.begun + 1);
                progress.wanted = true;
                return true;
            }
            false
        });
        attempt
    }

    fn begin(&self) {
        self.progress.send_modify(|progress| {
            progress.begun += 1;
            progress.last_begun = Some(Instant::now());
            progress.wanted = false;
        });
    }

    fn end(&self, outcome: Result<Keys, FetchError>) {
        let failure = match outcome {
            Ok(keys) => {
                let keys = match self.good.load().as_ref() {
                    Some(good) => keys.reusing(&good.keys),
                    None => keys,
                };
                self.good.store(Some(Arc::new(Good { keys, at: Instant::now() })));
                None
            }
            Err(error) => Some(Arc::new(error)),
        };
        self.progress.send_modify(|progress| {
            progress.ended = progress.begun;
            progress.failure = failure;
        });
    }
}

async fn keep_fresh(shared: Arc<Shared>) {
    let mut progress = shared.progress.subscribe();
    let mut failures = 0_u32;
    loop {
        shared.begin();
        let outcome = (shared.fetch)().await;
        failures = if outcome.is_ok() { 0 } else { failures.saturating_add(1) };
        shared.end(outcome);
        let pause = jittered(pause(failures, shared.usable().is_some()));
        tokio::select! {
            () = sleep(pause) => {}
            _ = progress.wait_for(|progress| progress.wanted) => {}
        }
    }
}

/// The time until the next attempt that nobody asks for.
fn pause(failures: u32, have_keys: bool) -> Duration {
    let (first, longest) = if have_keys { (COOLDOWN, REFRESH) } else { BACKOFF };
    match failures {
        0 => REFRESH,
        _ => first.saturating_mul(2_u32.saturating_pow(failures - 1)).min(longest),
    }
}

/// Up to a fifth more or less, so that gateways that started together do not ask together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0];
    // Without randomness there is no jitter, and nothing worse.
    let _ = SystemRandom::new().fill(&mut random);
    pause.mul_f64(0.8 + 0.4 * f64::from(random[0]) / 255.0)
}

#[cfg(test)]
pub(super) mod tests;
