//! Checks that every layer of options belongs to something that exists and can be called.

use std::sync::Arc;

use super::slip;
use crate::config::Config;
use crate::message::{Schema, nearest};
use crate::setting::Problem;

/// Notes the layers of `transcoding` that name no upstream or no RPC, or one that nobody can call: they would do nothing,
/// and look as if they did.
pub(super) fn check(config: &Config, schema: Option<&Arc<Schema>>, problems: &mut Vec<Problem>) {
    if !config.unread("upstreams") {
        for (name, layer) in &config.transcoding.upstreams {
            if config.upstreams.contains_key(name) {
                continue;
            }
            let known = || config.upstreams.keys().map(String::as_str);
            let meant = nearest(name, known()).map_or_else(
                || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                |meant| format!("did you mean {meant}?"),
            );
            let message = format!("there is no upstream `{name}`; {meant}");
            problems.push(Problem::at(layer, format!("transcoding.upstreams.{name}"), message));
        }
    }
    for (rpc, layer) in &config.transcoding.rpcs {
        if let Some(message) = slip::uncallable(rpc, config, schema) {
            problems.push(Problem::at(layer, format!("transcoding.rpcs.{rpc}"), message));
        }
    }
}
