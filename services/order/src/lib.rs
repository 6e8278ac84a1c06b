//! The order service: takes orders and sees them through, whatever is killed on the way.
//!
//! | module | what it decides |
//! |---|---|
//! | `service` | `OrderService`: who may see which order |
//! | `check` | what a new order must look like |
//! | `create`, `cancel`, `watch` | the requests that take more than one step |
//! | `late` | how long those work, and what they answer when that was too short |
//! | `life` | the saga: which step follows which, what each does, what becomes certain by it |
//! | `sweep` | finishes what requests left unfinished, at start and ever after |
//! | `follow` | hears from the payment service what became of intents |
//! | `peers` | how other services are asked |
//! | `orders` | the rows of `orders` and `order_items` |

mod backoff;
mod cancel;
mod check;
mod create;
mod follow;
mod late;
mod life;
mod orders;
mod peers;
mod service;
mod sweep;
mod watch;

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use jiff::SignedDuration;
use proto::order::v1::order_service_server::OrderServiceServer;
use service_kit::{
    About, Boot, BootError, Events, Site, Store, events, idempotency, store::Migration,
};
use tokio::sync::Notify;

pub use self::peers::Addresses;
use self::{life::Life, peers::Peer};

/// What the service says of itself.
pub const ABOUT: About = About {
    name: "order",
    version: env!("CARGO_PKG_VERSION"),
    address: "127.0.0.1:50053",
    database: ".shop/order.db",
    probe: "order.v1.OrderService",
};

/// How long changes of orders are told again to who missed them.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);

const MIGRATIONS: &[Migration] = &[|write, _| {
    write.execute_batch(events::TABLE)?;
    write.execute_batch(idempotency::TABLE)?;
    write.execute_batch(include_str!("schema.sql"))
}];

/// The service's own arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where the product service is: one address, or several separated by commas.
    #[arg(
        long,
        env = "PRODUCT_ADDR",
        value_name = "URL",
        default_value = "http://127.0.0.1:50052"
    )]
    pub product: Addresses,
    /// Where the payment service is.
    #[arg(
        long,
        env = "PAYMENT_ADDR",
        value_name = "URL",
        default_value = "http://127.0.0.1:50054"
    )]
    pub payment: Addresses,
}

/// The whole life of the service; `arguments` as in `std::env::args_os`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    service_kit::main(&ABOUT, arguments, start)
}

/// Opens the database, and says what is to be served. The services it needs may start later.
pub async fn start(boot: Boot<Args>) -> Result<Site, BootError> {
    let Boot { args, database, clock, shutdown } = boot;
    let store = Store::open(ABOUT.name, &database, MIGRATIONS, &clock).await?;
    let events = Events::watch(&store, &shutdown);
    let life = Life {
        store: store.clone(),
        clock: clock.clone(),
        product: Peer::at(&args.product),
        payment: Peer::at(&args.payment),
        settle: Arc::new(Notify::new()),
    };
    let purge = events::purge(store.clone(), clock.clone(), RETENTION, shutdown.clone());
    Ok(Site::new()
        .grpc(OrderServiceServer::new(service::Orders { life: life.clone(), events }))
        .task("sweep", sweep::run(life.clone(), shutdown.clone()))
        .task("follow", follow::run(life, shutdown.clone()))
        .task("purge events", purge)
        .task("purge", idempotency::purge(store, clock, shutdown)))
}
