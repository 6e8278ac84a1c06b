//! Logs are JSON lines on standard error, one line per event; `RUST_LOG` chooses which.
//!
//! A closed or a stalled standard error costs lines and nothing else.

use std::{
    io::{self, Write as _},
    panic,
    sync::OnceLock,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use super::writer::Writer;

/// How long the end of the process waits for whoever reads.
const PATIENCE: Duration = Duration::from_secs(1);

/// Several services may share a process, and then its log.
static WRITER: OnceLock<Writer> = OnceLock::new();

/// Sends the logs of this process to standard error. The first call counts.
pub(super) fn to_stderr() -> io::Result<()> {
    if WRITER.get().is_some() {
        return Ok(());
    }
    let spawned = Writer::spawn(io::stderr())?;
    let writer = WRITER.get_or_init(|| spawned);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        // Those would be printed with `eprintln`, which panics when standard error is closed.
        .log_internal_errors(false)
        .with_writer(|| writer.clone());
    if lines.try_init().is_ok() {
        // What the panic says is a line of the log like any other; the standard hook would write by itself.
        panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a bug")));
    }
    Ok(())
}

/// Writes a plain line after those of the log.
pub(super) fn last_word(line: &str) {
    let line = format!("{line}\n");
    // When even standard error is closed, the exit code still tells.
    let _ = match WRITER.get() {
        Some(writer) => writer.clone().write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

/// Waits until the log is written, if somebody reads it.
pub(super) fn flush() {
    if let Some(writer) = WRITER.get() {
        Writer::flush(writer, PATIENCE);
    }
}
