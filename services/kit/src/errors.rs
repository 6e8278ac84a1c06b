//! How work in a transaction fails, and statuses that say why in a form a program can read.
//!
//! What went wrong inside goes to the log; the caller learns only what it can act on.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The `domain` of every `google.rpc.ErrorInfo` of the shop.
pub const DOMAIN: &str = "shop.example";

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The business says no.
    #[error(transparent)]
    Status(#[from] Status),
    /// The database says no.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Status(status) => status,
            Failure::Database(error) if is_busy(&error) => {
                tracing::warn!(%error, "gave up waiting for the database");
                Self::unavailable("the database is busy, try again")
            }
            Failure::Database(error) => {
                tracing::error!(%error, "the database failed");
                Self::internal("internal error")
            }
        }
    }
}

/// A status with a `google.rpc.ErrorInfo`: `reason` in `UPPER_SNAKE_CASE`, the shop's domain, and `metadata`.
pub fn reason<const N: usize>(
    code: Code,
    message: impl Into<String>,
    reason: &str,
    metadata: [(&str, String); N],
) -> Status {
    let metadata: HashMap<_, _> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, metadata),
    )
}

/// A refusal of the moment, with a `google.rpc.RetryInfo`: the same request may succeed after `delay`.
pub fn retry_later(code: Code, message: impl Into<String>, delay: Duration) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(delay)))
}

/// The one answer for what does not exist and for what the caller may not know to exist.
pub fn not_found(what: &str, id: &str) -> Status {
    // A message is a header: what a client makes up is not repeated at any length.
    if id.len() > 64 {
        return Status::not_found(format!("there is no such {what}"));
    }
    Status::not_found(format!("there is no {what} {id:?}"))
}

/// Whether another process held the lock for longer than we wait.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_said_stays_inside() {
        let status = Status::from(Failure::Database(rusqlite::Error::InvalidColumnName(
            "password_hash".to_owned(),
        )));
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    }

    #[test]
    fn a_reason_travels_as_error_info() {
        let status = reason(
            Code::FailedPrecondition,
            "no",
            "OUT_OF_STOCK",
            [("productIds", "p-1".to_owned())],
        );
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OUT_OF_STOCK", DOMAIN));
        assert_eq!(info.metadata["productIds"], "p-1");
    }
}
