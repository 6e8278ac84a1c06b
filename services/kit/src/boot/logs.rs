//! Logs are JSON lines on standard error, one line per event; `RUST_LOG` chooses which.

use std::io;

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
    drop(lines.try_init());
}
