//! The second half of room 5: keeps the door standing when what is behind it fails.
//!
//! It decides how long anyone waits, whether a call is made again and when, how much of the traffic that may be, which
//! endpoint is not asked for a while, how many calls there may be at once, and how long a stream lives. It never talks to a
//! service and never chooses one.
//! Chapter 5: docs/05-load-balancing.md

mod breaker;
mod budget;
mod bulkhead;
mod config;
mod retry;
mod stream;
mod timeout;
mod window;

pub(crate) use breaker::{CircuitBreaker, Permit, Snapshot, Trip};
pub(crate) use budget::RetryBudget;
pub(crate) use bulkhead::{Bulkhead, Room, Shed};
pub(crate) use config::{Config, Limits};
pub(crate) use retry::{Miss, Pushback, Repeatable, RetryPolicy};
pub(crate) use stream::supervise;
pub(crate) use timeout::{DeadlineExceeded, InvalidTimeout, deadline, timeout_header, within};
