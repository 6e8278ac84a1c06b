//! What came of a request, as it is stored and given again.

use prost::Message;
use tonic::{Code, Response, Status, metadata::MetadataValue};

/// The metadata that marks a replay.
pub const REPLAYED: &str = "idempotent-replayed";

/// A stored outcome: an answer or a final refusal.
#[derive(Debug)]
pub struct Outcome {
    pub(super) code: i32,
    pub(super) message: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Outcome {
    /// The same outcome once more, marked as a replay.
    pub fn replay<M: Message + Default>(self) -> Result<Response<M>, Status> {
        if self.code != Code::Ok as i32 {
            let message = self.message.unwrap_or_default();
            let mut status =
                Status::with_details(Code::from_i32(self.code), message, self.body.into());
            status.metadata_mut().insert(REPLAYED, MetadataValue::from_static("true"));
            return Err(status);
        }
        let message = M::decode(self.body.as_slice()).map_err(|error| {
            tracing::error!(%error, "a stored answer can't be read");
            Status::internal("internal error")
        })?;
        let mut response = Response::new(message);
        response.metadata_mut().insert(REPLAYED, MetadataValue::from_static("true"));
        Ok(response)
    }
}

impl<M: Message> From<Result<&M, &Status>> for Outcome {
    fn from(answer: Result<&M, &Status>) -> Self {
        match answer {
            Ok(message) => {
                Self { code: Code::Ok as i32, message: None, body: message.encode_to_vec() }
            }
            Err(status) => Self {
                code: status.code() as i32,
                message: Some(status.message().to_owned()),
                body: status.details().to_vec(),
            },
        }
    }
}

/// Whether asking again would give the same: the business has decided. All other codes tell of the moment.
pub(super) fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
    )
}
