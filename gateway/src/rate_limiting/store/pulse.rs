//! The probe that finds a store again, and the word of every gateway that it lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::AsyncConnectionConfig;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::script::{self, Failure};
use super::{LIFE, Link, Store, in_time};

/// How often a gateway says that it lives, and how often it tries a store that is gone.
const BEAT: Duration = Duration::from_millis(500);

/// How long a connection may take to be made. Nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// Connects again and again, and beats while connected, until nobody holds the store any more.
pub(super) async fn keep(store: Weak<Store>) {
    while let Some(held) = store.upgrade() {
        match held.connect().await {
            Ok((link, gateways)) => {
                held.restore(&link, gateways);
                drop(held);
                beat(&store, &link).await;
            }
            Err(failure) => {
                held.fail(&failure);
                drop(held);
            }
        }
        time::sleep(BEAT).await;
    }
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
    /// Makes a connection and tries it out.
    async fn connect(&self) -> Result<(Arc<Link>, u32), Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(CONNECT));
        let client = self.location.client();
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection =
            time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))?;
        let gateways = in_time(script::beat(&mut connection, &self.id, LIFE)).await?;
        let (made, broken) = (Instant::now(), CancellationToken::new());
        Ok((Arc::new(Link { connection, made, broken }), gateways))
    }

    /// The store decides again.
    fn restore(&self, link: &Arc<Link>, gateways: u32) {
        self.link.store(Some(Arc::clone(link)));
        self.known.send_modify(|known| {
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
