//! An issuer in memory that does what a test tells it to.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;

/// An issuer's answer.
#[derive(Clone)]
pub(in crate::authentication) enum Answer {
    Body(String),
    Status(u16),
    /// The next answer after this time.
    Hang(Duration),
    After(Duration, String),
}

impl Answer {
    pub(in crate::authentication) fn keys(keys: impl IntoIterator<Item = Value>) -> Self {
        Self::Body(json!({ "keys": keys.into_iter().collect::<Vec<_>>() }).to_string())
    }
}

/// An issuer that answers what a test tells it to, and counts.
pub(in crate::authentication) struct Script {
    answer: Mutex<Answer>,
    asked: AtomicU64,
}

impl Script {
    pub(in crate::authentication) fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), asked: AtomicU64::new(0) })
    }

    pub(in crate::authentication) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(in crate::authentication) fn current(&self) -> Answer {
        self.answer.lock().unwrap().clone()
    }

    pub(in crate::authentication) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(in crate::authentication) fn key_set(self: &Arc<Self>, algorithm: Algorithm) -> KeySet {
        let script = Arc::clone(self);
        KeySet::over(Box::new(move || {
            script.asked.fetch_add(1, Ordering::Relaxed);
            let answer = script.current();
            Box::pin(async move {
                match answer {
                    Answer::Body(body) => Keys::parse(body.as_bytes(), algorithm),
                    Answer::Status(status) => Err(FetchError::Status(status.try_into().unwrap())),
                    Answer::Hang(time) => {
                        sleep(time).await;
                        Err(FetchError::TooLarge)
                    }
                    Answer::After(time, body) => {
                        sleep(time).await;
                        Keys::parse(body.as_bytes(), algorithm)
                    }
                }
            })
        }))
    }
}
