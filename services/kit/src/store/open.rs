//! Opening a database file and bringing it to the latest version, while replicas may be doing the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::errors::is_busy;

/// How long a statement waits for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);
const NAP: Duration = Duration::from_millis(10);

/// One step from a version of the tables to the next; the first may seed. The time is the service's clock.
pub type Migration = fn(&Transaction<'_>, Timestamp) -> rusqlite::Result<()>;

/// Why a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder can't be made.
    #[error("can't create the folder {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The file can't be opened, read or written, or is no database.
    #[error("can't use the database {}", .0.display())]
    File(PathBuf, #[source] rusqlite::Error),
    /// Its tables are of a later release.
    #[error("the database {} is of a newer version ({found}) than this program knows ({known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: usize,
        /// The latest version this program makes.
        known: usize,
    },
    /// The thread that opened it ended early.
    #[error("opening the database was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

pub(super) fn open(path: &Path, access: Access) -> Result<Connection, StoreError> {
    if let Some(folder) =
        path.parent().filter(|folder| access == Access::Write && !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|error| StoreError::Folder(folder.to_owned(), error))?;
    }
    connect(path, access).map_err(|error| StoreError::File(path.to_owned(), error))
}

/// Runs the migrations that the file has not seen; `user_version` counts those that it has.
pub(super) fn migrate(
    path: &Path,
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::File(path.to_owned(), error);
    let transaction =
        Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
    let version: i64 =
        transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let (found, known) = (usize::try_from(version).unwrap_or(usize::MAX), migrations.len());
    let Some(missing) = migrations.get(found..) else {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    };
    for migration in missing {
        migration(&transaction, now).map_err(failed)?;
    }
    let version = i64::try_from(known).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    // No URI file names: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let create =
        if access == Access::Write { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let connection = Connection::open_with_flags(path, flags | create)?;
    connection.busy_timeout(PATIENCE)?;
    if access == Access::Write {
        patiently(|| connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "query_only", access == Access::Read)?;
    // Reads the file's header, so that what is no database is found now.
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// SQLite's own patience does not cover the change to WAL, which replicas that start together all attempt.
fn patiently<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let mut left = PATIENCE;
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && left > NAP => {
                thread::sleep(NAP);
                left -= NAP;
            }
            done => return done,
        }
    }
}
