//! The section `resilience`.

use serde::Deserialize;

use crate::setting::Period;

/// How failures are contained.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The longest a client waits for an answer, all tries included.
    pub(crate) deadline: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { deadline: Period::seconds(5) }
    }
}
