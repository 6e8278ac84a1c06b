//! The gateway as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::main(std::env::args_os())
}
