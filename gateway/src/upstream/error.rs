//! Why an upstream call brought no answer.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::context::{BoxError, Failure};
use crate::resilience::{DeadlineExceeded, Shed};

/// Why an upstream call brought no answer.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The deadline passed first.
    #[error(transparent)]
    DeadlineExceeded(#[from] DeadlineExceeded),
    /// The upstream has as many calls as it may have.
    #[error("upstream `{upstream}` can take no more calls")]
    Shed {
        /// The upstream's name.
        upstream: Arc<str>,
        /// How many it has.
        #[source]
        source: Shed,
    },
    /// No endpoint can take the call.
    #[error("upstream `{upstream}` has no endpoint that can take the call")]
    NoEndpoint {
        /// The upstream's name.
        upstream: Arc<str>,
    },
    /// All endpoints have failed so often that none is asked for a while.
    #[error("upstream `{upstream}` is not asked for {} ms: the breakers of its endpoints are open", wait.as_millis())]
    Open {
        /// The upstream's name.
        upstream: Arc<str>,
        /// For how long at least.
        wait: Duration,
    },
    /// The service failed, or what answered in its place.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The endpoint could not be reached, or the connection broke before the answer.
    #[error("endpoint {endpoint} of upstream `{upstream}` could not be reached")]
    Unreachable {
        /// The upstream's name.
        upstream: Arc<str>,
        /// The endpoint's address.
        endpoint: Arc<str>,
        /// What the transport says.
        #[source]
        source: BoxError,
    },
    /// There was no answer in the time that one try may take.
    #[error(
        "endpoint {endpoint} of upstream `{upstream}` did not answer within the time of one try"
    )]
    Late {
        /// The upstream's name.
        upstream: Arc<str>,
        /// The endpoint's address.
        endpoint: Arc<str>,
    },
}
