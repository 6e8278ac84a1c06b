//! What goes on beside the calls of an upstream: its endpoints change, and it is said when one of them does badly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time;

use super::{Peer, Source, Upstream};
use crate::load_balancing::{Member, Standing};

/// How often the endpoints are looked at for what is to be said of them: more often than any of them is asked how it is.
const LOOK: Duration = Duration::from_millis(100);

/// What ends with the upstream.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<JoinSet<()>>);

/// The endpoints of all sources; one that two of them know counts once.
pub(super) fn members(sources: &[(Arc<Source>, u32)]) -> Vec<Member<Arc<Peer>>> {
    let mut members: Vec<Member<Arc<Peer>>> = Vec::new();
    for (source, weight) in sources {
        for found in source.found().borrow().iter() {
            let address = found.peer.endpoint().address();
            if members.iter().all(|member| member.peer.endpoint().address() != address) {
                let weight = found.weight.saturating_mul(*weight);
                members.push(Member { peer: Arc::clone(&found.peer), weight });
            }
        }
    }
    members
}

impl Upstream {
    /// Begins to ask where the endpoints are and how they are. Needs a runtime.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut tasks = self.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() {
            return;
        }
        for (source, _) in &self.sources {
            let (upstream, mut found) = (Arc::downgrade(self), source.found());
            tasks.spawn(async move {
                while found.changed().await.is_ok() {
                    let Some(upstream) = upstream.upgrade() else { return };
                    upstream.refresh();
                }
            });
            source.start();
        }
        tasks.spawn(tell(Arc::downgrade(self)));
        drop(tasks);
        // What was found between making this and listening.
        self.refresh();
    }

    /// Whether each name was asked for once, and each endpoint how it is.
    pub(crate) fn tried(&self) -> bool {
        self.sources.iter().all(|(source, _)| source.tried())
    }

    fn refresh(&self) {
        self.balancer.update(members(&self.sources));
    }
}

/// Says it when an endpoint is left out, and when it is back.
async fn tell(upstream: Weak<Upstream>) {
    let mut out = HashMap::new();
    let mut pace = time::interval(LOOK);
    loop {
        pace.tick().await;
        let Some(upstream) = upstream.upgrade() else { return };
        let name = &upstream.name;
        let mut still = HashMap::new();
        for endpoint in upstream.balancer.snapshot() {
            let address = endpoint.address;
            let told = out.remove(&address);
            match endpoint.standing {
                Standing::In | Standing::Returning(_) if told.is_some() => {
                    tracing::info!(upstream = %name, endpoint = %address, "an endpoint is back");
                }
                Standing::In | Standing::Returning(_) => {}
                standing => {
                    let reason = standing.to_string();
                    if told.as_ref() != Some(&reason) {
                        tracing::warn!(
                            upstream = %name, endpoint = %address, reason,
                            "an endpoint is left out"
                        );
                    }
                    still.insert(address, reason);
                }
            }
        }
        out = still;
    }
}
