//! Runs the order service.

fn main() -> std::process::ExitCode {
    order::main(std::env::args_os())
}
