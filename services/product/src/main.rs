//! The product service.

fn main() -> std::process::ExitCode {
    product::main(std::env::args_os())
}
