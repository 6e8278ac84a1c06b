//! What travels between the lives: always protobuf wire bytes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::HeaderMap;

use super::{Deadline, Failure, Principal};

/// The full name of an RPC, for example `user.v1.UserService/GetUser`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RpcId(Arc<str>);

impl RpcId {
    /// Names the method of a service.
    pub(crate) fn new(service: &str, method: &str) -> Self {
        Self(format!("{service}/{method}").into())
    }

    /// `package.Service/Method`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub(crate) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for RpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One RPC to make: the same for REST and native gRPC.
#[derive(Debug)]
pub(crate) struct Call {
    /// Which RPC.
    pub(crate) rpc: RpcId,
    /// The request message as protobuf wire bytes.
    pub(crate) message: Bytes,
    /// On whose behalf.
    pub(crate) principal: Principal,
    /// Until when an answer is of use.
    pub(crate) deadline: Deadline,
    /// Metadata for the service. What identifies the principal is added by `call`, never by the client.
    pub(crate) metadata: HeaderMap,
}

/// The messages of a stream as protobuf wire bytes; a failure is the last item.
pub(crate) type Messages = BoxStream<'static, Result<Bytes, Failure>>;

/// What came back for a [`Call`].
pub(crate) enum Reply {
    /// The one answer of a unary RPC.
    Message {
        /// The response message as protobuf wire bytes.
        message: Bytes,
        /// What the service sent beside it: headers and trailers.
        metadata: HeaderMap,
    },
    /// The answers of a server-streaming RPC, which the service has begun.
    Stream {
        /// The response messages.
        messages: Messages,
        /// The headers that came before the first message.
        metadata: HeaderMap,
    },
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { message, .. } => write!(f, "Message({} bytes)", message.len()),
            Self::Stream { .. } => f.write_str("Stream"),
        }
    }
}
