//! The section `resilience`.

use serde::Deserialize;

use super::StreamLimits;
use crate::setting::Period;

/// How failures are contained.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The longest a client waits for an answer, all tries included.
    pub(crate) deadline: Period,
    /// How long a stream may be silent. Its deadline covers only its beginning.
    pub(crate) stream_idle: Period,
    /// How long a stream may live.
    pub(crate) stream_age: Period,
}

impl Config {
    /// How long streams live.
    pub(crate) fn stream_limits(&self) -> StreamLimits {
        StreamLimits { idle: self.stream_idle.duration(), age: self.stream_age.duration() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Period::seconds(5),
            stream_idle: Period::seconds(15 * 60),
            stream_age: Period::seconds(60 * 60),
        }
    }
}
