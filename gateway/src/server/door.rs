//! What answers requests: the pipeline of the moment, and who reads the journeys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::compile::{Compiled, Memory, Warmth, compile};
use crate::config::Config;
use crate::monitoring::Monitor;
use crate::pipeline::Pipeline;
use crate::setting::Problem;

/// How long the gateway waits for a first try of everything behind it before it calls itself ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pipeline of the moment, and what of it has to be tried.
#[derive(Debug)]
pub(super) struct Current {
    /// What handles requests.
    pub(super) pipeline: Pipeline,
    /// How many proxies in front of the gateway are believed.
    pub(super) trusted_hops: u8,
    warmth: Warmth,
}

/// The door between clients and services. What is behind it can be replaced while it is open.
#[derive(Debug)]
pub(crate) struct Door {
    current: ArcSwap<Current>,
    memory: Mutex<Memory>,
    monitor: Arc<Monitor>,
    opened: Instant,
    draining: CancellationToken,
}

impl Door {
    /// Opens the door with a first pipeline and the memory it borrows from, and starts to warm what is behind it.
    pub(crate) fn open(compiled: Compiled, memory: Memory, monitor: Arc<Monitor>) -> Self {
        Self {
            current: ArcSwap::from(Current::begin(compiled)),
            memory: Mutex::new(memory),
            monitor,
            opened: Instant::now(),
            draining: CancellationToken::new(),
        }
    }

    /// Takes over a configuration. One that can't be run changes nothing; requests under way end with what they began with.
    pub(crate) fn reload(&self, config: &Config) -> Result<(), Vec<Problem>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let reloaded = compile(config, &mut memory)
            .map(|compiled| self.current.store(Current::begin(compiled)));
        memory.forget_unused();
        reloaded
    }

    /// Tells whoever asks that no new requests should come, and ends the streams.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    /// Whether no new requests should come.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Becomes true when no new requests should come: streams wait for it, which would not end by themselves.
    pub(super) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Whether requests should come: everything behind the door was tried once, or time enough has passed.
    ///
    /// A service that can't be reached makes its own routes fail, never the gateway.
    pub(crate) fn ready(&self) -> bool {
        !self.is_draining()
            && (self.opened.elapsed() >= PATIENCE || self.current.load().warmth.tried())
    }

    /// The pipeline of the moment, for the length of one request.
    pub(super) fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// Who reads the journeys.
    pub(super) fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }
}

impl Current {
    fn begin(compiled: Compiled) -> Arc<Self> {
        compiled.warmth.warm();
        let Compiled { pipeline, warmth, trusted_hops, .. } = compiled;
        Arc::new(Self { pipeline, trusted_hops, warmth })
    }
}
