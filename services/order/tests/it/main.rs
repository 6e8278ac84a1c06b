//! The order service between a real product and a real payment service, with faults on the way to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bed;
mod cancelling;
mod crashes;
mod creating;
mod paying;
mod process;
mod reading;
mod sweeping;
