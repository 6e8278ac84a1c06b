//! What stands in the place of an answer.

use thiserror::Error;
use tonic::{Code, Status};

use super::BoxError;

/// Why one try brought no answer, or why a stream ended too soon.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The service's own word: an answer that is gRPC, with a status that is not OK.
    #[error("the service answered with an error")]
    Status(#[source] Box<Status>),
    /// Whoever answered did not speak gRPC, or did not keep to its rules.
    #[error("the service's answer is no gRPC: {0}")]
    Malformed(String),
    /// A message of the answer is beyond the limit.
    #[error("the service's answer is too large")]
    TooLarge,
    /// There was no connection, or it broke.
    #[error("the connection to the service broke")]
    Broken(#[source] BoxError),
    /// Nothing of a stream has been told, and whether there is anything must not be.
    #[error("what the stream would hold is not for this client, or not there")]
    Hidden(#[source] BoxError),
    /// A message of a stream is not for the client.
    #[error("what the stream holds now is not for this client")]
    Denied(#[source] BoxError),
    /// The gateway itself ended a stream.
    #[error(transparent)]
    Cut(#[from] Cut),
}

/// Why the gateway ended a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Cut {
    /// It is about to stop.
    #[error("the gateway is shutting down: open the stream again")]
    Draining,
    /// The service has sent nothing for too long.
    #[error("the service has sent nothing for too long: open the stream again")]
    Idle,
    /// The stream has lived long enough: nothing that was decided at its beginning holds for ever.
    #[error("the stream has reached its greatest age: open it again")]
    Age,
}

impl Failure {
    /// The canonical code of the outcome.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Status(status) => status.code(),
            Self::Malformed(_) | Self::TooLarge => Code::Internal,
            Self::Hidden(_) => Code::NotFound,
            Self::Denied(_) => Code::PermissionDenied,
            Self::Broken(_) | Self::Cut(_) => Code::Unavailable,
        }
    }
}
