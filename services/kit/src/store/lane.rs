//! A fixed number of connections and a bounded queue of those who wait for one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

use crate::{Failure, errors::retry_later};

/// As many calls may wait for a connection, or have one; the next is refused at once.
const QUEUE: usize = 512;
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Lane {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    queue: Semaphore,
}

impl Lane {
    pub(super) fn of(connections: Vec<Connection>) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(connections.len()));
        Arc::new(Self { idle: Mutex::new(connections), free, queue: Semaphore::new(QUEUE) })
    }

    pub(super) async fn run<T, F>(self: &Arc<Self>, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    {
        let overloaded =
            |_| retry_later(Code::Unavailable, "the database is busy, try again", RETRY_AFTER);
        let _place = self.queue.try_acquire().map_err(overloaded)?;
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let permit = permit.map_err(|_| Status::unavailable("the service is stopping"))?;
        let mut lent = Lent::take(Arc::clone(self), permit);
        let work = tokio::task::spawn_blocking(move || lent.with(work)).await;
        work.unwrap_or_else(|panic| {
            tracing::error!(%panic, "work on the database panicked");
            Err(Status::internal("internal error").into())
        })
    }
}

/// A connection that goes back when it is dropped, also by a panic.
struct Lent {
    connection: Option<Connection>,
    lane: Arc<Lane>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn take(lane: Arc<Lane>, permit: OwnedSemaphorePermit) -> Self {
        let connection = lane.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { connection, lane, _permit: permit }
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // There are as many permits as connections, so this is never empty.
        self.connection
            .as_mut()
            .map_or_else(|| Err(Status::internal("internal error").into()), work)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut idle = self.lane.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
    }
}
