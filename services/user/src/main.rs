//! The user service.

fn main() -> std::process::ExitCode {
    user::main(std::env::args_os())
}
