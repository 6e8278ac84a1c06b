//! Compiles the section `upstreams`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Memory;
use crate::config::Config;
use crate::message::Schema;
use crate::setting::Problem;
use crate::upstream::{Place, Settings, Source, Upstream};

/// The upstreams, and which of them serves which service.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    all: Vec<Arc<Upstream>>,
    by_service: HashMap<String, Arc<Upstream>>,
    lack_services: bool,
}

impl Upstreams {
    /// The upstream of a service.
    pub(super) fn of(&self, service: &str) -> Option<&Arc<Upstream>> {
        self.by_service.get(service)
    }

    /// The name of the upstream of an RPC.
    pub(super) fn of_rpc(&self, rpc: &str) -> Option<&str> {
        let (service, _) = rpc.split_once('/')?;
        self.of(service).map(|upstream| upstream.name())
    }

    /// The upstream of that name.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.all.iter().find(|upstream| upstream.name() == name)
    }

    /// Whether one of them says nothing of what it serves, so that who serves a service is not known.
    pub(super) fn lack_services(&self) -> bool {
        self.lack_services
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Arc<Upstream>] {
        &self.all
    }
}

/// Checks that every service exists and has one upstream, and that every endpoint is an address.
pub(super) fn compile(
    config: &Config,
    schema: Option<&Schema>,
    memory: &mut Memory,
    problems: &mut Vec<Problem>,
) -> Upstreams {
    let known = schema.map(Schema::services);
    let settings = Settings::of(&config.load_balancing);
    let mut upstreams = Upstreams::default();
    for (name, written) in &config.upstreams {
        let mut sources: Vec<(Arc<Source>, u32)> = Vec::new();
        let mut seen = HashSet::new();
        for endpoint in &written.endpoints {
            let path = format!("upstreams.{name}.endpoints");
            let Place { address, weight } = &endpoint.value;
            let source = if seen.insert(address) {
                memory.source(name, address, &settings).map_err(|error| error.to_string())
            } else {
                Err(format!("`{address}` is there twice"))
            };
            match source {
                Ok(source) => sources.push((source, *weight)),
                Err(message) => problems.push(Problem::at(endpoint, path, message)),
            }
        }
        if written.endpoints.is_empty() {
            let message =
                "there is no endpoint: write at least one, such as http://127.0.0.1:50051";
            problems.push(Problem::nowhere(format!("upstreams.{name}.endpoints"), message));
        }
        if written.services.is_empty() && !takes_a_part(config, name) {
            let message = "there is no service: write at least one, as package.Service, or give it a part of an RPC in load_balancing.split";
            problems.push(Problem::nowhere(format!("upstreams.{name}.services"), message));
            upstreams.lack_services = true;
        }
        let containment = memory.containment(name, &config.resilience);
        let upstream = Upstream::new(name, &config.load_balancing, sources, containment);
        let upstream = Arc::new(upstream);
        for service in &written.services {
            let path = format!("upstreams.{name}.services");
            if let Some(known) = known.as_ref().filter(|known| !known.contains(&service.value)) {
                let known = known.join(", ");
                let message =
                    format!("the schema has no service `{}`; it has {known}", service.value);
                problems.push(Problem::at(service, path, message));
            } else if upstreams
                .by_service
                .insert(service.value.clone(), Arc::clone(&upstream))
                .is_some()
            {
                let message = format!(
                    "`{}` is served by another upstream already: it can have one",
                    service.value
                );
                problems.push(Problem::at(service, path, message));
            }
        }
        upstreams.all.push(upstream);
    }
    upstreams
}

/// Whether an upstream gets calls of a service that another one serves.
fn takes_a_part(config: &Config, name: &str) -> bool {
    let splits = &config.load_balancing.split;
    config.unread("load_balancing") || splits.values().any(|parts| parts.value.contains_key(name))
}
