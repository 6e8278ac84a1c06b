//! One line of `endpoints`, and the endpoints there are because of it. It outlives a reload of the configuration.
//!
//! An address that is a name is asked for again and again. What was found last holds until something else is found: a
//! name service that is gone, or says that there is nobody, takes away nobody who may still be there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time;
use tonic::transport;

use super::Peer;
use super::address::Address;
use super::resolver::{Resolve, Resolved, resolver};
use crate::load_balancing::{self, HealthCheck, Member};

/// The shortest time between two questions for the same name, whatever happens.
const PAUSE: Duration = Duration::from_secs(1);

/// What a source goes by: with other settings it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    health: HealthCheck,
    ping: Duration,
    refresh: Duration,
    server: Option<SocketAddr>,
}

impl Settings {
    /// Those of the section.
    pub(crate) fn of(config: &load_balancing::Config) -> Self {
        let health = config.health_check.clone();
        let (ping, refresh) = (config.ping_interval.duration(), config.dns_refresh.duration());
        Self { health, ping, refresh, server: config.dns_server }
    }
}

/// Where endpoints come from.
pub(crate) struct Source {
    address: Address,
    settings: Settings,
    resolve: Resolve,
    /// Those there are, each with its weight.
    found: watch::Sender<Vec<Member<Arc<Peer>>>>,
    /// Told when a connection fails: the address may have moved.
    trouble: Arc<Notify>,
    started: AtomicBool,
    asked: AtomicBool,
}

impl Source {
    /// A source that knows a literal address, and asks for nothing yet. Needs a runtime.
    pub(crate) fn new(address: Address, settings: Settings) -> Result<Self, transport::Error> {
        let resolve = resolver(settings.server);
        Self::asking(address, settings, resolve)
    }

    fn asking(
        address: Address,
        settings: Settings,
        resolve: Resolve,
    ) -> Result<Self, transport::Error> {
        let source = Self {
            found: watch::Sender::new(Vec::new()),
            trouble: Arc::default(),
            started: AtomicBool::new(false),
            asked: AtomicBool::new(matches!(address, Address::Literal(_))),
            address,
            settings,
            resolve,
        };
        if let Address::Literal(literal) = source.address {
            let peer = source.peer(literal)?;
            source.found.send_replace(vec![Member { peer, weight: 1 }]);
        }
        Ok(source)
    }

    /// The endpoints there are, and news of others.
    pub(super) fn found(&self) -> watch::Receiver<Vec<Member<Arc<Peer>>>> {
        self.found.subscribe()
    }

    /// Whether the name was asked for once and each endpoint was, well or badly.
    pub(super) fn tried(&self) -> bool {
        self.asked.load(Ordering::Acquire)
            && self.found.borrow().iter().all(|member| member.peer.tried())
    }

    /// Begins to ask: for the name, and the endpoints how they are. Does so once.
    pub(super) fn start(self: &Arc<Self>) {
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        for member in self.found.borrow().iter() {
            member.peer.watch(&self.settings.health);
        }
        if !matches!(self.address, Address::Literal(_)) {
            tokio::spawn(follow(Arc::downgrade(self)));
        }
    }

    fn peer(&self, address: SocketAddr) -> Result<Arc<Peer>, transport::Error> {
        let authority = self.address.authority();
        let (ping, moved) = (self.settings.ping, Arc::clone(&self.trouble));
        Peer::new(address, authority.as_deref(), ping, moved).map(Arc::new)
    }

    /// Takes over what was found. Whoever is still there stays who it was.
    fn take(&self, endpoints: &[(SocketAddr, u32)]) {
        let old: HashMap<Arc<str>, Arc<Peer>> = self
            .found
            .borrow()
            .iter()
            .map(|member| (Arc::clone(member.peer.endpoint().address()), Arc::clone(&member.peer)))
            .collect();
        let mut members: Vec<Member<Arc<Peer>>> = Vec::new();
        for (address, weight) in endpoints {
            let known = old.get(&*format!("http://{address}")).cloned();
            let Ok(peer) = known.map_or_else(|| self.peer(*address), Ok) else { continue };
            if members.iter().all(|member| !Arc::ptr_eq(&member.peer, &peer)) {
                peer.watch(&self.settings.health);
                members.push(Member { peer, weight: *weight });
            }
        }
        self.found.send_if_modified(|found| {
            let key = |member: &Member<Arc<Peer>>| {
                (Arc::clone(member.peer.endpoint().address()), member.weight)
            };
            let mut sets = [&*found, &members].map(|set| set.iter().map(key).collect::<Vec<_>>());
            // Name services like to shuffle.
            for set in &mut sets {
                set.sort_unstable();
            }
            let [before, after] = sets;
            let other = before != after;
            if other {
                let (address, addresses) = (&self.address, after.iter().map(|(address, _)| &**address));
                let addresses = addresses.collect::<Vec<_>>().join(", ");
                tracing::info!(%address, endpoints = addresses, "the endpoints of a name are others");
                *found = members;
            }
            other
        });
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.address).finish()
    }
}

/// Asks for the name for as long as somebody uses what it stands for.
async fn follow(source: Weak<Source>) {
    let mut failing = false;
    loop {
        let Some(this) = source.upgrade() else { return };
        let answer = (this.resolve)(this.address.clone()).await;
        let answer = answer.and_then(|Resolved { endpoints, ttl }| {
            if endpoints.is_empty() {
                Err("the answer is empty".into())
            } else {
                Ok((endpoints, ttl))
            }
        });
        let address = &this.address;
        let pause = match answer {
            Ok((mut endpoints, ttl)) => {
                if failing {
                    tracing::info!(%address, "the name service answers again");
                }
                failing = false;
                endpoints.sort_unstable();
                endpoints.dedup_by_key(|(address, _)| *address);
                this.take(&endpoints);
                ttl.min(this.settings.refresh)
            }
            Err(cause) => {
                if !failing {
                    let endpoints = this.found.borrow().len();
                    tracing::warn!(
                        %address, %cause, endpoints,
                        "a name can't be resolved: its endpoints stay those that were found last"
                    );
                }
                failing = true;
                this.settings.refresh
            }
        };
        this.asked.store(true, Ordering::Release);
        let trouble = Arc::clone(&this.trouble);
        drop(this);
        time::sleep(PAUSE).await;
        let _at_once_or_in_time =
            time::timeout(pause.saturating_sub(PAUSE), trouble.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::context::BoxError;

    const SECOND: Duration = Duration::from_secs(1);

    /// A source whose name service says what the test says, and how often it was asked.
    struct Told {
        source: Arc<Source>,
        answer: Arc<Mutex<Result<Resolved, String>>>,
        asked: Arc<AtomicUsize>,
    }

    fn told(ttl: Duration) -> Told {
        let answer = Arc::new(Mutex::new(Ok(at(&[1], ttl))));
        let asked = Arc::new(AtomicUsize::new(0));
        let resolve: Resolve = {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            Arc::new(move |_| {
                asked.fetch_add(1, Ordering::Relaxed);
                let answer = answer.lock().unwrap().clone().map_err(BoxError::from);
                Box::pin(async { answer })
            })
        };
        let settings = Settings::of(&load_balancing::Config::default());
        let source = Source::asking(Address::parse("http://a:1").unwrap(), settings, resolve);
        Told { source: Arc::new(source.unwrap()), answer, asked }
    }

    /// Addresses at which nobody is.
    fn at(hosts: &[u8], ttl: Duration) -> Resolved {
        let address = |host: &u8| (SocketAddr::from(([127, 0, 1, *host], 9)), 1);
        Resolved { endpoints: hosts.iter().map(address).collect(), ttl }
    }

    fn peers(source: &Source) -> Vec<Arc<Peer>> {
        source.found().borrow().iter().map(|member| Arc::clone(&member.peer)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stays_is_the_same_and_thirty_seconds_of_nothing_take_nobody_away() {
        let Told { source, answer, asked } = told(SECOND / 2);
        source.start();
        time::sleep(SECOND / 2).await;
        let first = peers(&source);
        *answer.lock().unwrap() = Ok(at(&[2, 1], SECOND / 2));
        time::sleep(2 * SECOND).await;
        let both = peers(&source);
        assert_eq!(both.len(), 2);
        assert!(both.iter().any(|peer| Arc::ptr_eq(peer, &first[0])));
        for nothing in [Ok(at(&[], SECOND)), Err("no answer".to_owned())] {
            *answer.lock().unwrap() = nothing;
            let before = asked.load(Ordering::Relaxed);
            time::sleep(30 * SECOND).await;
            assert!(asked.load(Ordering::Relaxed) >= before + 5);
            let now = peers(&source);
            assert_eq!(now.len(), 2);
            assert!(now.iter().zip(&both).all(|(now, then)| Arc::ptr_eq(now, then)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_is_reason_to_ask_at_once_but_not_more_than_once_a_second() {
        let Told { source, asked, .. } = told(Duration::from_hours(1));
        source.start();
        time::sleep(SECOND + SECOND / 2).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        source.trouble.notify_one();
        time::sleep(SECOND / 100).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        for _ in 0..20 {
            source.trouble.notify_one();
            time::sleep(SECOND / 10).await;
        }
        assert!(asked.load(Ordering::Relaxed) <= 4, "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_when_nobody_uses_it() {
        let Told { source, asked, .. } = told(SECOND);
        source.start();
        time::sleep(2 * SECOND).await;
        drop(source);
        let before = asked.load(Ordering::Relaxed);
        time::sleep(30 * SECOND).await;
        assert_eq!(asked.load(Ordering::Relaxed), before);
    }
}
