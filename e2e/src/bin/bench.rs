//! Measures what a request costs the gateway and others: see `bench --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The gateway and the user service are this program too, as they are for `demo`: never older than what measures them.
    if std::env::args_os().nth(1).is_some_and(|word| word == "part") {
        return e2e::demo::main(std::env::args_os());
    }
    e2e::bench::main(std::env::args_os())
}
