//! The payment service over real sockets and a real file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bed;
mod events;
mod intents;
mod payments;
mod races;
