//! What a program writes, line by line.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::watch;

use super::answer::Latch;
use super::soon;

/// The lines of one stream of a program.
#[derive(Clone)]
pub(crate) struct Output(watch::Receiver<Vec<String>>);

impl Output {
    /// Reads a stream from the moment the latch is open.
    pub(super) fn of(stream: impl AsyncRead + Send + Unpin + 'static, latch: &Latch) -> Self {
        let (sender, receiver) = watch::channel(Vec::new());
        let latch = latch.clone();
        tokio::spawn(async move {
            latch.opened().await;
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|all| all.push(line));
            }
        });
        Self(receiver)
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Waits for lines that fit and returns them all as soon as there are `count`; fails when the stream ends before.
    pub(crate) async fn lines_that(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut lines = self.0.clone();
        let found = |lines: &Vec<String>| {
            lines.iter().filter(|line| fits(line)).cloned().collect::<Vec<_>>()
        };
        let enough = lines.wait_for(|lines| found(lines).len() >= count);
        match soon(what, enough).await {
            Ok(lines) => found(&lines),
            Err(ended) => panic!("{what}: {ended}: {:#?}", self.lines()),
        }
    }

    /// Waits until the stream ends and returns everything.
    pub(crate) async fn all(&self) -> Vec<String> {
        let mut lines = self.0.clone();
        let _ended = soon("the end of the output", lines.wait_for(|_| false)).await;
        self.lines()
    }
}
