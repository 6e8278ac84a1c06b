//! The section `load_balancing`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::setting::{Percent, Period, Spanned};

/// How endpoints are found, chosen and left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The algorithm of every upstream.
    pub(crate) algorithm: Algorithm,
    /// When an endpoint that does badly is left out for a while.
    pub(crate) ejection: Ejection,
    /// How endpoints are asked whether they are well.
    pub(crate) health_check: HealthCheck,
    /// After how long a silent connection is pinged, to know whether anybody is still there (RFC 9113, section 6.7).
    pub(crate) ping_interval: Period,
    /// After how long a name is asked for again at the latest; sooner when its records live shorter.
    pub(crate) dns_refresh: Period,
    /// Whom names are asked of; none is whom the host asks.
    pub(crate) dns_server: Option<SocketAddr>,
    /// RPCs that more than one upstream takes, and how many calls of a hundred each of them gets.
    pub(crate) split: BTreeMap<String, Spanned<BTreeMap<String, Spanned<u32>>>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            ejection: Ejection::default(),
            health_check: HealthCheck::default(),
            ping_interval: Period::millis(10_000),
            dns_refresh: Period::millis(5_000),
            dns_server: None,
            split: BTreeMap::new(),
        }
    }
}

/// The rule by which the next endpoint is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// The quicker of two, by latency and what is in flight.
    #[default]
    LeastLatency,
    /// The one with the fewest requests in flight.
    LeastRequests,
    /// Each in turn.
    RoundRobin,
}

/// When an endpoint is ejected, judged by its answers to real calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ejection {
    /// So many failures in a row.
    pub(crate) failures: u32,
    /// This share of failures within the window.
    pub(crate) error_rate: Percent,
    /// So many times as slow, on average, as the others within the window.
    pub(crate) slowness: u32,
    /// How long what happened counts.
    pub(crate) window: Period,
    /// How many calls there must have been in the window before a share or an average says anything.
    pub(crate) volume: u32,
    /// For how long, the first time; twice as long each further time.
    pub(crate) time: Period,
    /// For how long at most.
    pub(crate) max_time: Period,
    /// In which time an endpoint that has come back takes its full share again.
    pub(crate) slow_start: Period,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            error_rate: Percent::of_hundred(50),
            slowness: 5,
            window: Period::millis(10_000),
            volume: 20,
            time: Period::millis(1_000),
            max_time: Period::millis(30_000),
            slow_start: Period::millis(5_000),
        }
    }
}

/// How endpoints are asked whether they are well (grpc.health.v1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthCheck {
    /// How often, give or take a fifth.
    pub(crate) interval: Period,
    /// How long an answer is waited for.
    pub(crate) timeout: Period,
    /// The service that is asked about; the empty name stands for the whole server.
    pub(crate) service: String,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            interval: Period::millis(2_000),
            timeout: Period::millis(1_000),
            service: String::new(),
        }
    }
}
