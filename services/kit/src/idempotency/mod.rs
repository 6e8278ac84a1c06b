//! The same idempotency key gives the same answer, whatever is killed in between.
//!
//! The key's row lives in the service's own database, so that key and effect are committed together. While a request
//! is at work its row is *leased*: the holder renews the lease, and when it dies the lease runs out after
//! [`LEASE`], after which the next request with the key takes the work over where it stands. Only the holder of the
//! row may finish it, so of two that both believe to hold it one fails to commit.
//!
//! [`begin`] claims the key, [`Claim::hold`] keeps the claim while the work takes its steps, and [`Claim::finish`] stores
//! the outcome. What is not final (`UNAVAILABLE` and its like) is never stored.

mod claim;
mod outcome;
mod request;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tonic::Code;

use self::claim::lease_end;
pub use self::{
    claim::{Claim, LEASE, Lease},
    outcome::{Outcome, REPLAYED},
    request::Request,
};
use crate::{
    Clock, Failure, Shutdown, Store, Timestamp,
    clock::later,
    errors::{reason, retry_later},
    sweep,
};

/// Goes into a service's first migration.
///
/// `code` is null while a request is at work, and then the gRPC code of its outcome; `body` is the encoded answer
/// (code 0) or the encoded `google.rpc.Status` of the refusal. `subject` is the service's to use: what the request is about.
/// Times are microseconds since 1970.
pub const TABLE: &str = "
    CREATE TABLE idempotency (
        principal   TEXT    NOT NULL,
        rpc         TEXT    NOT NULL,
        key         TEXT    NOT NULL,
        fingerprint BLOB    NOT NULL,
        owner       TEXT    NOT NULL,
        lease_until INTEGER NOT NULL,
        subject     TEXT,
        code        INTEGER,
        message     TEXT,
        body        BLOB,
        create_time INTEGER NOT NULL,
        PRIMARY KEY (principal, rpc, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_by_age ON idempotency (create_time);
";

/// How long a key is known: its outcome, or its unfinished work once nobody holds it.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(24);

const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
const PURGE_EVERY: std::time::Duration = std::time::Duration::from_mins(10);

/// What a request with a key is to do.
#[derive(Debug)]
pub enum Begin {
    /// The work; [`Claim::subject`] tells whether somebody began it before.
    Work(Claim),
    /// Nothing: it was done before, and this is the answer.
    Replay(Outcome),
}

/// Claims the key within the caller's transaction.
///
/// `FAILED_PRECONDITION` (`IDEMPOTENCY_KEY_REUSED`) when the key came with another request before; ABORTED when
/// another request with the key is at work just now.
pub fn begin(
    transaction: &Transaction<'_>,
    request: &Request,
    now: Timestamp,
) -> Result<Begin, Failure> {
    forget(transaction, request, now)?;
    let Some(row) = find(transaction, request)? else {
        return Ok(Begin::Work(Claim::new(transaction, request, now)?));
    };
    if row.fingerprint != request.fingerprint {
        let message = "this idempotency key was used for another request; use a new key";
        return Err(reason(Code::FailedPrecondition, message, "IDEMPOTENCY_KEY_REUSED", []).into());
    }
    if let Some(outcome) = row.outcome {
        return Ok(Begin::Replay(outcome));
    }
    // A lease is never longer than `LEASE`: one that ends later was written before the clock was set back.
    if (now.as_microsecond() + 1..=lease_end(now)).contains(&row.lease_until) {
        let message = "a request with this idempotency key is at work, try again in a moment";
        return Err(retry_later(Code::Aborted, message, RETRY_AFTER).into());
    }
    Ok(Begin::Work(Claim::take_over(transaction, request, row.subject, now)?))
}

/// Deletes keys that are past their [retention](RETENTION) until the service stops: a [task](crate::Site::task).
pub async fn purge(store: Store, clock: Clock, shutdown: Shutdown) {
    sweep::every(PURGE_EVERY, &shutdown, || {
        let (store, now) = (store.clone(), clock.now());
        async move {
            if let Err(error) =
                store.write(move |transaction| Ok(forget_all(transaction, now)?)).await
            {
                tracing::warn!(%error, "could not purge old idempotency keys");
            }
        }
    })
    .await;
}

struct Row {
    fingerprint: Vec<u8>,
    lease_until: i64,
    subject: Option<String>,
    outcome: Option<Outcome>,
}

fn find(connection: &Connection, request: &Request) -> rusqlite::Result<Option<Row>> {
    let sql = "SELECT fingerprint, lease_until, subject, code, message, body FROM idempotency
               WHERE principal = ?1 AND rpc = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row(params![request.principal, request.rpc, request.key], |row| {
        let code: Option<i32> = row.get(3)?;
        let outcome = match code {
            Some(code) => Some(Outcome { code, message: row.get(4)?, body: row.get(5)? }),
            None => None,
        };
        Ok(Row {
            fingerprint: row.get(0)?,
            lease_until: row.get(1)?,
            subject: row.get(2)?,
            outcome,
        })
    });
    row.optional()
}

/// Rows past their retention, unless somebody is at work. Its parameters are 1 to 3 of [`age`].
const OLD: &str =
    "create_time <= ?1 AND (code IS NOT NULL OR lease_until <= ?2 OR lease_until > ?3)";

/// When a row must have begun to be old, and between which times a live lease ends.
fn age(now: Timestamp) -> [i64; 3] {
    [later(now, -RETENTION).as_microsecond(), now.as_microsecond(), lease_end(now)]
}

fn forget_all(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<usize> {
    transaction.execute(&format!("DELETE FROM idempotency WHERE {OLD}"), age(now))
}

/// A key past its retention is as good as never used, also before the purge comes by.
fn forget(
    transaction: &Transaction<'_>,
    request: &Request,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let [before, dead, live] = age(now);
    let sql =
        format!("DELETE FROM idempotency WHERE {OLD} AND principal = ?4 AND rpc = ?5 AND key = ?6");
    let values = params![before, dead, live, request.principal, request.rpc, request.key];
    transaction.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

#[cfg(test)]
mod tests;
