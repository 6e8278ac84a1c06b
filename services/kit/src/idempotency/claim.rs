//! The right to do the work of a key, and the lease that keeps it.

use std::time::Duration;

use prost::Message;
use rusqlite::{Connection, ToSql, Transaction, params, params_from_iter};
use tokio::task::AbortHandle;
use tonic::{Code, Status};

use super::{
    outcome::{Outcome, is_final},
    request::Request,
};
use crate::{Clock, Failure, Store, Timestamp, clock::later, ids};

/// How long a row stays claimed after its holder was last seen alive.
pub const LEASE: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// The work of one key, until it is finished or given up.
#[derive(Clone, Debug)]
pub struct Claim {
    principal: String,
    rpc: String,
    key: String,
    owner: String,
    subject: Option<String>,
}

impl Claim {
    /// What an earlier holder [noted](Self::note); none when the work is new.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Writes down what the work is about, for example the id of the order it makes, for whoever takes it over.
    pub fn note(&self, transaction: &Transaction<'_>, subject: &str) -> Result<(), Failure> {
        self.update(transaction, "subject = ?5", &[&subject])
    }

    /// Stores the outcome, in the transaction of its effect. An outcome that is not final is not stored: the claim is
    /// given up, and the next request with the key resumes the work.
    ///
    /// ABORTED when another holder has taken the work over: the effect must not be committed then.
    pub fn finish<M: Message>(
        &self,
        transaction: &Transaction<'_>,
        answer: Result<&M, &Status>,
    ) -> Result<(), Failure> {
        if let Err(status) = answer
            && !is_final(status.code())
        {
            return self.update(transaction, "lease_until = ?5", &[&0]);
        }
        let outcome = Outcome::from(answer);
        let change = "code = ?5, message = ?6, body = ?7, lease_until = 0";
        self.update(transaction, change, &[&outcome.code, &outcome.message, &outcome.body])
    }

    /// Keeps the claim alive while the work goes on, until the lease is dropped: then it is given up at once, unless
    /// it was finished.
    pub fn hold(&self, store: &Store, clock: &Clock) -> Lease {
        let (claim, store, clock) = (self.clone(), store.clone(), clock.clone());
        let renewal = tokio::spawn({
            let (claim, store) = (claim.clone(), store.clone());
            async move {
                loop {
                    tokio::time::sleep(RENEW_EVERY).await;
                    let (claim, until) = (claim.clone(), lease_end(clock.now()));
                    let renewed = store
                        .write(move |tx| claim.update(tx, "lease_until = ?5", &[&until]))
                        .await;
                    match renewed {
                        Ok(()) => {}
                        Err(Failure::Status(status)) if status.code() == Code::Aborted => return,
                        Err(error) => tracing::warn!(%error, "could not renew a lease"),
                    }
                }
            }
        });
        Lease { renewal: renewal.abort_handle(), claim, store }
    }

    pub(super) fn new(
        transaction: &Transaction<'_>,
        request: &Request,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let claim = Self::owned(request, None);
        let sql = "INSERT INTO idempotency (principal, rpc, key, owner, fingerprint, lease_until, create_time)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        transaction.prepare_cached(sql)?.execute(params![
            claim.principal,
            claim.rpc,
            claim.key,
            claim.owner,
            request.fingerprint,
            lease_end(now),
            now.as_microsecond()
        ])?;
        Ok(claim)
    }

    pub(super) fn take_over(
        transaction: &Transaction<'_>,
        request: &Request,
        subject: Option<String>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let claim = Self::owned(request, subject);
        let sql = "UPDATE idempotency SET owner = ?4, lease_until = ?5
                   WHERE principal = ?1 AND rpc = ?2 AND key = ?3 AND code IS NULL";
        let mut statement = transaction.prepare_cached(sql)?;
        statement.execute(params![
            claim.principal,
            claim.rpc,
            claim.key,
            claim.owner,
            lease_end(now)
        ])?;
        Ok(claim)
    }

    fn owned(request: &Request, subject: Option<String>) -> Self {
        let (principal, rpc, key) =
            (request.principal.clone(), request.rpc.clone(), request.key.clone());
        Self { principal, rpc, key, owner: ids::fresh(), subject }
    }

    /// Changes the row if it is still ours and unfinished; `values` are the parameters from the fifth on.
    fn update(
        &self,
        connection: &Connection,
        change: &str,
        values: &[&dyn ToSql],
    ) -> Result<(), Failure> {
        let sql = format!(
            "UPDATE idempotency SET {change}
             WHERE principal = ?1 AND rpc = ?2 AND key = ?3 AND owner = ?4 AND code IS NULL"
        );
        let ours: [&dyn ToSql; 4] = [&self.principal, &self.rpc, &self.key, &self.owner];
        let parameters = params_from_iter(ours.iter().chain(values));
        if connection.prepare_cached(&sql)?.execute(parameters)? == 0 {
            return Err(
                Status::aborted("another request with this idempotency key took over").into()
            );
        }
        Ok(())
    }
}

/// A claim that is being kept alive.
#[derive(Debug)]
#[must_use = "the claim is given up when this is dropped"]
pub struct Lease {
    renewal: AbortHandle,
    claim: Claim,
    store: Store,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        let (claim, store) = (self.claim.clone(), self.store.clone());
        // Without a runtime the process is ending, and the lease runs out by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // A failure means that the work was finished or taken over, or that the lease runs out by itself.
            runtime.spawn(async move {
                store.write(move |tx| claim.update(tx, "lease_until = ?5", &[&0])).await
            });
        }
    }
}

pub(super) fn lease_end(now: Timestamp) -> i64 {
    let lease = jiff::SignedDuration::try_from(LEASE).unwrap_or_default();
    later(now, lease).as_microsecond()
}
