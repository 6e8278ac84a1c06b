//! Room 8: tells what the gateway does.
//!
//! One reader turns each finished [`Journey`] into its log line. The other rooms never emit;
//! they return what they decided, and the three lives write it down.
//! Chapter 8: docs/08-monitoring.md

mod access_log;
mod config;
mod trace;
mod writer;

use std::io::IsTerminal as _;

use crate::context::Journey;

pub(crate) use config::{Config, Format};
pub(crate) use trace::trace_parent;

use writer::Writer;

/// The reader of journeys.
#[derive(Debug)]
pub(crate) struct Monitor {
    format: Format,
    writer: Writer,
}

impl Monitor {
    /// A monitor that writes its log to standard output.
    pub(crate) fn new(format: Format) -> std::io::Result<Self> {
        Ok(Self { format, writer: Writer::spawn(std::io::stdout())? })
    }

    /// Reads a journey that has ended.
    pub(crate) fn record(&self, journey: &Journey) {
        let mut line = match self.format {
            Format::Json => access_log::json(journey),
            Format::Text => access_log::text(journey),
        };
        line.push('\n');
        self.writer.write(line);
    }

    /// Waits until every line has been written.
    pub(crate) fn close(self) {
        self.writer.close();
    }
}

/// Sends what the gateway says about itself (start, drain, failures of the configuration) to standard error.
pub(crate) fn log_to_stderr(format: Format) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Only the first subscriber of a process counts; tests start several gateways in one.
    let _first = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => builder.try_init(),
    };
}
