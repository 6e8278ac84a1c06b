//! What the shop sells: the catalogue, the stock, and the reservations that orders hold on it.
//!
//! | module | what it decides |
//! |---|---|
//! | [`schema`] | the tables, which an outside checker may read, and the seeded products |
//! | [`catalogue`] | products as rows and as messages |
//! | [`stock`] | every movement of a piece between available, reserved and sold |
//! | [`public`] | `ProductService`: what a request may ask |
//! | [`internal`] | `StockService`: reservations, for the order service |
//! | [`image`] | the picture of a product |

mod catalogue;
mod image;
mod internal;
mod public;
mod schema;
mod stock;

use std::{ffi::OsString, process::ExitCode};

use jiff::SignedDuration;
use proto::product::v1::{
    product_service_server::ProductServiceServer, stock_service_server::StockServiceServer,
};
use service_kit::{About, Boot, BootError, Events, Site, Store, events};

/// Where it listens and keeps its data unless told otherwise.
pub const ABOUT: About = About {
    name: "product",
    version: env!("CARGO_PKG_VERSION"),
    address: "127.0.0.1:50052",
    database: ".shop/product.db",
    probe: "product.v1.ProductService",
};

/// How long a watcher can go on where it left off.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// The whole life of the service, from its arguments to its exit code. The first argument is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    service_kit::main(&ABOUT, arguments, start)
}

/// Opens the database, seeds it when it is new, and answers what is to be served.
pub async fn start(boot: Boot<()>) -> Result<Site, BootError> {
    let store = Store::open(ABOUT.name, &boot.database, schema::MIGRATIONS, &boot.clock).await?;
    let events = Events::watch(&store, &boot.shutdown);
    let purge = events::purge(store.clone(), boot.clock.clone(), RETENTION, boot.shutdown);
    let public = public::Products { store: store.clone(), events, clock: boot.clock.clone() };
    let internal = internal::Stock { store, clock: boot.clock };
    Ok(Site::new()
        .grpc(ProductServiceServer::new(public))
        .grpc(StockServiceServer::new(internal))
        .task("purge events", purge))
}
