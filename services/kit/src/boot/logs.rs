//! Logs are JSON lines on standard error, one line per event; `RUST_LOG` chooses which.

use std::{io, panic};

use tracing_subscriber::EnvFilter;

/// Sends the logs of this process to standard error. The first call counts: several services may share a process.
pub(super) fn to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if lines.try_init().is_ok() {
        // What the panic says is a line of the log like any other.
        panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a bug")));
    }
}
