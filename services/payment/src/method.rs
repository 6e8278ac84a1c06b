//! The methods that the mock bank knows.

/// How to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Succeeds at once.
    Good,
    /// Is refused.
    Declined,
    /// Succeeds, but the bank takes its time.
    Slow,
}

impl Method {
    /// Reads a token; none when the bank doesn't know it.
    pub(crate) fn of(token: &str) -> Option<Self> {
        Some(match token {
            "tok_visa" | "tok_mastercard" => Self::Good,
            "tok_declined" => Self::Declined,
            "tok_slow" => Self::Slow,
            _ => return None,
        })
    }
}
