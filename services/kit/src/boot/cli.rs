//! The flags that all services have, beside their own.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Arg, ArgAction, Args, Command, error::ErrorKind, value_parser};

use super::About;

/// `EX_USAGE` of sysexits.h.
const BAD_COMMAND_LINE: u8 = 64;

/// What the command line and the environment say.
#[derive(Debug)]
pub struct Options<A> {
    /// Where to listen, or whom to probe.
    pub address: SocketAddr,
    /// The file of the database.
    pub database: PathBuf,
    /// Ask the address for its health instead of serving.
    pub probe: bool,
    /// Serve `kit.v1.FaultService`, by which it can be made to fail.
    pub faults: bool,
    /// The service's own arguments.
    pub args: A,
}

/// Reads the command line. Help and version are printed here, and so is what is wrong; the exit code says which.
pub fn parse<A: Args>(
    about: &About,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Options<A>, ExitCode> {
    read(about, arguments).map_err(|error| {
        let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        let _ = error.print();
        if asked { ExitCode::SUCCESS } else { ExitCode::from(BAD_COMMAND_LINE) }
    })
}

fn read<A: Args>(
    about: &About,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Options<A>, clap::Error> {
    let command = Command::new(about.name)
        .version(about.version)
        .arg(
            Arg::new("address")
                .long("address")
                .env("ADDRESS")
                .value_name("IP:PORT")
                .default_value(about.address)
                .value_parser(value_parser!(SocketAddr))
                .help("Where to listen"),
        )
        .arg(
            Arg::new("database")
                .long("database")
                .env("DATABASE")
                .value_name("FILE")
                .default_value(about.database)
                .value_parser(value_parser!(PathBuf))
                .help("The database, created when it is not there; replicas on one host share it"),
        )
        .arg(Arg::new("probe").long("probe").action(ArgAction::SetTrue).help(
            "Ask the service at the address for its health: exit 0 when it serves, 1 otherwise",
        ))
        .arg(Arg::new("faults").long("faults").action(ArgAction::SetTrue).help(
            "Serve kit.v1.FaultService, by which anyone who reaches the port can make it fail",
        ));
    // Last, because the documentation of `A` would be taken for the program's.
    let mut command = A::augment_args(command).about(format!("The shop's {} service", about.name));
    let matches = command.try_get_matches_from_mut(arguments)?;
    let missing = || clap::Error::new(ErrorKind::MissingRequiredArgument);
    Ok(Options {
        address: *matches.get_one("address").ok_or_else(missing)?,
        database: matches.get_one::<PathBuf>("database").ok_or_else(missing)?.clone(),
        probe: matches.get_flag("probe"),
        faults: matches.get_flag("faults"),
        args: A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About {
        name: "user",
        version: "1.2.3",
        address: "127.0.0.1:50051",
        database: ".shop/user.db",
        probe: "user.v1.UserService",
    };

    #[derive(Debug, Args)]
    struct Own {
        /// An argument of the service itself.
        #[arg(long)]
        rotate_key: bool,
    }

    fn words(line: &str) -> impl IntoIterator<Item = OsString> + use<'_> {
        line.split(' ').map(OsString::from)
    }

    #[test]
    fn every_service_has_a_place_and_a_database() {
        let options: Options<()> = read(&ABOUT, words("user")).unwrap();
        assert_eq!(options.address.to_string(), "127.0.0.1:50051");
        assert_eq!(options.database, PathBuf::from(".shop/user.db"));
        assert!(!options.probe && !options.faults);
    }

    #[test]
    fn flags_win_and_the_service_has_its_own() {
        let line = "user --address [::1]:7 --database /tmp/x.db --probe --faults --rotate-key";
        let options: Options<Own> = read(&ABOUT, words(line)).unwrap();
        assert_eq!(options.address.to_string(), "[::1]:7");
        assert_eq!(options.database, PathBuf::from("/tmp/x.db"));
        assert!(options.probe && options.faults && options.args.rotate_key);
    }

    #[test]
    fn refuses_a_bad_command_line() {
        for line in [
            "user --adress x",
            "user --address nowhere",
            "user --address 127.0.0.1:70000",
            "user extra",
        ] {
            assert!(read::<()>(&ABOUT, words(line)).is_err(), "{line}");
        }
    }
}
