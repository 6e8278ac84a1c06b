//! The rows of `orders` and `order_items`, and how an order is shown.
//!
//! An order is written once and then changed only by [`make`], one conditional move at a time.

mod change;
mod due;

use proto::order::v1::{Order, OrderItem, OrderStatus};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params};
use service_kit::{Cents, Failure, Timestamp, clock};

pub(crate) use self::{
    change::{TOPIC, make},
    due::{Lane, any_due, any_overdue, give_up, recover, take_due},
};
use crate::life::Step;

const COLUMNS: &str = "id, user_id, status, step, total_cents, payment_id, cancel_reason, short, create_time, update_time, tries";

/// One row of `orders` with its lines.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) status: OrderStatus,
    pub(crate) step: Step,
    pub(crate) items: Vec<Item>,
    pub(crate) total: Option<Cents>,
    pub(crate) payment_id: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) short: Option<String>,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
    pub(crate) tries: u32,
}

/// One row of `order_items`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) product_id: String,
    pub(crate) quantity: i32,
    /// Name and price since the reservation.
    pub(crate) quoted: Option<(String, Cents)>,
}

/// An order; none when there is none.
pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Record>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ?1");
    let record = connection.prepare_cached(&sql)?.query_row([id], Record::read).optional()?;
    record.map(|record| record.with_items(connection)).transpose()
}

/// Up to `limit` orders of a user, newest first, beginning after the order `after`.
pub(crate) fn list(
    connection: &Connection,
    user_id: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Record>, Failure> {
    // UUIDv7: a later order has a greater id.
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE user_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let records = statement
        .query_map((user_id, after, limit), Record::read)?
        .collect::<Result<Vec<_>, _>>()?;
    records.into_iter().map(|record| record.with_items(connection)).collect()
}

/// Writes a new order down: PENDING, nothing done yet.
pub(crate) fn insert(
    write: &Transaction<'_>,
    (id, user_id, items): (&str, &str, &[Item]),
    now: Timestamp,
) -> Result<(), Failure> {
    write.execute(
        "INSERT INTO orders (id, user_id, status, step, create_time, update_time, next_try_time)
         VALUES (:id, :user, 'PENDING', 'RESERVE', :now, :now, :attended)",
        named_params! {
            ":id": id, ":user": user_id, ":now": now.as_microsecond(), ":attended": due::attended(now),
        },
    )?;
    let sql =
        "INSERT INTO order_items (order_id, line, product_id, quantity) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = write.prepare_cached(sql)?;
    for (line, item) in (0_i64..).zip(items) {
        statement.execute((id, line, &item.product_id, item.quantity))?;
    }
    change::tell(write, id, now)
}

impl Record {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            user_id: row.get("user_id")?,
            status: status(&row.get::<_, String>("status")?),
            step: step(&row.get::<_, String>("step")?),
            items: Vec::new(),
            total: row.get::<_, Option<i64>>("total_cents")?.map(Cents),
            payment_id: row.get("payment_id")?,
            cancel_reason: row.get("cancel_reason")?,
            short: row.get("short")?,
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
            tries: row.get("tries")?,
        })
    }

    fn with_items(mut self, connection: &Connection) -> Result<Self, Failure> {
        let sql = "SELECT product_id, quantity, name, price_cents FROM order_items WHERE order_id = ?1 ORDER BY line";
        let mut statement = connection.prepare_cached(sql)?;
        let items = statement.query_map([&self.id], |row| {
            let (name, price): (Option<String>, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok(Item {
                product_id: row.get(0)?,
                quantity: row.get(1)?,
                quoted: name.zip(price.map(Cents)),
            })
        })?;
        self.items = items.collect::<Result<_, _>>()?;
        Ok(self)
    }
}

impl From<&Record> for Order {
    fn from(record: &Record) -> Self {
        // While the order is pending its price is not the customer's to count on.
        let priced = record.status != OrderStatus::Pending;
        let cancelled = record.status == OrderStatus::Cancelled;
        Self {
            id: record.id.clone(),
            user_id: record.user_id.clone(),
            status: record.status.into(),
            items: record.items.iter().map(|item| shown(item, priced)).collect(),
            total: record.total.filter(|_| priced).map(Into::into),
            payment_id: record.payment_id.clone().unwrap_or_default(),
            create_time: Some(clock::to_proto(record.create_time)),
            update_time: Some(clock::to_proto(record.update_time)),
            cancel_reason: record.cancel_reason.clone().filter(|_| cancelled).unwrap_or_default(),
        }
    }
}

fn shown(item: &Item, priced: bool) -> OrderItem {
    let (name, price) = item.quoted.clone().filter(|_| priced).unzip();
    OrderItem {
        product_id: item.product_id.clone(),
        name: name.unwrap_or_default(),
        quantity: item.quantity,
        unit_price: price.map(Into::into),
    }
}

fn status(column: &str) -> OrderStatus {
    match column {
        "PENDING" => OrderStatus::Pending,
        "AWAITING_PAYMENT" => OrderStatus::AwaitingPayment,
        "CONFIRMED" => OrderStatus::Confirmed,
        "CANCELLED" => OrderStatus::Cancelled,
        _ => OrderStatus::Unspecified,
    }
}

fn step(column: &str) -> Step {
    match column {
        "RESERVE" => Step::Reserve,
        "OPEN" => Step::Open,
        "WAIT" => Step::Wait,
        "VOID" => Step::Void,
        "RELEASE" => Step::Release,
        "SELL" => Step::Sell,
        _ => Step::Done,
    }
}
