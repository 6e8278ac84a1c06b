//! What an endpoint says when it is asked how it is (grpc.health.v1).
//!
//! ```text
//!                    NOT_SERVING, NOT_FOUND, or no answer twice
//!   unknown, up ──────────────────────────────────────────────────► down
//!        ▲                      SERVING, or that it knows no such question
//!        └───────────────────────────────────────────────────────────┘
//! ```

/// So many times it may miss a question. One may be lost with a connection that was idle for too long.
const MISSES: u8 = 2;

/// What came of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It serves.
    Serving,
    /// It says that it does not serve, or does not know the service that it was asked about.
    NotServing,
    /// It has no such method (UNIMPLEMENTED): it is there, and will never say how it is.
    Unimplemented,
    /// It said nothing in time, or nothing that counts as an answer.
    Silence,
}

/// What is known from asking.
#[derive(Debug, Default)]
pub(super) struct Health {
    down: bool,
    misses: u8,
    /// It does not know the question, so it is not asked again.
    unasked: bool,
}

impl Health {
    /// Takes an answer into account, and says whether the endpoint is up again.
    pub(super) fn hear(&mut self, answer: Answer) -> bool {
        let was_down = self.down;
        match answer {
            Answer::Silence => self.misses = self.misses.saturating_add(1),
            _ => self.misses = 0,
        }
        self.unasked = answer == Answer::Unimplemented;
        self.down = match answer {
            Answer::Serving | Answer::Unimplemented => false,
            Answer::NotServing => true,
            Answer::Silence => self.down || self.misses >= MISSES,
        };
        was_down && !self.down
    }

    /// Whether it is not to be called.
    pub(super) fn is_down(&self) -> bool {
        self.down
    }

    /// Whether there is an answer to be had.
    pub(super) fn wants_check(&self) -> bool {
        !self.unasked
    }
}
