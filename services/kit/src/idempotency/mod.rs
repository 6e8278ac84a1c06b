//! The same idempotency key gives the same answer, whatever is killed in between.
//!
//! The key's row lives in the service's own database, so that key and effect are committed together. While a request
//! is at work its row is *leased*: the holder renews the lease, and when it dies the lease runs out after
//! [`LEASE`], after which the next request with the key takes the work over where it stands. Only the holder of the
//! row may finish it, so of two that both believe to hold it one fails to commit.
//!
//! Work that fits one transaction uses [`once`]. Work of several steps uses [`begin`], [`Claim::hold`] and
//! [`Claim::finish`]. What is not final (`UNAVAILABLE` and its like) is never stored.

mod claim;
mod outcome;
mod request;

use jiff::SignedDuration;
use prost::Message;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tonic::{Code, Response, Status};

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

/// How long an outcome is kept.
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
    if row.lease_until > now.as_microsecond() {
        let message = "a request with this idempotency key is at work, try again in a moment";
        return Err(retry_later(Code::Aborted, message, RETRY_AFTER).into());
    }
    Ok(Begin::Work(Claim::take_over(transaction, request, row.subject, now)?))
}

/// Does `effect` once for the key, in one transaction with it, and replays its outcome afterwards.
///
/// A final refusal of `effect` is stored, and nothing that it wrote.
pub async fn once<M, F>(
    store: &Store,
    clock: &Clock,
    request: Request,
    effect: F,
) -> Result<Response<M>, Status>
where
    M: Message + Default + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<M, Failure> + Send + 'static,
{
    let now = clock.now();
    let answer = store
        .write(move |transaction| {
            let claim = match begin(transaction, &request, now)? {
                Begin::Work(claim) => claim,
                Begin::Replay(outcome) => return Ok(outcome.replay()),
            };
            transaction.execute_batch("SAVEPOINT effect")?;
            let answer = match effect(transaction) {
                Ok(answer) => Ok(answer),
                Err(Failure::Status(status)) if outcome::is_final(status.code()) => {
                    transaction.execute_batch("ROLLBACK TO effect")?;
                    Err(status)
                }
                Err(failure) => return Err(failure),
            };
            claim.finish(transaction, answer.as_ref())?;
            Ok(answer.map(Response::new))
        })
        .await;
    answer?
}

/// Deletes outcomes that are past their [retention](RETENTION) until the service stops: a [task](crate::Site::task).
pub async fn purge(store: Store, clock: Clock, shutdown: Shutdown) {
    sweep::every(PURGE_EVERY, &shutdown, || {
        let (store, before) = (store.clone(), later(clock.now(), -RETENTION).as_microsecond());
        let sql = "DELETE FROM idempotency WHERE create_time <= ?1 AND code IS NOT NULL";
        async move {
            if let Err(error) =
                store.write(move |transaction| Ok(transaction.execute(sql, [before])?)).await
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

/// A finished key past its retention is as good as never used, also before the purge comes by.
fn forget(
    transaction: &Transaction<'_>,
    request: &Request,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM idempotency WHERE principal = ?1 AND rpc = ?2 AND key = ?3
               AND create_time <= ?4 AND code IS NOT NULL";
    let before = later(now, -RETENTION).as_microsecond();
    transaction.prepare_cached(sql)?.execute(params![
        request.principal,
        request.rpc,
        request.key,
        before
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
