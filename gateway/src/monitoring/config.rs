//! The section `monitoring`.

use serde::Deserialize;

/// How the gateway tells what it does.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The form of the log.
    pub(crate) log: Format,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// One JSON object per line, for machines.
    #[default]
    Json,
    /// One sentence per line, for people.
    Text,
}
