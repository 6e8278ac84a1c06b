//! Writes the shop's encoded descriptor set to a file: `proto shop.binpb`.

use std::{
    env, fs,
    io::{self, Write as _},
    process::ExitCode,
};

/// `EX_USAGE` of sysexits.h.
const BAD_COMMAND_LINE: u8 = 64;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(file), None) = (arguments.next(), arguments.next()) else {
        say("usage: proto FILE   (writes the encoded descriptor set of the shop to FILE)");
        return ExitCode::from(BAD_COMMAND_LINE);
    };
    match fs::write(&file, proto::DESCRIPTORS) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("proto: can't write {}: {error}", file.display()));
            ExitCode::FAILURE
        }
    }
}

/// When even standard error is closed, the exit code still tells.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
