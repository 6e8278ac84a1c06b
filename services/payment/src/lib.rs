//! The payment service: who paid what, and the only judge of whether an order is paid.
//!
//! | module | what it decides |
//! |---|---|
//! | `paying` | `PaymentService`: one try to pay, reading, refunds |
//! | `opening` | `IntentService`: what may be paid, by whom, until when |
//! | `events` | `PaymentEventsService`: telling what became of intents |
//! | `sweep` | ends intents whose time is over |
//! | `intents` | the rows of `intents`: capture, void and expiry exclude each other |
//! | `payments` | the rows of `payments` and of the `ledger` |
//! | `method`, `bank` | the mock bank: its methods, and its counter for slow ones |

mod bank;
mod events;
mod intents;
mod method;
mod opening;
mod paying;
mod payments;
mod sweep;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use jiff::SignedDuration;
use proto::payment::v1::{
    intent_service_server::IntentServiceServer,
    payment_events_service_server::PaymentEventsServiceServer,
    payment_service_server::PaymentServiceServer,
};
use service_kit::{About, Boot, BootError, Events, Site, Store, idempotency, store::Migration};

/// What the service says of itself.
pub const ABOUT: About = About {
    name: "payment",
    version: env!("CARGO_PKG_VERSION"),
    address: "127.0.0.1:50054",
    database: ".shop/payment.db",
    probe: "payment.v1.PaymentService",
};

/// How long the mock bank takes for `tok_slow`.
const SLOWNESS: Duration = Duration::from_secs(3);
/// How many slow payments it takes at once.
const SLOW_AT_ONCE: usize = 256;
const LONGEST_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

const MIGRATIONS: &[Migration] = &[|write, _| {
    write.execute_batch(service_kit::events::TABLE)?;
    write.execute_batch(idempotency::TABLE)?;
    write.execute_batch(include_str!("schema.sql"))
}];

/// The service's own arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How long an order can be paid, for example 15m or 90s.
    #[arg(long, env = "INTENT_TTL", value_name = "DURATION", default_value = "15m", value_parser = lifetime)]
    pub intent_ttl: SignedDuration,
    /// How long the mock bank takes for `tok_slow`; not on the command line.
    #[arg(skip = SLOWNESS)]
    pub slowness: Duration,
    /// How many of those it takes at once; not on the command line.
    #[arg(skip = SLOW_AT_ONCE)]
    pub places: usize,
}

impl Default for Args {
    fn default() -> Self {
        Self { intent_ttl: SignedDuration::from_mins(15), slowness: SLOWNESS, places: SLOW_AT_ONCE }
    }
}

/// The whole life of the service; `arguments` as in `std::env::args_os`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    service_kit::main(&ABOUT, arguments, start)
}

/// Opens the database, and says what is to be served.
pub async fn start(boot: Boot<Args>) -> Result<Site, BootError> {
    let Boot { args, database, clock, shutdown } = boot;
    let store = Store::open(ABOUT.name, &database, MIGRATIONS, &clock).await?;
    let events = Events::watch(&store, &shutdown);
    let paying = paying::Paying {
        store: store.clone(),
        clock: clock.clone(),
        slowness: args.slowness,
        bank: bank::Bank::with_places(args.places),
    };
    let opening =
        opening::Opening { store: store.clone(), clock: clock.clone(), lifetime: args.intent_ttl };
    Ok(Site::new()
        .grpc(PaymentServiceServer::new(paying))
        .grpc(IntentServiceServer::new(opening))
        .grpc(PaymentEventsServiceServer::new(events::Telling { events }))
        .task("expiry", sweep::expire(store.clone(), clock.clone(), shutdown.clone()))
        .task("purge", idempotency::purge(store, clock, shutdown)))
}

fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let lifetime: SignedDuration =
        text.parse().map_err(|_| "is not a duration: write 15m or 90s".to_owned())?;
    if lifetime < SignedDuration::from_secs(1) || lifetime > LONGEST_LIFETIME {
        return Err("must be one second to 24 hours".to_owned());
    }
    Ok(lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_second_to_a_day() {
        for (text, expected) in [
            ("15m", Some(900)),
            ("90s", Some(90)),
            ("1s", Some(1)),
            ("24h", Some(86_400)),
            ("24h 1s", None),
            ("0s", None),
            ("-15m", None),
            ("15", None),
            ("", None),
        ] {
            assert_eq!(
                lifetime(text).ok().map(|lifetime| lifetime.as_secs()),
                expected,
                "{text:?}"
            );
        }
    }
}
