//! Writes lines on a thread of its own: a slow terminal or pipe must not stop requests, nor the end of the program.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many bytes may wait; as many again may be on their way out. Beyond, lines are dropped and counted.
const ROOM: usize = 4 * 1024 * 1024;

/// The way to the thread, which ends when it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    lines_waiting: u64,
    lines_being_written: u64,
    lines_dropped: u64,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread. The name is that of the thread and of what is written.
    pub(super) fn spawn(name: &'static str, out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || run(name, out, &shared))?;
        Ok(Self { queue })
    }

    /// Hands a line over, ended by its newline. Never waits for whoever reads.
    pub(super) fn write(&self, line: &[u8]) {
        let mut state = self.queue.state();
        if state.waiting.len() + line.len() > ROOM {
            state.lines_dropped += 1;
        } else {
            state.waiting.extend_from_slice(line);
            state.lines_waiting += 1;
        }
        self.queue.changed.notify_all();
    }

    /// Waits until everything that was handed over has been written, but no longer than that, and returns how many
    /// lines were not.
    pub(super) fn settle(&self, patience: Duration) -> u64 {
        let unwritten = |state: &State| state.lines_waiting + state.lines_being_written;
        let waited = self
            .queue
            .changed
            .wait_timeout_while(self.queue.state(), patience, |state| unwritten(state) > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        unwritten(&state) + state.lines_dropped
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.changed.notify_all();
    }
}

fn run(name: &str, mut out: impl Write, queue: &Queue) {
    let mut failed = false;
    loop {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let waited = queue.changed.wait_while(queue.state(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.waiting.is_empty() {
            return;
        }
        // Whatever waits goes out together.
        let bytes = std::mem::take(&mut state.waiting);
        state.lines_being_written = std::mem::take(&mut state.lines_waiting);
        drop(state);
        let written = out.write_all(&bytes).and_then(|()| out.flush());
        let mut state = queue.state();
        state.lines_being_written = 0;
        let dropped = std::mem::take(&mut state.lines_dropped);
        drop(state);
        queue.changed.notify_all();
        if dropped > 0 {
            tracing::warn!(log = name, dropped, "nobody reads the log fast enough: lines are lost");
        }
        if let Err(error) = written
            && !failed
        {
            // Once: where the log can't be written, saying so may be a line that can't be written.
            failed = true;
            tracing::error!(log = name, %error, "the log can't be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

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
    fn settling_waits_for_every_line() {
        let out = Shared::default();
        let writer = Writer::spawn("log", out.clone()).unwrap();
        for n in 0..1000 {
            writer.write(format!("{n}\n").as_bytes());
        }
        assert_eq!(writer.settle(PATIENCE), 0);
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written.lines().collect::<Vec<_>>(),
            (0..1000).map(|n| n.to_string()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_reader_that_stops_stops_neither_requests_nor_the_end_and_fills_no_memory() {
        let out = Shared::default();
        let held = out.0.lock().unwrap();
        let writer = Writer::spawn("log", out.clone()).unwrap();
        let line = vec![b'x'; 30_000];
        let lines = 3 * ROOM / line.len();
        for _ in 0..lines {
            writer.write(&line);
        }
        assert!(writer.queue.state().waiting.capacity() <= 2 * ROOM);
        assert_eq!(writer.settle(Duration::from_millis(1)), lines as u64);
        drop(held);
        writer.settle(PATIENCE);
        assert!(out.0.lock().unwrap().len() <= 2 * ROOM);
    }

    #[test]
    fn a_log_that_can_not_be_written_is_no_reason_to_wait() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let writer = Writer::spawn("log", Broken).unwrap();
        writer.write(b"x\n");
        assert_eq!(writer.settle(PATIENCE), 0);
    }
}
