//! The one failure table: what each failure means to the client.
//!
//! Rooms return their own errors; only here do they become a status, a code and a sentence. The inner chain of an
//! error goes to the log, never to the client; how much of a service's own words passes is the rule of `service`.

mod service;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::authorization::{Denied, HIDDEN};
use crate::context::{
    Failure, Origin, RpcId, StreamFailure, StreamRecord, Verdict, code_name, seconds,
};
use crate::rate_limiting::Exceeded;
use crate::resilience::{DeadlineExceeded, InvalidTimeout};
use crate::transcoding::{InvalidFrame, Spelling, UnreadableBody};
use crate::{authentication, routing, transcoding, upstream};

/// Why a request failed.
#[derive(Debug, Error)]
pub(crate) enum GatewayError {
    /// The request is not one that a gateway may pass on.
    #[error("{problem}")]
    Insane {
        /// 400, 405 or 501.
        status: StatusCode,
        /// What is wrong with the request and what to do.
        problem: String,
        /// The methods that are taken, for a 405.
        allow: Option<HeaderValue>,
    },
    /// Room 1.
    #[error(transparent)]
    Routing(#[from] routing::Error),
    /// No such RPC is exposed.
    #[error("no such RPC is exposed")]
    UnknownRpc,
    /// Room 2.
    #[error(transparent)]
    Authentication(#[from] authentication::Error),
    /// Room 4.
    #[error(transparent)]
    RateLimiting(#[from] Exceeded),
    /// Room 3.
    #[error(transparent)]
    Authorization(#[from] Denied),
    /// The service knows no such object, and its rule lets nobody learn that from the answer.
    #[error("{HIDDEN}")]
    Hidden(#[source] upstream::Error),
    /// The client's own deadline is not one.
    #[error(transparent)]
    Timeout(#[from] InvalidTimeout),
    /// The deadline passed before the call began.
    #[error(transparent)]
    DeadlineExceeded(#[from] DeadlineExceeded),
    /// Room 7.
    #[error(transparent)]
    Transcoding(#[from] transcoding::Error),
    /// The configuration does not say where this RPC is served.
    #[error("no upstream serves {0}")]
    Unserved(RpcId),
    /// The upstream call.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The end of a stream that had begun.
    #[error(transparent)]
    Stream(#[from] Failure),
    /// The code of the gateway failed.
    #[error("the gateway failed on this request")]
    Panicked,
}

impl GatewayError {
    /// The error with everything that caused it, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut chain = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            // A status prints its sources too; they come in their turn.
            let status = error.downcast_ref::<Box<Status>>().map(|status| &**status);
            let text = match status.or_else(|| error.downcast_ref()) {
                Some(status) => format!("{} {}", code_name(status.code()), status.message()),
                None => error.to_string(),
            };
            // Libraries wrap an error and say it again; once is enough.
            if !chain.ends_with(&text) {
                chain.push_str(": ");
                chain.push_str(&text);
            }
            source = error.source();
        }
        chain
    }

    /// The same failure, with the fields of the request that a service complains of named as the client spells them.
    pub(crate) fn spelled(mut self, spelling: &Spelling<'_>) -> Self {
        if let Self::Upstream(upstream::Error::Failure(Failure::Status(status))) = &mut self
            && let Some(spelled) = service::spelled(status, spelling)
        {
            **status = spelled;
        }
        self
    }

    /// What the failure means to the client.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Insane { status, allow, .. } => {
                let code = if *status == StatusCode::BAD_REQUEST {
                    Code::InvalidArgument
                } else {
                    Code::Unimplemented
                };
                let headers = allow.iter().map(|methods| (ALLOW, methods.clone())).collect();
                Verdict { headers, ..self.client(None, *status, code) }
            }
            Self::Routing(error) => self.routing(error),
            Self::UnknownRpc => self.client(None, StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::Authentication(error) => self.authentication(error),
            Self::Authorization(Denied::NeedsAuthentication) => unauthenticated(
                self.client(None, StatusCode::UNAUTHORIZED, Code::Unauthenticated),
                authentication::CHALLENGE,
            ),
            Self::Authorization(
                Denied::Forbidden | Denied::ForbiddenToAll | Denied::Undecided(_),
            ) => self.client(None, StatusCode::FORBIDDEN, Code::PermissionDenied),
            Self::Authorization(Denied::Hidden(_)) | Self::Hidden(_) => {
                self.client(None, StatusCode::NOT_FOUND, Code::NotFound)
            }
            Self::RateLimiting(exceeded) => {
                let wait = Duration::from_secs(seconds(exceeded.standing.next));
                let details = ErrorDetails::with_retry_info(Some(wait));
                Verdict {
                    retry_after: Some(wait),
                    details: encoded(Code::ResourceExhausted, details),
                    ..self.client(None, StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted)
                }
            }
            Self::Timeout(_) => {
                self.client(Some("invalid-timeout"), StatusCode::BAD_REQUEST, Code::InvalidArgument)
            }
            Self::Transcoding(error) => self.transcoding(error),
            Self::DeadlineExceeded(_) => late(),
            Self::Upstream(error) => upstream(error),
            Self::Stream(failure) => failed(failure),
            Self::Unserved(_) | Self::Panicked => verdict(
                None,
                StatusCode::INTERNAL_SERVER_ERROR,
                Code::Internal,
                Origin::Gateway,
                "the gateway failed on this request; its log says why under the request id"
                    .to_owned(),
            ),
        }
    }

    fn routing(&self, error: &routing::Error) -> Verdict {
        match error {
            routing::Error::NotFound => self.client(None, StatusCode::NOT_FOUND, Code::NotFound),
            routing::Error::MethodNotAllowed { allow } => Verdict {
                headers: vec![(ALLOW, allow.header())],
                ..self.client(None, StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented)
            },
            routing::Error::BadCapture { .. } => {
                self.client(Some("invalid-path"), StatusCode::BAD_REQUEST, Code::InvalidArgument)
            }
        }
    }

    fn authentication(&self, error: &authentication::Error) -> Verdict {
        use authentication::Error as E;
        let row = match error {
            E::Missing(_) => None,
            E::KeysUnavailable { .. } => {
                return Verdict {
                    retry_after: Some(Duration::from_secs(1)),
                    ..verdict(
                        Some("keys-unavailable"),
                        StatusCode::SERVICE_UNAVAILABLE,
                        Code::Unavailable,
                        Origin::Upstream,
                        self.to_string(),
                    )
                };
            }
            E::Expired => Some("token-expired"),
            E::NotYetValid => Some("token-not-yet-valid"),
            E::NotBearer | E::SeveralCredentials => Some("invalid-credential"),
            E::UnknownApiKey => Some("invalid-api-key"),
            E::ExpiredApiKey => Some("api-key-expired"),
            _ => Some("invalid-token"),
        };
        let challenge = error.challenge().unwrap_or(authentication::CHALLENGE);
        unauthenticated(
            self.client(row, StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            challenge,
        )
    }

    fn transcoding(&self, error: &transcoding::Error) -> Verdict {
        use transcoding::Error as E;
        let bad = |row| self.client(Some(row), StatusCode::BAD_REQUEST, Code::InvalidArgument);
        match error {
            E::Body(UnreadableBody::TooLarge) => {
                self.client(None, StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted)
            }
            E::Body(UnreadableBody::TooSlow) => {
                self.client(None, StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded)
            }
            E::Body(UnreadableBody::NoRoom) => Verdict {
                retry_after: Some(Duration::from_secs(1)),
                ..verdict(
                    Some("overloaded"),
                    StatusCode::SERVICE_UNAVAILABLE,
                    Code::Unavailable,
                    Origin::Gateway,
                    self.to_string(),
                )
            },
            E::Frame(InvalidFrame::Compressed) => {
                self.client(None, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented)
            }
            E::Body(UnreadableBody::Broken(_)) | E::Frame(InvalidFrame::Length) => {
                bad("invalid-body")
            }
            E::Header(_) => bad("invalid-header"),
            E::UnexpectedBody => bad("unexpected-body"),
            E::MediaType | E::SeveralTypes | E::OtherGrpc => {
                self.client(None, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument)
            }
            E::Json(json) => Verdict {
                detail: format!("the body is not valid: {json}"),
                details: violation(json.path(), &json.reason()),
                ..bad("invalid-body")
            },
            E::Field(field) => {
                Verdict { details: violation(&field.name, &field.problem), ..bad("invalid-field") }
            }
            E::Answer(_) => {
                malformed("the service answered with something that is not its message")
            }
            E::Stream(failure) => failed(failure),
            E::NotAcceptable => {
                self.client(None, StatusCode::NOT_ACCEPTABLE, Code::InvalidArgument)
            }
        }
    }

    /// A verdict on the client, in the error's own words.
    fn client(&self, row: Option<&'static str>, status: StatusCode, code: Code) -> Verdict {
        verdict(row, status, code, Origin::Client, self.to_string())
    }
}

/// Judges how a stream failed after it had begun, and notes it in the stream's record.
pub(crate) fn end_of_stream(
    record: Arc<StreamRecord>,
) -> impl FnMut(Failure) -> Verdict + Send + 'static {
    move |failure| {
        let denied = match &failure {
            Failure::Hidden(cause) | Failure::Denied(cause) => cause.downcast_ref::<Denied>(),
            _ => None,
        };
        let denied = denied.map(Denied::denial);
        let error = GatewayError::Stream(failure);
        let verdict = error.verdict();
        let (code, origin) = (verdict.code, verdict.origin);
        record.fail(StreamFailure { code, origin, cause: error.chain(), denied });
        verdict
    }
}

fn verdict(
    row: Option<&'static str>,
    status: StatusCode,
    code: Code,
    origin: Origin,
    detail: String,
) -> Verdict {
    Verdict {
        row,
        status,
        code,
        detail,
        reason: None,
        retry_after: None,
        origin,
        details: Bytes::new(),
        metadata: HeaderMap::new(),
        headers: Vec::new(),
    }
}

/// A 401 must say how to do better (RFC 9110, section 15.5.2).
fn unauthenticated(mut verdict: Verdict, challenge: HeaderValue) -> Verdict {
    verdict.headers.push((WWW_AUTHENTICATE, challenge));
    verdict
}

fn violation(field: &str, description: &str) -> Bytes {
    let details = ErrorDetails::with_bad_request_violation(field, description);
    encoded(Code::InvalidArgument, details)
}

fn encoded(code: Code, details: ErrorDetails) -> Bytes {
    Bytes::copy_from_slice(Status::with_error_details(code, "", details).details())
}

/// What a client reads of a deadline, whoever noticed it first.
const LATE: &str = "there was no answer before the deadline";

fn late() -> Verdict {
    verdict(
        None,
        StatusCode::GATEWAY_TIMEOUT,
        Code::DeadlineExceeded,
        Origin::Upstream,
        LATE.to_owned(),
    )
}

fn upstream(error: &upstream::Error) -> Verdict {
    match error {
        upstream::Error::DeadlineExceeded(_) | upstream::Error::Late { .. } => late(),
        upstream::Error::Shed { .. } => Verdict {
            retry_after: Some(Duration::from_secs(1)),
            ..verdict(
                Some("overloaded"),
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                Origin::Gateway,
                "the service behind this route has as many requests as it can take".to_owned(),
            )
        },
        upstream::Error::Open { wait, .. } => Verdict {
            retry_after: Some(Duration::from_secs(seconds(*wait).max(1))),
            ..verdict(
                Some("upstream-failing"),
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                Origin::Upstream,
                "the service behind this route fails, and is given a moment to recover".to_owned(),
            )
        },
        upstream::Error::NoEndpoint { .. } | upstream::Error::Unreachable { .. } => Verdict {
            retry_after: Some(Duration::from_secs(1)),
            ..verdict(
                Some("upstream-unreachable"),
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                Origin::Upstream,
                "the service behind this route can't be reached at the moment".to_owned(),
            )
        },
        upstream::Error::Failure(failure) => failed(failure),
    }
}

fn failed(failure: &Failure) -> Verdict {
    match failure {
        Failure::Status(status) => service::service(status),
        Failure::Malformed(_) => {
            malformed("the service answered with something that is not its message")
        }
        Failure::TooLarge => malformed("the service answered with more than a message may hold"),
        Failure::Broken(_) => verdict(
            None,
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            Origin::Upstream,
            "the connection to the service broke".to_owned(),
        ),
        Failure::Hidden(_) => {
            verdict(None, StatusCode::NOT_FOUND, Code::NotFound, Origin::Client, HIDDEN.to_owned())
        }
        Failure::Denied(_) => verdict(
            None,
            StatusCode::FORBIDDEN,
            Code::PermissionDenied,
            Origin::Client,
            failure.to_string(),
        ),
        Failure::Cut(cut) => verdict(
            Some("stream-ended"),
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            Origin::Gateway,
            cut.to_string(),
        ),
    }
}

fn malformed(detail: &str) -> Verdict {
    verdict(
        Some("malformed-answer"),
        StatusCode::BAD_GATEWAY,
        Code::Internal,
        Origin::Upstream,
        detail.to_owned(),
    )
}

#[cfg(test)]
mod tests;
