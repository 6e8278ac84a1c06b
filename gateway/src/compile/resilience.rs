//! Checks the section `resilience` against the descriptors.

use std::sync::Arc;

use super::slip;
use super::upstreams::Upstreams;
use crate::config::Config;
use crate::message::{Idempotency, Schema};
use crate::setting::Problem;

/// Notes values that contradict each other, and keys that would change nothing.
pub(super) fn check(
    config: &Config,
    schema: Option<&Arc<Schema>>,
    upstreams: &Upstreams,
    problems: &mut Vec<Problem>,
) {
    config.resilience.check(|rpc| upstreams.of_rpc(rpc), problems);
    let Some(known) = schema else { return };
    for rpc in &config.resilience.idempotency_key {
        let promise = known.method(&rpc.value).map(|rpc| rpc.idempotency());
        let message = if matches!(promise, None | Some(Idempotency::Unknown)) {
            slip::uncallable(&rpc.value, config, schema)
        } else {
            Some(format!(
                "`{}` declares an idempotency_level, so it is safe to repeat without a key: remove it",
                rpc.value
            ))
        };
        let problem = |message| Problem::at(rpc, "resilience.idempotency_key", message);
        problems.extend(message.map(problem));
    }
}
