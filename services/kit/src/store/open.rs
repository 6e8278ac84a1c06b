//! Opening a database file and bringing it to the latest version, while replicas may be doing the same.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use aws_lc_rs::digest;
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
    /// SQLite takes the name for a database that is gone with the process.
    #[error("the database {:?} is no file (choose one with --database or DATABASE)", path.display())]
    NoFile {
        /// The name.
        path: PathBuf,
    },
    /// It is another program's.
    #[error("the database {} is not the {service} service's (choose another with --database or DATABASE)", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The service that wanted it.
        service: &'static str,
    },
    /// Its version is no number of migrations.
    #[error("the database {} is damaged: its version is {found}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
    },
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
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(StoreError::NoFile { path: path.to_owned() });
    }
    if let Some(folder) =
        path.parent().filter(|folder| access == Access::Write && !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|error| StoreError::Folder(folder.to_owned(), error))?;
    }
    if access == Access::Write {
        // Keys and password hashes are nobody else's to read. SQLite gives the files beside it the same mode, and says
        // itself what is wrong when the file can't be made.
        let _ = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    }
    connect(path, access).map_err(|error| StoreError::File(path.to_owned(), error))
}

/// Runs the migrations that the file has not seen; `user_version` counts those that it has. The first run marks the
/// file as the service's.
pub(super) fn migrate(
    service: &'static str,
    path: &Path,
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::File(path.to_owned(), error);
    let transaction =
        Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
    let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let (version, mark) = (number("PRAGMA user_version")?, mark(service));
    let is_new = version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0;
    match number("PRAGMA application_id")? {
        0 if is_new => {
            transaction.pragma_update(None, "application_id", mark).map_err(failed)?;
        }
        found if found == i64::from(mark) => {}
        _ => return Err(StoreError::Foreign { path: path.to_owned(), service }),
    }
    let Ok(found) = usize::try_from(version) else {
        return Err(StoreError::Version { path: path.to_owned(), found: version });
    };
    let known = migrations.len();
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

/// What `application_id` is in the files of a service: 31 bits of a hash of its name, and never 0, which is nobody's.
fn mark(service: &str) -> i32 {
    let hash = digest::digest(&digest::SHA256, service.as_bytes());
    let number = hash.as_ref().iter().take(4).fold(0, |sum, byte| (sum << 8) | i32::from(*byte));
    (number & i32::MAX).max(1)
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
