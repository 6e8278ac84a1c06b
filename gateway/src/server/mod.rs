//! The place where requests arrive.

pub mod sanity;
