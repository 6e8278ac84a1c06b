//! The section `load_balancing`.

use serde::Deserialize;

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The algorithm of every upstream.
    pub(crate) algorithm: Algorithm,
}

/// The rule by which the next endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// The one with the fewest requests in flight.
    LeastRequests,
    /// Each in turn.
    #[default]
    RoundRobin,
}
