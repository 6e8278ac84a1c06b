//! What answers requests: the pipeline of the moment, and who reads the journeys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::compile::{Compiled, Warmth};
use crate::monitoring::Monitor;
use crate::pipeline::Pipeline;

/// How long the gateway waits for a first try of everything behind it before it calls itself ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// One pipeline with what belongs to it.
#[derive(Debug)]
struct Current {
    pipeline: Pipeline,
    warmth: Warmth,
}

/// The door between clients and services. Its pipeline can be replaced while it is open.
#[derive(Debug)]
pub(crate) struct Door {
    current: ArcSwap<Current>,
    monitor: Arc<Monitor>,
    opened: Instant,
    draining: AtomicBool,
}

impl Door {
    /// Opens the door with a first pipeline, and starts to warm what is behind it.
    pub(crate) fn open(compiled: Compiled, monitor: Arc<Monitor>) -> Self {
        compiled.warmth.warm();
        Self {
            current: ArcSwap::from_pointee(Current {
                pipeline: compiled.pipeline,
                warmth: compiled.warmth,
            }),
            monitor,
            opened: Instant::now(),
            draining: AtomicBool::new(false),
        }
    }

    /// Replaces the pipeline; requests under way end with the one they began with.
    pub(crate) fn replace(&self, compiled: Compiled) {
        compiled.warmth.warm();
        self.current
            .store(Arc::new(Current { pipeline: compiled.pipeline, warmth: compiled.warmth }));
    }

    /// Tells whoever asks that no new requests should come.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether requests should come: everything behind the door was tried once, or time enough has passed.
    ///
    /// A service that can't be reached makes its own routes fail, never the gateway.
    pub(crate) fn ready(&self) -> bool {
        !self.draining.load(Ordering::Acquire)
            && (self.opened.elapsed() >= PATIENCE || self.current.load().warmth.tried())
    }

    /// The pipeline of the moment.
    pub(super) fn pipeline(&self) -> PipelineRef {
        PipelineRef(self.current.load_full())
    }

    /// Who reads the journeys.
    pub(super) fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }
}

/// Keeps a pipeline for the length of one request.
#[derive(Debug)]
pub(super) struct PipelineRef(Arc<Current>);

impl std::ops::Deref for PipelineRef {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.0.pipeline
    }
}
