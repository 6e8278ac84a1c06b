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
    refresh: Duration,
    server: Option<SocketAddr>,
}

impl Settings {
    /// Those of the section.
    pub(crate) fn of(config: &load_balancing::Config) -> Self {
        let health = config.health_check.clone();
        Self { health, refresh: config.dns_refresh.duration(), server: config.dns_server }
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
        Peer::new(address, authority.as_deref(), Arc::clone(&self.trouble)).map(Arc::new)
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
