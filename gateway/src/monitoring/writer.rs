//! Writes log lines on a thread of its own: a slow terminal or pipe must not stop requests.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

/// Lines that may wait. Beyond, lines are dropped and counted.
const QUEUE: usize = 8192;

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn spawn(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, receiver) = mpsc::sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let thread = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || run(out, &receiver, &counted))?;
        Ok(Self { lines, dropped, thread })
    }

    /// Hands a line over, ended by its newline. Never waits.
    pub(super) fn write(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until every line that was handed over has been written.
    pub(super) fn close(self) {
        drop(self.lines);
        let _panicked = self.thread.join();
    }
}

fn run(out: impl Write, lines: &Receiver<String>, dropped: &AtomicU64) {
    let mut out = io::BufWriter::new(out);
    while let Ok(line) = lines.recv() {
        let mut result = out.write_all(line.as_bytes());
        // Whatever waits goes out together with one flush.
        while let Ok(line) = lines.try_recv() {
            result = result.and_then(|()| out.write_all(line.as_bytes()));
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "the access log could not keep up: lines were dropped");
        }
        if let Err(error) = result.and_then(|()| out.flush()) {
            tracing::error!(%error, "the access log can't be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn closing_waits_for_every_line() {
        let out = Shared::default();
        let writer = Writer::spawn(out.clone()).unwrap();
        for n in 0..1000 {
            writer.write(format!("{n}\n"));
        }
        writer.close();
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written.lines().collect::<Vec<_>>(),
            (0..1000).map(|n| n.to_string()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_reader_that_stops_never_stops_the_gateway() {
        let out = Shared::default();
        let held = out.0.lock().unwrap();
        let writer = Writer::spawn(out.clone()).unwrap();
        for _ in 0..3 * QUEUE {
            writer.write("x".repeat(100) + "\n");
        }
        assert!(writer.dropped.load(Ordering::Relaxed) > 0);
        drop(held);
        writer.close();
    }
}
