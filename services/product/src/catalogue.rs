//! Products as rows and as messages, and the event that tells of a change.

use prost::Message as _;
use proto::product::v1::{Product, WatchProductsResponse};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use service_kit::{
    Cents, Failure, Timestamp, clock, errors,
    events::{self, Event},
};
use tonic::Status;

/// The topic of the events of this service: a product changed, and this is how it is now.
pub(crate) const TOPIC: &str = "product";

const COLUMNS: &str = "position, id, name, description, price, available, create_time, update_time";

/// A product and its place in the list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) position: i64,
    pub(crate) product: Product,
}

/// What an admin says of a product; `None` leaves it as it is.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) price: Option<Cents>,
}

pub(crate) fn find(db: &Connection, id: &str) -> Result<Option<Product>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM products WHERE id = ?1");
    let listed = db.prepare_cached(&sql)?.query_row([id], listed).optional()?;
    Ok(listed.map(|listed| listed.product))
}

/// The product, or `NOT_FOUND`.
pub(crate) fn read(db: &Connection, id: &str) -> Result<Product, Failure> {
    Ok(find(db, id)?.ok_or_else(|| errors::not_found("product", id))?)
}

/// Up to `limit` products after a position, in the order they were added.
pub(crate) fn list(
    db: &Connection,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Listed>, Failure> {
    let sql =
        format!("SELECT {COLUMNS} FROM products WHERE position > ?1 ORDER BY position LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([after.unwrap_or_default(), limit], listed)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn add(
    transaction: &Transaction<'_>,
    id: &str,
    text: &Text,
    now: Timestamp,
) -> Result<Product, Failure> {
    let sql = "INSERT INTO products (id, name, description, price, create_time, update_time)
               VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let price = text.price.unwrap_or_default().0;
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![id, text.name, text.description, price, now.as_microsecond()])?;
    tell(transaction, id, now)
}

pub(crate) fn change(
    transaction: &Transaction<'_>,
    id: &str,
    text: &Text,
    now: Timestamp,
) -> Result<Product, Failure> {
    read(transaction, id)?;
    let sql =
        "UPDATE products SET name = coalesce(?2, name), description = coalesce(?3, description),
               price = coalesce(?4, price), update_time = ?5 WHERE id = ?1";
    let price = text.price.map(|price| price.0);
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params![id, text.name, text.description, price, now.as_microsecond()])?;
    tell(transaction, id, now)
}

/// Answers the product as it is now, and lets the watchers know.
pub(crate) fn tell(
    transaction: &Transaction<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Product, Failure> {
    let product = read(transaction, id)?;
    events::append(transaction, TOPIC, id, &product, now)?;
    Ok(product)
}

/// The event as watchers get it.
pub(crate) fn told(event: &Event) -> Result<WatchProductsResponse, Status> {
    let product = Product::decode(event.payload.as_slice());
    let product = product.map_err(|_| Status::internal("an event can't be read"))?;
    Ok(WatchProductsResponse { sequence: event.sequence, product: Some(product) })
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let product = Product {
        id: row.get(1)?,
        name: row.get(2)?,
        description: row.get(3)?,
        price: Some(Cents(row.get(4)?).into()),
        stock: row.get(5)?,
        create_time: Some(clock::to_proto(row.get(6)?)),
        update_time: Some(clock::to_proto(row.get(7)?)),
    };
    Ok(Listed { position: row.get(0)?, product })
}
