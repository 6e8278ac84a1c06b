//! Reading a request's body: as much as is allowed, until the deadline.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use thiserror::Error;
use tokio::time;

use crate::context::{BoxError, Deadline};

/// The largest body that is read, in bytes: what gRPC servers take by default.
const LIMIT: usize = 4 * 1024 * 1024;

/// The body could not be read.
#[derive(Debug, Error)]
pub(crate) enum UnreadableBody {
    /// The connection broke, or the framing was wrong.
    #[error("the request's body could not be read to its end")]
    Broken(#[source] BoxError),
    /// The client was too slow.
    #[error("the request's body did not arrive before the deadline")]
    TooSlow,
    /// The body is larger than a message may be.
    #[error("the request's body is larger than {LIMIT} bytes")]
    TooLarge,
}

/// Reads the whole body.
pub(super) async fn read<B>(body: B, deadline: Deadline) -> Result<Bytes, UnreadableBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(UnreadableBody::TooLarge);
    }
    match time::timeout_at(deadline.instant(), Limited::new(body, LIMIT).collect()).await {
        Err(_) => Err(UnreadableBody::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(UnreadableBody::TooLarge),
        Ok(Err(error)) => Err(UnreadableBody::Broken(error)),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
