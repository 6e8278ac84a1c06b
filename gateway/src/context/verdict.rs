//! What a failure means to the client.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Code;

/// One row of the table in `error.rs`, filled in.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The row's name, the last part of the problem's `type`; `None` where the HTTP status says all.
    pub(crate) row: Option<&'static str>,
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The canonical gRPC code.
    pub(crate) code: Code,
    /// What was wrong and what to do, in words the client may read.
    pub(crate) detail: String,
    /// A machine-readable cause, for example `IDEMPOTENCY_KEY_REUSED`.
    pub(crate) reason: Option<String>,
    /// When trying again may help.
    pub(crate) retry_after: Option<Duration>,
    /// Who is at fault.
    pub(crate) origin: Origin,
    /// An encoded `google.rpc.Status` whose details go to the client; empty when there are none.
    pub(crate) details: Bytes,
    /// What the service sent beside its failure; of it only what is allowed goes to the client.
    pub(crate) metadata: HeaderMap,
    /// Headers that the status requires, such as `Allow` or `WWW-Authenticate`.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The request was wrong or not allowed.
    Client,
    /// The gateway itself failed.
    Gateway,
    /// A service failed, or could not be reached.
    Upstream,
}

/// The name of a canonical code, as `google.rpc.Code` spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
