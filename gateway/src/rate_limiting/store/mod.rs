//! Limits that several gateways count together, in a Redis; and what holds while it is gone.
//!
//! A call has [`PATIENCE`]. After one that failed or took longer nobody asks any more: every decision is made here, with
//! this gateway's share of each limit, until a probe in the background has had an answer. So a store that hangs costs
//! each request under way its patience once, and all later ones nothing.

mod location;
mod pulse;
mod script;
mod thread;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::{task, time};
use tokio_util::sync::CancellationToken;

pub(crate) use location::Location;
pub(super) use script::Question;

use super::bucket::Decision;
use script::Failure;

/// How long a request waits for the store at most, once: 50 ms with everything that comes on top of timers, each of which
/// may be a millisecond late.
const PATIENCE: Duration = Duration::from_millis(36);

/// How often it looks in that time.
const TICKS: u32 = 3;

/// How long the word of a gateway counts that it lives.
const LIFE: Duration = Duration::from_secs(3);

/// How many turns it takes until what lies in a socket has been read and handed on, with one to spare.
const TURNS: usize = 4;

/// What is known about the store at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Whether it decides.
    pub(crate) shared: bool,
    /// How many gateways lived when it was last heard of, this one included.
    pub(crate) gateways: u32,
    /// Why it does not decide; unknown before the first try.
    pub(crate) cause: Option<Arc<str>>,
}

/// A store, whether it can be reached or not.
#[derive(Debug)]
pub(crate) struct Store {
    location: Location,
    /// The gateway's: one gateway is one, even while an old pipeline still holds another store.
    id: Arc<str>,
    /// The connection by which decisions are asked for; none while they are made here.
    link: ArcSwapOption<Link>,
    known: watch::Sender<Snapshot>,
    begun: AtomicBool,
}

#[derive(Debug)]
struct Link {
    connection: MultiplexedConnection,
    /// Where it is read.
    runtime: Handle,
    made: Instant,
    /// Becomes true when the first call fails: others that wait for the same server wait no longer.
    broken: CancellationToken,
}

impl Store {
    /// A store that is not connected to yet.
    pub(crate) fn new(location: Location, id: Arc<str>) -> Self {
        let known = Snapshot { shared: false, gateways: 1, cause: None };
        Self {
            location,
            id,
            link: ArcSwapOption::empty(),
            known: watch::Sender::new(known),
            begun: AtomicBool::new(false),
        }
    }

    /// Connects in the background and stays connected, as long as somebody holds the store; answers whether this was the
    /// first time. Needs a runtime.
    pub(crate) fn warm(self: &Arc<Self>) -> bool {
        let first = !self.begun.swap(true, Ordering::Relaxed);
        if first {
            thread::run(Arc::downgrade(self));
        }
        first
    }

    /// Where it is, without what is secret about it.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// What is known about it, now and from now on; ends with the store.
    pub(crate) fn snapshot(&self) -> watch::Receiver<Snapshot> {
        self.known.subscribe()
    }

    /// Whether it was tried once, well or badly.
    pub(crate) fn tried(&self) -> bool {
        let known = self.known.borrow();
        known.shared || known.cause.is_some()
    }

    /// How many gateways share what the store decides when it does.
    pub(super) fn gateways(&self) -> u32 {
        self.known.borrow().gateways
    }

    /// Decides in the store; `None` when that has to be done here. No answer is never a yes.
    pub(super) async fn decide(
        self: &Arc<Self>,
        questions: Vec<Question>,
    ) -> Option<Vec<Decision>> {
        let link = self.link.load_full()?;
        let store = Arc::clone(self);
        let runtime = link.runtime.clone();
        runtime.spawn(async move { store.ask(&link, &questions).await }).await.ok()?
    }

    async fn ask(&self, link: &Arc<Link>, questions: &[Question]) -> Option<Vec<Decision>> {
        let mut connection = link.connection.clone();
        let asked = tokio::select! {
            asked = in_time(script::decide(&mut connection, questions)) => asked,
            () = link.broken.cancelled() => return None,
        };
        match asked {
            Ok((decisions, gateways)) => {
                self.heard(link, gateways);
                Some(decisions)
            }
            Err(failure) => {
                self.lose(link, &failure);
                None
            }
        }
    }

    /// How many gateways there are, heard over a link. A store that has just come back has not heard of all of them yet:
    /// for a while the count only rises.
    fn heard(&self, link: &Link, gateways: u32) {
        if self.gateways() == gateways || (link.made.elapsed() < LIFE && gateways < self.gateways())
        {
            return;
        }
        self.known.send_modify(|known| known.gateways = gateways);
    }

    /// Stops asking over a link.
    fn lose(&self, link: &Arc<Link>, failure: &Failure) {
        link.broken.cancel();
        // What is known changes together with the link, under one lock: or a link that breaks while it is taken into use
        // would be known to decide for as long as the next one takes.
        self.known.send_if_modified(|known| {
            let held = self.link.compare_and_swap(link, None);
            // A failure of an older link says nothing about the one that came after it.
            let ours = held.as_ref().is_some_and(|held| Arc::ptr_eq(held, link));
            if ours {
                known.shared = false;
                known.cause = Some(failure.to_string().into());
            }
            ours
        });
    }
}

/// No call takes longer than patience lasts.
///
/// A gateway under load must not mistake itself for a slow store. So the store has a thread of its own, and that must have
/// had its turn some times, however long that took. And when patience has run out, the answer may have come and not have
/// been read: then everything that is ready has a turn once more, which takes no time when there is nothing.
async fn in_time<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut call = pin!(call);
    let asked = Instant::now();
    let mut ticks = 0;
    while ticks < TICKS || asked.elapsed() < PATIENCE {
        if let Ok(answer) = time::timeout(PATIENCE / TICKS, call.as_mut()).await {
            return answer;
        }
        ticks += 1;
    }
    for _ in 0..TURNS {
        task::yield_now().await;
        if let Some(answer) = call.as_mut().now_or_never() {
            return answer;
        }
    }
    Err(Failure::Late(PATIENCE))
}
