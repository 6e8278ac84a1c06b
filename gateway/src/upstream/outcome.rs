//! How one try ended: what the client would be told, whether another may do better, what it says about the endpoint.

use std::sync::Arc;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::answer::Interrupted;
use super::peer::Full;
use super::{Error, Peer};
use crate::context::Failure;
use crate::load_balancing::{Outcome, Pick};
use crate::resilience::{DeadlineExceeded, Miss, Permit, Pushback};

/// A try that brought no answer.
#[derive(Debug)]
pub(super) struct Missed {
    /// What the client would be told.
    pub(super) error: Error,
    /// Its canonical code.
    pub(super) code: Code,
    /// How it failed, when another try may do better.
    pub(super) miss: Option<Miss>,
    health: Health,
}

/// What a try says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// It answered. How soon it says no tells nothing about how soon it would say yes.
    Well,
    /// It answered that it can't do this, or not now: others may.
    Unable,
    /// It answered with what may be its own fault or that of the request: others are better, but it may be asked.
    Doubtful,
    /// It did not, or said itself that it can't.
    Ill,
    /// Nothing.
    Unknown,
}

impl Missed {
    /// Tells the service's own word from a failure on the way to it, of which the log is to know where it was.
    pub(super) fn judge(upstream: &Arc<str>, endpoint: &Arc<str>, failure: Failure) -> Self {
        let code = failure.code();
        match failure {
            Failure::Broken(source) if is_unreadable(&*source) => {
                // Which of its answers it is, the client may have chosen: that is no sign of a bad endpoint.
                let what = format!("its frames can't be taken: {source}");
                let error = Error::Failure(Failure::Malformed(what));
                Self { error, code: Code::Internal, miss: None, health: Health::Well }
            }
            Failure::Broken(source) => {
                let (miss, health) = if caused_by::<Full>(&*source) {
                    (Miss::Unsent, Health::Unknown)
                } else if caused_by::<tonic::ConnectError>(&*source) {
                    (Miss::Unsent, Health::Ill)
                } else if caused_by::<Interrupted>(&*source) {
                    (Miss::Lost, Health::Ill)
                } else if let Some(health) = refusal(&*source) {
                    (Miss::Refused, health)
                } else {
                    (Miss::Lost, Health::Ill)
                };
                let (upstream, endpoint) = (Arc::clone(upstream), Arc::clone(endpoint));
                let error = Error::Unreachable { upstream, endpoint, source };
                Self { error, code, miss: Some(miss), health }
            }
            Failure::Status(status) if code == Code::Unavailable => {
                let miss = Some(Miss::Unavailable(pushback(&status)));
                let error = Error::Failure(Failure::Status(status));
                Self { error, code, miss, health: Health::Ill }
            }
            Failure::Malformed(_) => {
                Self { error: failure.into(), code, miss: None, health: Health::Ill }
            }
            Failure::TooLarge => {
                Self { error: failure.into(), code, miss: None, health: Health::Well }
            }
            _ => Self { error: failure.into(), code, miss: None, health: Health::of(code) },
        }
    }

    /// There was no answer in the time of one try.
    pub(super) fn late(upstream: &Arc<str>, endpoint: &Arc<str>) -> Self {
        let (upstream, endpoint) = (Arc::clone(upstream), Arc::clone(endpoint));
        Self {
            error: Error::Late { upstream, endpoint },
            code: Code::DeadlineExceeded,
            miss: Some(Miss::Late),
            health: Health::Ill,
        }
    }

    /// The deadline passed. Whether the endpoint is at fault is known only if it had the time that one try may take.
    pub(super) fn timed_out(had_its_time: bool) -> Self {
        Self {
            error: DeadlineExceeded.into(),
            code: Code::DeadlineExceeded,
            miss: None,
            health: if had_its_time { Health::Ill } else { Health::Unknown },
        }
    }

    /// Whether the transport, which reads `grpc-timeout` too, noticed the deadline a moment before us.
    pub(super) fn is_deadline(failure: &Failure) -> bool {
        matches!(failure, Failure::Broken(source) if caused_by::<tonic::TimeoutExpired>(&**source))
    }

    /// Tells the balancer, the breaker, and whoever watches the endpoint.
    pub(super) fn tell(&self, pick: Pick<'_, Arc<Peer>>, permit: Permit) {
        match self.health {
            Health::Well => {
                permit.succeeded();
                pick.end(Outcome::Declined);
            }
            Health::Unable => {
                permit.succeeded();
                pick.end(Outcome::Unable);
            }
            Health::Doubtful => {
                permit.succeeded();
                pick.end(Outcome::Failed);
            }
            Health::Ill => {
                if !matches!(self.error, Error::Failure(_)) {
                    pick.peer().doubt();
                }
                permit.failed();
                pick.end(Outcome::Failed);
            }
            Health::Unknown => {}
        }
    }
}

impl Health {
    /// What a service's own word says about it.
    fn of(code: Code) -> Self {
        match code {
            Code::Unavailable => Self::Ill,
            Code::Unknown | Code::Internal | Code::DataLoss => Self::Doubtful,
            Code::ResourceExhausted | Code::Unimplemented => Self::Unable,
            // Whether it was too slow or had too little time, it does not know either.
            Code::DeadlineExceeded | Code::Cancelled => Self::Unknown,
            _ => Self::Well,
        }
    }
}

/// When the service wants to be asked again: as gRPC's own libraries say it, or by a `google.rpc.RetryInfo`.
fn pushback(status: &Status) -> Pushback {
    let told = status.metadata().get("grpc-retry-pushback-ms");
    let told = Pushback::read(told.map(MetadataValue::as_encoded_bytes));
    let info = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match (told, info) {
        (Pushback::Unsaid, Some(delay)) => Pushback::After(delay),
        (told, _) => told,
    }
}

/// Whether the endpoint says that it has not looked at the call, and what that says about it: it refused the stream, or
/// left before it came to it (RFC 9113, sections 6.8 and 8.7).
///
/// Whoever leaves says up to which call it has looked, whatever its reason, and h2 ends only those behind it with that
/// word. Who leaves because it should or because too many calls were given up (`ENHANCE_YOUR_CALM`) is not ill.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<Health> {
    causes(error).filter_map(<dyn std::error::Error>::downcast_ref::<h2::Error>).find_map(|error| {
        let left = error.is_go_away() && error.is_remote();
        match error.reason() {
            Some(h2::Reason::REFUSED_STREAM) => Some(Health::Unknown),
            Some(h2::Reason::NO_ERROR | h2::Reason::ENHANCE_YOUR_CALM) if left => {
                Some(Health::Unknown)
            }
            _ if left => Some(Health::Ill),
            _ => None,
        }
    })
}

/// Whether it was we who refused the frames of an answer, for example because its headers are too large.
fn is_unreadable(error: &(dyn std::error::Error + 'static)) -> bool {
    let h2 = causes(error).filter_map(<dyn std::error::Error>::downcast_ref::<h2::Error>);
    { h2 }.any(|error| error.is_reset() && error.is_library())
}

fn caused_by<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<E>)
}

/// What the transport says, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
