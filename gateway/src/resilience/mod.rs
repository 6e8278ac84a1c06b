//! The second half of room 5: keeps the door standing when what is behind it fails.
//!
//! It decides how long anyone waits, and how long a stream lives. It never talks to a service and never chooses one.
//! Chapter 5: docs/05-load-balancing.md

mod config;
mod stream;
mod timeout;

pub(crate) use config::{Config, Limits};
pub(crate) use stream::supervise;
pub(crate) use timeout::{DeadlineExceeded, InvalidTimeout, deadline, timeout_header, within};
