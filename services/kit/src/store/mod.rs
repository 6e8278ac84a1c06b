//! One SQLite file, shared by the replicas of a service on one host.
//!
//! A write is one immediate transaction: it sees the latest state, and no other writer, of this process or another,
//! comes between. A read sees one snapshot and never waits for a writer. Both run on blocking threads, through a fixed
//! number of connections and a bounded queue. What is committed is on disk (WAL, `synchronous=FULL`).

mod lane;
mod open;

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;

pub use self::open::{Migration, StoreError};
use self::{lane::Lane, open::Access};
use crate::{Clock, Failure};

const READERS: usize = 4;

/// A service's database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Arc<Lane>,
    readers: Arc<Lane>,
    changed: watch::Sender<()>,
}

impl Store {
    /// Opens the file, creates it when it is not there, and brings it to the latest version: the migrations that it
    /// has not seen run in one transaction, so a replica that starts at the same moment sees all of them or none. The
    /// file is `service`'s from then on: no other opens it.
    pub async fn open(
        service: &'static str,
        path: &Path,
        migrations: &'static [Migration],
        clock: &Clock,
    ) -> Result<Self, StoreError> {
        let (path, now) = (path.to_owned(), clock.now());
        tokio::task::spawn_blocking(move || {
            let writer = open::open(&path, Access::Write)?;
            open::migrate(service, &path, &writer, migrations, now)?;
            let readers: Result<Vec<_>, _> =
                (0..READERS).map(|_| open::open(&path, Access::Read)).collect();
            Ok(Self {
                writer: Lane::of(vec![writer]),
                readers: Lane::of(readers?),
                changed: watch::Sender::new(()),
            })
        })
        .await
        .unwrap_or_else(|panic| Err(StoreError::Interrupted(panic)))
    }

    /// Runs `work` in an immediate transaction. It commits when `work` answers `Ok`, and leaves no trace otherwise.
    ///
    /// Once begun, `work` runs to its end also when the caller goes away.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let changed = self.changed.clone();
        self.writer
            .run(move |connection| {
                let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
                let answer = work(&transaction)?;
                transaction.commit()?;
                changed.send_replace(());
                Ok(answer)
            })
            .await
    }

    /// Runs `work` over one snapshot. Writing in it is an error.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        self.readers
            .run(move |connection| {
                let transaction = Transaction::new(connection, TransactionBehavior::Deferred)?;
                work(&transaction)
            })
            .await
    }

    /// Told after every write of this process, but not of the others.
    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests;
