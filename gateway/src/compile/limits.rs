//! Compiles the section `rate_limiting`.

use std::sync::Arc;

use super::{Memory, slip};
use crate::config::Config;
use crate::context::RpcId;
use crate::message::Schema;
use crate::rate_limiting::{By, Classes, Limit, Limits, Rule, Shared, Store};
use crate::setting::Problem;

/// The limits of all RPCs.
pub(super) struct RateLimiting {
    limits: Vec<(Rule, Limit)>,
    classes: Arc<Classes>,
    shared: Option<Shared>,
}

impl RateLimiting {
    /// Checks that every limit is about RPCs that are exposed.
    pub(super) fn compile(
        config: &Config,
        schema: Option<&Arc<Schema>>,
        memory: &mut Memory,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let rules = config.rate_limiting.read(problems);
        let named = rules.limits.iter().flat_map(|rule| rule.rpcs.iter().flatten());
        for (rpc, place) in named {
            if let Some(message) = slip::uncallable(rpc, config, schema) {
                problems.push(place.problem(message));
            }
        }
        if config.authentication.api_keys.is_none() && !config.unread("authentication") {
            for rule in rules.limits.iter().filter(|rule| rule.by == By::ApiKey) {
                let message = "no API key is known, so it would count nobody: name the file of keys under authentication.api_keys, or limit by principal";
                problems.push(rule.by_place.problem(message));
            }
        }
        let limit = |rule: Rule| {
            let (by, class, dry_run) = (rule.by, rule.class.clone(), rule.dry_run);
            let memory = memory.limit(by, &rule.allowance);
            (rule, Limit { by, class, dry_run, memory })
        };
        let limits = rules.limits.into_iter().map(limit).collect();
        let shared = rules
            .store
            .map(|location| Shared { store: memory.store(&location), names: rules.names });
        Self { limits, classes: rules.classes, shared }
    }

    /// Where gateways count together, when they do.
    pub(super) fn store(&self) -> Option<Arc<Store>> {
        self.shared.as_ref().map(|shared| Arc::clone(&shared.store))
    }

    /// The limits of one RPC.
    pub(super) fn of(&self, rpc: &RpcId) -> Arc<Limits> {
        let about = |rule: &Rule| match &rule.rpcs {
            None => true,
            Some(rpcs) => rpcs.iter().any(|(named, _)| named == rpc.as_str()),
        };
        let limits = self.limits.iter().filter(|(rule, _)| about(rule));
        let limits = limits.map(|(_, limit)| limit.clone()).collect();
        let (classes, shared) = (Arc::clone(&self.classes), self.shared.clone());
        Arc::new(Limits::new(rpc.clone(), limits, classes, shared))
    }
}
