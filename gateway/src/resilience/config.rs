//! The section `resilience`.

use std::time::Duration;

use serde::Deserialize;

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

/// How long anyone waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest a client waits for an answer, or for the beginning of a stream.
    pub(crate) deadline: Duration,
    /// How long the service may send nothing in a stream while the client is ready to read.
    pub(crate) idle: Duration,
    /// How long a stream may live.
    pub(crate) age: Duration,
}

impl Config {
    /// The same, as what runs knows it.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            deadline: self.deadline.duration(),
            idle: self.stream_idle.duration(),
            age: self.stream_age.duration(),
        }
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
