//! Checks that every layer of options belongs to something that exists and can be called.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slip;
use crate::config::Config;
use crate::message::{Schema, nearest};
use crate::setting::{Problem, Spanned};

/// Notes the layers of a section that name no upstream or no RPC, or one that nobody can call: they would do nothing, and
/// look as if they did.
pub(super) fn check(config: &Config, schema: Option<&Arc<Schema>>, problems: &mut Vec<Problem>) {
    let Config { transcoding, resilience, .. } = config;
    check_upstreams(config, "transcoding", &transcoding.upstreams, problems);
    check_upstreams(config, "resilience", &resilience.upstreams, problems);
    check_rpcs(config, schema, "transcoding", &transcoding.rpcs, problems);
    check_rpcs(config, schema, "resilience", &resilience.rpcs, problems);
}

fn check_upstreams<T>(
    config: &Config,
    section: &str,
    layers: &BTreeMap<String, Spanned<T>>,
    problems: &mut Vec<Problem>,
) {
    if config.unread("upstreams") {
        return;
    }
    for (name, layer) in layers {
        if config.upstreams.contains_key(name) {
            continue;
        }
        let known = || config.upstreams.keys().map(String::as_str);
        let meant = nearest(name, known()).map_or_else(
            || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
            |meant| format!("did you mean {meant}?"),
        );
        let message = format!("there is no upstream `{name}`; {meant}");
        problems.push(Problem::at(layer, format!("{section}.upstreams.{name}"), message));
    }
}

fn check_rpcs<T>(
    config: &Config,
    schema: Option<&Arc<Schema>>,
    section: &str,
    layers: &BTreeMap<String, Spanned<T>>,
    problems: &mut Vec<Problem>,
) {
    for (rpc, layer) in layers {
        if let Some(message) = slip::uncallable(rpc, config, schema) {
            problems.push(Problem::at(layer, format!("{section}.rpcs.{rpc}"), message));
        }
    }
}
