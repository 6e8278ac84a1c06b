//! Writes lines on a thread of its own: whoever reads the logs may be slow, stop or go away, and no call waits for them.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

/// Lines that may wait. Beyond, lines are dropped and counted.
const QUEUE: usize = 4096;
const NAP: Duration = Duration::from_millis(5);

enum Entry {
    Line(Vec<u8>),
    /// Everything before it was written.
    Flush(SyncSender<()>),
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn spawn(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, receiver) = mpsc::sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(out, &receiver, &counted))?;
        Ok(Self { entries, dropped })
    }

    /// Waits until every line so far is written, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (done, written) = mpsc::sync_channel(1);
        while let Err(TrySendError::Full(_)) = self.entries.try_send(Entry::Flush(done.clone())) {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(NAP);
        }
        // Out of patience, the lines are lost: there is nobody to tell.
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// Takes a whole line at a time, never waits and never fails.
impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut out: impl Write, entries: &Receiver<Entry>, dropped: &AtomicU64) {
    while let Ok(entry) = entries.recv() {
        match entry {
            // Where nobody reads any more there is nobody to tell, but they may be back with the next line.
            Entry::Line(line) if out.write_all(&line).is_err() => {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            Entry::Line(_) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(lost, "the log could not keep up: lines were dropped");
                }
            }
            Entry::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_waits_for_every_line() {
        let out = Shared::default();
        let mut writer = Writer::spawn(out.clone()).unwrap();
        let lines: Vec<_> = (0..1000).map(|number| format!("{number}\n")).collect();
        for line in &lines {
            writer.write_all(line.as_bytes()).unwrap();
        }
        Writer::flush(&writer, Duration::from_secs(10));
        assert_eq!(String::from_utf8(out.0.lock().unwrap().clone()).unwrap(), lines.concat());
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_nothing_else() {
        let out = Shared::default();
        let held = out.0.lock().unwrap();
        let mut writer = Writer::spawn(out.clone()).unwrap();
        for _ in 0..2 * QUEUE {
            writer.write_all(b"a line\n").unwrap();
        }
        assert!(writer.dropped.load(Ordering::Relaxed) > 0);
        Writer::flush(&writer, Duration::from_millis(20));
        drop(held);
    }
}
