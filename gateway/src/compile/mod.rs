//! `Config` (what was written) becomes `Pipeline` (what runs).
//!
//! It is the only place where a configuration can be wrong: every name, template and field is checked against the
//! descriptors, and all mistakes are reported together. What fails here never fails a request.

mod credentials;
mod exposed;
mod exposure;
mod layers;
mod limits;
mod memory;
mod resilience;
mod slip;
mod split;
mod upstreams;

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use tokio::sync::watch;

pub(crate) use exposed::Exposed;
use limits::RateLimiting;
pub(crate) use memory::Memory;

use crate::authentication::KeySet;
use crate::config::{Config, read_file};
use crate::message::Schema;
use crate::pipeline::Pipeline;
use crate::rate_limiting::{Snapshot, Store};
use crate::setting::Problem;
use crate::transcoding::Settings;
use crate::upstream::Upstream;

/// The largest schema that is read, in bytes.
const SCHEMA: u64 = 64 * 1024 * 1024;

/// A configuration, ready to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// What handles requests.
    pub(crate) pipeline: Pipeline,
    /// What is exposed, for people.
    pub(crate) exposed: Vec<Exposed>,
    /// What is to be tried before the gateway calls itself ready.
    pub(crate) warmth: Warmth,
    /// How many proxies stand in front of the gateway and say whom they speak for.
    pub(crate) trusted_hops: u8,
}

/// What has a first time: names, connections and keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warmth {
    upstreams: Vec<Arc<Upstream>>,
    /// By issuer.
    key_sets: Vec<(String, Arc<KeySet>)>,
    store: Option<Arc<Store>>,
}

impl Warmth {
    /// Starts the first tries, and says which keys can't be had. Needs a runtime.
    pub(crate) fn warm(&self) {
        for (issuer, keys) in self.key_sets.iter().filter(|(_, keys)| !keys.tried()) {
            keys.warm();
            let (issuer, keys) = (issuer.clone(), Arc::clone(keys));
            tokio::spawn(async move {
                if let Err(error) = keys.first_attempt().await {
                    let cause = with_causes(&*error);
                    tracing::warn!(
                        issuer,
                        cause,
                        "the issuer's keys can't be had yet: its tokens are answered with 503"
                    );
                }
            });
        }
        for upstream in &self.upstreams {
            upstream.start();
        }
        if let Some(store) = &self.store
            && store.warm()
        {
            tokio::spawn(tell(store.location().to_string(), store.snapshot()));
        }
    }

    /// Whether everything was tried once, well or badly.
    pub(crate) fn tried(&self) -> bool {
        self.upstreams.iter().all(|upstream| upstream.tried())
            && self.key_sets.iter().all(|(_, keys)| keys.tried())
            && self.store.as_ref().is_none_or(|store| store.tried())
    }
}

/// Compiles a configuration, borrowing from memory what has not changed. Needs a runtime; connects to nothing.
pub(crate) fn compile(config: &Config, memory: &mut Memory) -> Result<Compiled, Vec<Problem>> {
    let mut problems = config.mistakes.clone();
    check_addresses(config, &mut problems);
    // What needs no schema is checked without one too, so that a wrong path hides no other mistake.
    let schema = schema(config, &mut problems);
    let upstreams = upstreams::compile(config, schema.as_deref(), memory, &mut problems);
    let (authenticator, key_sets) = credentials::compile(config, memory, &mut problems);
    let limits = RateLimiting::compile(config, schema.as_ref(), memory, &mut problems);
    let splits = split::compile(config, schema.as_ref(), &upstreams, &mut problems);
    let exposure =
        exposure::compile(config, schema.as_ref(), &upstreams, splits, &limits, &mut problems);
    layers::check(config, schema.as_ref(), &mut problems);
    resilience::check(config, schema.as_ref(), &upstreams, &mut problems);
    let transcoding = Settings::compile(&config.transcoding, schema, &mut problems);

    let (true, Some(exposure), Some(transcoding)) = (problems.is_empty(), exposure, transcoding)
    else {
        problems.sort_by_key(Problem::place);
        return Err(problems);
    };
    let warmth = Warmth { upstreams: upstreams.all().to_vec(), key_sets, store: limits.store() };
    let pipeline = Pipeline {
        targets: exposure.targets,
        authenticator,
        rpcs: exposure.rpcs,
        transcoding: Arc::new(transcoding),
    };
    let trusted_hops = config.listener.trusted_hops;
    Ok(Compiled { pipeline, exposed: exposure.exposed, warmth, trusted_hops })
}

/// Says it once when the store begins to decide limits, and once when it no longer does.
async fn tell(store: String, mut snapshot: watch::Receiver<Snapshot>) {
    let mut told = None;
    loop {
        let Snapshot { shared, gateways, cause } = snapshot.borrow_and_update().clone();
        if told != Some(shared) {
            if shared {
                tracing::info!(store, gateways, "limits are counted together with other gateways");
                told = Some(shared);
            } else if let Some(cause) = cause {
                tracing::warn!(
                    store,
                    gateways,
                    %cause,
                    "the store of limits can't be used: each gateway counts its own share until it can"
                );
                told = Some(shared);
            }
        }
        if snapshot.changed().await.is_err() {
            return;
        }
    }
}

fn schema(config: &Config, problems: &mut Vec<Problem>) -> Option<Arc<Schema>> {
    if config.unread("schema") {
        return None;
    }
    let written = &config.schema.file;
    let file = config.folder.join(&written.value);
    let name = file.display();
    let advice =
        "write it with `buf build -o FILE` or `protoc --include_imports --descriptor_set_out=FILE`";
    let loaded = read_file(&file, SCHEMA)
        .map_err(|error| format!("`{name}` can't be read ({error}): {advice}"))
        .and_then(|bytes| {
            Schema::load(&bytes).map_err(|error| format!("`{name}`: {}", with_causes(&error)))
        });
    loaded.map_err(|message| problems.push(Problem::at(written, "schema.file", message))).ok()
}

/// Whether somebody else listens there already turns out only when the gateway opens.
fn check_addresses(config: &Config, problems: &mut Vec<Problem>) {
    let (clients, operators) = (&config.listener.address, &config.admin.address);
    let before = problems.len();
    for (section, written) in [("listener", clients), ("admin", operators)] {
        let parts = written.value.rsplit_once(':');
        let fits =
            parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !fits && !config.unread(section) {
            let message = format!(
                "`{}` is not an address: write HOST:PORT, such as 127.0.0.1:8080",
                written.value
            );
            problems.push(Problem::at(written, format!("{section}.address"), message));
        }
    }
    let same = clients.value == operators.value && !clients.value.ends_with(":0");
    if same && problems.len() == before && !config.unread("listener") {
        let message = "it is the address of the listener too: operators need one of their own";
        problems.push(Problem::at(operators, "admin.address", message));
    }
}

fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
