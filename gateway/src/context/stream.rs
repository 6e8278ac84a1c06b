//! What happens to a stream after the steps of its request are over: written while its body is sent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use futures_util::StreamExt as _;
use tonic::Code;

use super::{Denial, Messages, Origin};

/// The record of one stream, shared by the body that is being sent and the journey that is read at its end.
#[derive(Debug, Default)]
pub(crate) struct StreamRecord {
    messages: AtomicU64,
    failure: OnceLock<StreamFailure>,
}

/// How a stream failed after it had begun.
#[derive(Debug)]
pub(crate) struct StreamFailure {
    /// The canonical code that the client was told.
    pub(crate) code: Code,
    /// Who was at fault.
    pub(crate) origin: Origin,
    /// The inner chain, for the log only.
    pub(crate) cause: String,
    /// How its rule came to say no to a message, when that was it.
    pub(crate) denied: Option<Denial>,
}

impl StreamRecord {
    /// Counts the messages that pass.
    pub(crate) fn counting(self: Arc<Self>, messages: Messages) -> Messages {
        let count = move |message: &Result<_, _>| {
            self.messages.fetch_add(u64::from(message.is_ok()), Relaxed);
        };
        messages.inspect(count).boxed()
    }

    /// How many messages the service has sent.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Notes how the stream failed. A stream fails once.
    pub(crate) fn fail(&self, failure: StreamFailure) {
        let _failed_already = self.failure.set(failure);
    }

    /// How the stream failed, if it did.
    pub(crate) fn failure(&self) -> Option<&StreamFailure> {
        self.failure.get()
    }
}
