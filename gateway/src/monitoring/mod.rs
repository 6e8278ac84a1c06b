//! Room 8: tells what the gateway does.
//!
//! One reader turns each finished [`Journey`] into its log line. The other rooms never emit;
//! they return what they decided, and the three lives write it down.
//! Chapter 8: docs/08-monitoring.md

mod access_log;
mod config;
mod trace;
mod writer;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use crate::context::Journey;

pub(crate) use config::{Config, Format};
pub(crate) use trace::trace_parent;

use writer::Writer;

/// How long the end waits for whoever reads the log, and again for whoever reads what the gateway says about itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// The reader of journeys.
#[derive(Debug)]
pub(crate) struct Monitor {
    format: Format,
    lines: Writer,
    words: Arc<Writer>,
}

impl Monitor {
    /// A monitor that writes its log to standard output, and what the gateway says about itself (start, drain, failures
    /// of the configuration) to standard error. Nobody ever waits for whoever reads these.
    pub(crate) fn new(format: Format) -> io::Result<Self> {
        let words = Arc::new(Writer::spawn("error log", io::stderr())?);
        log_to(&words, format);
        Ok(Self { format, lines: Writer::spawn("access log", io::stdout())?, words })
    }

    /// Reads a journey that has ended.
    pub(crate) fn record(&self, journey: &Journey) {
        let mut line = match self.format {
            Format::Json => access_log::json(journey),
            Format::Text => access_log::text(journey),
        };
        line.push('\n');
        self.lines.write(line.as_bytes());
    }

    /// Waits until every line has been written, but for two seconds at most.
    pub(crate) fn close(&self) {
        let lost = self.lines.settle(PATIENCE);
        if lost > 0 {
            tracing::warn!(lost, "nobody reads the access log: its last lines are lost");
        }
        let _nobody_to_tell = self.words.settle(PATIENCE);
    }
}

fn log_to(words: &Arc<Writer>, format: Format) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let words = Arc::clone(words);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(move || Word(Arc::clone(&words)));
    // Only the first subscriber of a process counts; tests start several gateways in one.
    let first = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => builder.try_init(),
    };
    if first.is_ok() {
        // By default a panic is written to standard error at once, for which the request's thread would wait.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// One event: the subscriber writes it in one piece.
struct Word(Arc<Writer>);

impl io::Write for Word {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
