//! What a service's own failure means to the client, and how much of what it says is passed on.
//!
//! - A failure that is the client's to mend passes whole: message, reason, details.
//! - `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED` and `CANCELLED` are the service's own trouble. They pass when a
//!   `google.rpc.ErrorInfo` with a reason shows that they were written for clients; otherwise the sentence is ours.
//! - `INTERNAL`, `UNKNOWN` and `DATA_LOSS` tell of the service's insides, whatever they carry: the sentence is ours.
//! - A `google.rpc.DebugInfo` never passes; a `google.rpc.RetryInfo` always does, it holds a time and nothing else.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

use super::{LATE, unauthenticated, verdict};
use crate::authentication;
use crate::context::{Origin, Verdict};
use crate::transcoding::Spelling;

/// The verdict on a status that came from a service.
pub(super) fn service(status: &Status) -> Verdict {
    let code = status.code();
    let mut details =
        pb::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let retry_after = retry_delay(&details);
    let told = |info: &pb::ErrorInfo| !info.reason.is_empty();
    let reason = find::<pb::ErrorInfo>(&details, "ErrorInfo").filter(told).map(|info| info.reason);
    let (origin, ours) = match code {
        Code::Internal | Code::Unknown | Code::DataLoss => {
            (Origin::Upstream, Some("the service failed on this request"))
        }
        Code::Unavailable => (Origin::Upstream, Some("the service is not available at the moment")),
        Code::DeadlineExceeded => (Origin::Upstream, Some(LATE)),
        Code::Unimplemented => (Origin::Upstream, Some("the service does not offer this")),
        Code::Cancelled => (Origin::Upstream, Some("the service gave this request up")),
        _ => (Origin::Client, None),
    };
    let inside = matches!(code, Code::Internal | Code::Unknown | Code::DataLoss);
    let reason = reason.filter(|_| !inside);
    let ours = ours.filter(|_| reason.is_none());
    details.retain(|any| match name(any) {
        "google.rpc.DebugInfo" => false,
        "google.rpc.RetryInfo" => true,
        _ => ours.is_none(),
    });
    let message = ours.unwrap_or(status.message());
    let verdict = Verdict {
        reason,
        retry_after,
        metadata: status.metadata().clone().into_headers(),
        details: encode(code, message, details),
        ..verdict(None, http_status(code), code, origin, message.to_owned())
    };
    if code == Code::Unauthenticated {
        unauthenticated(verdict, authentication::CHALLENGE)
    } else {
        verdict
    }
}

/// The status with the places of its `google.rpc.BadRequest` as the client spells them; `None` when none differs.
pub(super) fn spelled(status: &Status, spelling: &Spelling<'_>) -> Option<Status> {
    let mut told = pb::Status::decode(status.details()).ok()?;
    let mut differs = false;
    for any in told.details.iter_mut().filter(|any| name(any) == "google.rpc.BadRequest") {
        let Ok(mut bad) = pb::BadRequest::decode(any.value.as_slice()) else { continue };
        for violation in &mut bad.field_violations {
            if let Some(spelled) = spelling.of(&violation.field) {
                violation.field = spelled;
                differs = true;
            }
        }
        any.value = bad.encode_to_vec();
    }
    let (code, message) = (status.code(), status.message());
    let (details, metadata) = (told.encode_to_vec().into(), status.metadata().clone());
    differs.then(|| Status::with_details_and_metadata(code, message, details, metadata))
}

/// The details with a status around them that says the same as the headers.
fn encode(code: Code, message: &str, details: Vec<Any>) -> Bytes {
    if details.is_empty() {
        return Bytes::new();
    }
    let status = pb::Status { code: code as i32, message: message.to_owned(), details };
    status.encode_to_vec().into()
}

fn name(any: &Any) -> &str {
    any.type_url.rsplit('/').next().unwrap_or_default()
}

fn find<M: prost::Message + Default>(details: &[Any], message: &str) -> Option<M> {
    let any = details.iter().find(|any| name(any).strip_prefix("google.rpc.") == Some(message))?;
    M::decode(any.value.as_slice()).ok()
}

/// The delay of a `google.rpc.RetryInfo`. Read by hand: the library overflows on the least of all durations.
fn retry_delay(details: &[Any]) -> Option<Duration> {
    let delay = find::<pb::RetryInfo>(details, "RetryInfo")?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// The HTTP status of a canonical code (google/rpc/code.proto).
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Internal | Code::Unknown | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
