//! Who the shop's users are, and the tokens that say so.
//!
//! | module | what it decides |
//! |---|---|
//! | [`schema`] | the tables and the seeded users |
//! | [`accounts`] | users as rows and as messages |
//! | [`password`] | hashing: what it costs, and how many at once |
//! | [`keys`] | the keys that sign: made, rotated, published |
//! | [`token`] | what a token says |
//! | [`login`] | `AuthService` |
//! | [`public`] | `UserService`: what a request may ask |

mod accounts;
mod email;
mod keys;
mod login;
mod password;
mod public;
mod schema;
mod token;

use std::{ffi::OsString, process::ExitCode};

use proto::user::v1::{
    auth_service_server::AuthServiceServer, user_service_server::UserServiceServer,
};
use service_kit::{
    About, Boot, BootError, Clock, Site, Store,
    boot::{Options, block_on, conclude, parse, run},
};

use crate::password::Hasher;

/// Where it listens and keeps its data unless told otherwise.
pub const ABOUT: About = About {
    name: "user",
    version: env!("CARGO_PKG_VERSION"),
    address: "127.0.0.1:50051",
    database: ".shop/user.db",
    probe: "user.v1.UserService",
};

/// Its own arguments.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Args {
    /// Make a new signing key and exit. Running replicas publish it at once and sign with it a minute later; the keys
    /// before it stay published until the tokens they signed have expired.
    #[arg(long, conflicts_with = "probe")]
    pub rotate_key: bool,
}

/// The whole life of the service, from its arguments to its exit code. The first argument is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse::<Args>(&ABOUT, arguments) {
        Ok(options) if options.args.rotate_key => conclude(&ABOUT, block_on(rotate_key(options))),
        Ok(options) => run(&ABOUT, options, start),
        Err(code) => code,
    }
}

/// Opens the database, seeds it when it is new, and answers what is to be served.
pub async fn start(boot: Boot<Args>) -> Result<Site, BootError> {
    let (store, clock) = (open(&boot.database, &boot.clock).await?, boot.clock);
    let hasher = Hasher::new();
    let login = login::Auth { store: store.clone(), hasher: hasher.clone(), clock: clock.clone() };
    let public = public::Users { store: store.clone(), hasher, clock: clock.clone() };
    Ok(Site::new()
        .grpc(AuthServiceServer::new(login))
        .grpc(UserServiceServer::new(public))
        .http(keys::routes(store, clock)))
}

async fn rotate_key(options: Options<Args>) -> Result<(), BootError> {
    let (database, clock) = (options.database, Clock::system());
    // A key in a new database by mistake would be nobody's.
    if !database.exists() {
        let message = format!("there is no database {}", database.display());
        return Err(BootError::Other(message, None));
    }
    let store = open(&database, &clock).await?;
    let now = clock.now();
    store.write(move |tx| keys::rotate(tx, now)).await.map_err(unusable)
}

/// The database, with a key to sign with.
async fn open(path: &std::path::Path, clock: &Clock) -> Result<Store, BootError> {
    let store = Store::open(ABOUT.name, path, schema::MIGRATIONS, clock).await?;
    let now = clock.now();
    store.write(move |tx| keys::ensure(tx, now)).await.map_err(unusable)?;
    Ok(store)
}

fn unusable(failure: service_kit::Failure) -> BootError {
    BootError::Other("can't make a signing key".to_owned(), Some(failure.into()))
}
