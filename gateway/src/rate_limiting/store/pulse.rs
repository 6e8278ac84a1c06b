//! The probe that finds a store again, and the word of every gateway that it lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::AsyncConnectionConfig;
use tokio::runtime::Handle;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::script::{self, Failure};
use super::{LIFE, Link, Store, in_time};

/// How often a gateway says that it lives, and how often it tries a store that is gone.
const BEAT: Duration = Duration::from_millis(500);

/// How long a connection may take to be made. Nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection that lives shorter than this was not worth its making.
const SHORT: Duration = Duration::from_secs(1);

/// How long a store is left alone at most.
const LONGEST: Duration = Duration::from_secs(4);

/// Connects again and again, and beats while connected, until nobody holds the store any more.
pub(super) async fn keep(store: Weak<Store>) {
    let mut pause = BEAT;
    while let Some(held) = store.upgrade() {
        let mut wait = BEAT;
        match held.connect().await {
            Ok((link, gateways)) => {
                held.restore(&link, gateways);
                drop(held);
                beat(&store, &link).await;
                pause = pause_after(link.made.elapsed(), pause);
                wait = pause;
            }
            Err(failure) => {
                held.fail(&failure);
                drop(held);
            }
        }
        time::sleep(wait).await;
    }
}

/// How long to wait after a connection that lived so long. A store that answers probes and fails requests costs some of
/// them their patience each time it is used again, so that is done less and less often. Who was only gone is used again at
/// once.
fn pause_after(life: Duration, before: Duration) -> Duration {
    if life < SHORT { LONGEST.min(before * 2) } else { BEAT }
}

/// Beats until the link breaks or the store is dropped.
async fn beat(store: &Weak<Store>, link: &Arc<Link>) {
    loop {
        tokio::select! {
            () = link.broken.cancelled() => return,
            () = time::sleep(BEAT) => {}
        }
        let Some(store) = store.upgrade() else { return };
        let mut connection = link.connection.clone();
        // Nobody waits for a beat, so it may take its time; that the store is slow is for requests to find out.
        let beat = script::beat(&mut connection, &store.id, LIFE);
        match time::timeout(CONNECT, beat).await.unwrap_or(Err(Failure::Late(CONNECT))) {
            Ok(gateways) => store.heard(link, gateways),
            Err(failure) => return store.lose(link, &failure),
        }
    }
}

impl Store {
    /// Makes a connection and tries out both that is asked of it: whether it takes the word of a gateway says nothing about
    /// whether it decides.
    async fn connect(&self) -> Result<(Arc<Link>, u32), Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        let client = self.location.client();
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection =
            time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))?;
        let gateways = in_time(script::beat(&mut connection, &self.id, LIFE)).await?;
        in_time(script::decide(&mut connection, &[script::probe(&self.id)])).await?;
        let (runtime, made, broken) = (Handle::current(), Instant::now(), CancellationToken::new());
        Ok((Arc::new(Link { connection, runtime, made, broken }), gateways))
    }

    /// The store decides again.
    fn restore(&self, link: &Arc<Link>, gateways: u32) {
        self.known.send_modify(|known| {
            self.link.store(Some(Arc::clone(link)));
            known.shared = true;
            known.gateways = gateways.max(known.gateways);
            known.cause = None;
        });
    }

    /// It was tried in vain.
    fn fail(&self, failure: &Failure) {
        self.known.send_if_modified(|known| {
            let first = known.cause.is_none();
            known.cause.get_or_insert_with(|| failure.to_string().into());
            first
        });
    }
}

fn late() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_as_soon_as_it_is_used_is_used_less_and_less_often() {
        let mut pause = BEAT;
        let mut pauses = Vec::new();
        for life in [0, 10, 999, 500, 0, 1000, 60_000, 3] {
            pause = pause_after(Duration::from_millis(life), pause);
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [1000, 2000, 4000, 4000, 4000, 500, 500, 1000]);
    }
}
