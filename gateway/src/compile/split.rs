//! Compiles `load_balancing.split`: RPCs that more than one upstream takes.

use std::collections::HashMap;
use std::sync::Arc;

use super::slip;
use super::upstreams::Upstreams;
use crate::config::Config;
use crate::message::{Schema, nearest};
use crate::setting::Problem;
use crate::upstream::Upstream;

/// What all parts come to.
const WHOLE: u32 = 100;

/// The parts of RPCs that are split.
pub(super) type Splits = HashMap<String, Vec<(Arc<Upstream>, u32)>>;

/// Checks that the RPC and the upstreams exist and that nothing is lost.
pub(super) fn compile(
    config: &Config,
    schema: Option<&Arc<Schema>>,
    upstreams: &Upstreams,
    problems: &mut Vec<Problem>,
) -> Splits {
    let mut splits = Splits::new();
    for (rpc, written) in &config.load_balancing.split {
        let path = format!("load_balancing.split.{rpc}");
        if let Some(message) = slip::uncallable(rpc, config, schema) {
            problems.push(Problem::at(written, &path, message));
            continue;
        }
        let mut parts = Vec::new();
        for (name, part) in &written.value {
            if let Some(upstream) = upstreams.named(name) {
                parts.push((Arc::clone(upstream), part.value));
            } else if !config.unread("upstreams") {
                let known = || config.upstreams.keys().map(String::as_str);
                let meant = nearest(name, known()).map_or_else(
                    || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                    |meant| format!("did you mean {meant}?"),
                );
                let message = format!("there is no upstream `{name}`; {meant}");
                problems.push(Problem::at(part, format!("{path}.{name}"), message));
            }
        }
        let sum = written.value.values().fold(0_u32, |sum, part| sum.saturating_add(part.value));
        if sum != WHOLE {
            let message = format!(
                "its parts come to {sum}: say how many calls of {WHOLE} each upstream gets"
            );
            problems.push(Problem::at(written, &path, message));
        }
        splits.insert(rpc.clone(), parts);
    }
    splits
}
