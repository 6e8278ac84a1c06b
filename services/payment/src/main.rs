//! Runs the payment service.

fn main() -> std::process::ExitCode {
    payment::main(std::env::args_os())
}
