//! Runs the shop, plays the tour, and is every part of both: see `demo --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::demo::main(std::env::args_os())
}
