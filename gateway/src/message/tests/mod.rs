//! Against another implementation: whatever one of the two reads or writes, the other does too, and the same. Where
//! they differ, one is wrong; where it is the other one, [`faults`] says so.
//!
//! What is tried is decided by bytes that `proptest` draws. The same ones in every run, so that nothing fails by chance;
//! with `PROPTEST_CASES` set others in each run, and so many of them for every test.

mod claims;
mod extremes;
mod faults;
mod fixed;
mod generated;
mod mutated;
mod oracle;
mod strange;

use proptest::test_runner::{Config, RngSeed};

/// How a property is tried.
pub(super) fn cases(count: u32) -> Config {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return Config { failure_persistence: None, ..Config::default() };
    }
    Config {
        cases: count,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..Config::default()
    }
}
