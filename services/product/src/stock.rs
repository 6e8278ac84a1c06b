//! Every movement of a piece between available, reserved and sold. Each is part of one transaction that holds the
//! write lock, so what is read here is still true when it is written.

use proto::{
    google::r#type::Money,
    product::v1::{Product, Reservation, ReservedItem, StockItem},
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use service_kit::{Cents, Failure, Timestamp, Violations, errors};
use tonic::{Code, Status};

use crate::catalogue;

/// No product ever counts more pieces than this, so that sums never overflow.
const MOST_PIECES: i64 = 1_000_000_000_000;

/// Where an order's reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reserved,
    Sold,
    Released,
}

/// Adds `delta` pieces, or takes them away, and writes that down.
pub(crate) fn adjust(
    transaction: &Transaction<'_>,
    id: &str,
    delta: i64,
    principal: &str,
    now: Timestamp,
) -> Result<Product, Failure> {
    catalogue::read(transaction, id)?;
    let sql = "SELECT available, available + reserved + sold FROM products WHERE id = ?1";
    let (available, all): (i64, i64) =
        transaction.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if available.saturating_add(delta) < 0 {
        let message = format!("product {id:?} has only {available} pieces to take away");
        let metadata = [("available", available.to_string())];
        return Err(errors::reason(
            Code::FailedPrecondition,
            message,
            "INSUFFICIENT_STOCK",
            metadata,
        )
        .into());
    }
    if all.saturating_add(delta) > MOST_PIECES {
        return Err(
            Violations::one("delta", format!("would make more than {MOST_PIECES} pieces")).into()
        );
    }
    let now_micros = now.as_microsecond();
    transaction
        .prepare_cached(
            "UPDATE products SET available = available + ?2, update_time = ?3 WHERE id = ?1",
        )?
        .execute(params![id, delta, now_micros])?;
    transaction
        .prepare_cached("INSERT INTO adjustments (product_id, delta, principal, create_time) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, delta, principal, now_micros])?;
    catalogue::tell(transaction, id, now)
}

/// Reserves all items or none. The same order and items again: the same reservation, also after it was sold.
///
/// `INVALID_ARGUMENT` names the products that do not exist by their place in the request. `FAILED_PRECONDITION`: not
/// enough pieces (`OUT_OF_STOCK`), other items before (`RESERVATION_DIFFERS`), released before (`RESERVATION_RELEASED`).
pub(crate) fn reserve(
    transaction: &Transaction<'_>,
    order_id: &str,
    items: &[StockItem],
    now: Timestamp,
) -> Result<Reservation, Failure> {
    match state(transaction, order_id)? {
        Some(State::Released) => return Err(released(order_id).into()),
        Some(State::Reserved | State::Sold) => return repeat(transaction, order_id, items),
        None => {}
    }
    let reservation =
        Reservation { order_id: order_id.to_owned(), items: quote(transaction, items)? };
    insert(transaction, order_id, State::Reserved, now)?;
    let sql =
        "INSERT INTO reservation_items (order_id, line, product_id, name, quantity, unit_price)
               SELECT ?1, ?2, id, name, ?4, price FROM products WHERE id = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    for (line, item) in (1_i64..).zip(&reservation.items) {
        statement.execute(params![order_id, line, item.product_id, item.quantity])?;
    }
    shift(
        transaction,
        &reservation.items,
        "available = available - ?2, reserved = reserved + ?2",
        now,
    )?;
    Ok(reservation)
}

/// Gives a reservation back. Released before: nothing. Never made: leaves a row that refuses a late reservation.
///
/// `FAILED_PRECONDITION` (`RESERVATION_SOLD`) when it was sold.
pub(crate) fn release(
    transaction: &Transaction<'_>,
    order_id: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    match state(transaction, order_id)? {
        Some(State::Released) => Ok(()),
        None => insert(transaction, order_id, State::Released, now),
        Some(State::Sold) => {
            let message = format!("the items of order {order_id:?} were sold");
            Err(errors::reason(Code::FailedPrecondition, message, "RESERVATION_SOLD", []).into())
        }
        Some(State::Reserved) => {
            end(transaction, order_id, State::Released, now)?;
            let items = items(transaction, order_id)?;
            shift(transaction, &items, "available = available + ?2, reserved = reserved - ?2", now)
        }
    }
}

/// Turns a reservation into a sale. Sold before: nothing.
///
/// `NOT_FOUND` when it was never made, `FAILED_PRECONDITION` (`RESERVATION_RELEASED`) when it was given back.
pub(crate) fn sell(
    transaction: &Transaction<'_>,
    order_id: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    match state(transaction, order_id)? {
        Some(State::Sold) => Ok(()),
        None => Err(errors::not_found("reservation for order", order_id).into()),
        Some(State::Released) => Err(released(order_id).into()),
        Some(State::Reserved) => {
            end(transaction, order_id, State::Sold, now)?;
            let items = items(transaction, order_id)?;
            shift(transaction, &items, "reserved = reserved - ?2, sold = sold + ?2", now)
        }
    }
}

/// The items at their names and prices of now, or what stands against them: everything of one kind at once.
fn quote(db: &Connection, items: &[StockItem]) -> Result<Vec<ReservedItem>, Failure> {
    let (mut quoted, mut short, mut unknown) = (Vec::new(), Vec::new(), Violations::new());
    for (place, item) in items.iter().enumerate() {
        let Some(product) = catalogue::find(db, &item.product_id)? else {
            unknown.add(format!("items[{place}].product_id"), "is no product of the shop");
            continue;
        };
        if product.stock < i64::from(item.quantity) {
            short.push(item.product_id.clone());
        }
        quoted.push(ReservedItem {
            product_id: product.id,
            name: product.name,
            quantity: item.quantity,
            unit_price: product.price,
        });
    }
    unknown.check()?;
    if let Some(first) = short.first() {
        let message = format!("not enough pieces of {first}");
        let ids = short.join(",");
        return Err(errors::reason(
            Code::FailedPrecondition,
            message,
            "OUT_OF_STOCK",
            [("productIds", ids)],
        )
        .into());
    }
    Ok(quoted)
}

/// The reservation that an order has, if it asks for the same.
fn repeat(db: &Connection, order_id: &str, asked: &[StockItem]) -> Result<Reservation, Failure> {
    let items = items(db, order_id)?;
    let had = items.iter().map(|item| (item.product_id.as_str(), item.quantity));
    if !had.eq(asked.iter().map(|item| (item.product_id.as_str(), item.quantity))) {
        let message = format!("order {order_id:?} reserved other items before");
        return Err(
            errors::reason(Code::FailedPrecondition, message, "RESERVATION_DIFFERS", []).into()
        );
    }
    Ok(Reservation { order_id: order_id.to_owned(), items })
}

fn items(db: &Connection, order_id: &str) -> Result<Vec<ReservedItem>, Failure> {
    let sql = "SELECT product_id, name, quantity, unit_price FROM reservation_items WHERE order_id = ?1 ORDER BY line";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([order_id], |row| {
        Ok(ReservedItem {
            product_id: row.get(0)?,
            name: row.get(1)?,
            quantity: row.get(2)?,
            unit_price: Some(Money::from(Cents(row.get(3)?))),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn shift(
    transaction: &Transaction<'_>,
    items: &[ReservedItem],
    change: &str,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = format!("UPDATE products SET {change}, update_time = ?3 WHERE id = ?1");
    let mut statement = transaction.prepare_cached(&sql)?;
    for item in items {
        statement.execute(params![item.product_id, item.quantity, now.as_microsecond()])?;
        catalogue::tell(transaction, &item.product_id, now)?;
    }
    Ok(())
}

fn state(db: &Connection, order_id: &str) -> Result<Option<State>, Failure> {
    let mut statement = db.prepare_cached("SELECT status FROM reservations WHERE order_id = ?1")?;
    let status: Option<String> = statement.query_row([order_id], |row| row.get(0)).optional()?;
    Ok(status.map(|status| match status.as_str() {
        "RESERVED" => State::Reserved,
        "SOLD" => State::Sold,
        _ => State::Released,
    }))
}

fn insert(
    transaction: &Transaction<'_>,
    order_id: &str,
    state: State,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "INSERT INTO reservations (order_id, status, create_time, update_time) VALUES (?1, ?2, ?3, ?3)";
    transaction.prepare_cached(sql)?.execute(params![
        order_id,
        name(state),
        now.as_microsecond()
    ])?;
    Ok(())
}

fn end(
    transaction: &Transaction<'_>,
    order_id: &str,
    state: State,
    now: Timestamp,
) -> Result<(), Failure> {
    let sql = "UPDATE reservations SET status = ?2, update_time = ?3 WHERE order_id = ?1 AND status = 'RESERVED'";
    transaction.prepare_cached(sql)?.execute(params![
        order_id,
        name(state),
        now.as_microsecond()
    ])?;
    Ok(())
}

fn name(state: State) -> &'static str {
    match state {
        State::Reserved => "RESERVED",
        State::Sold => "SOLD",
        State::Released => "RELEASED",
    }
}

fn released(order_id: &str) -> Status {
    let message = format!("the reservation of order {order_id:?} was given back");
    errors::reason(Code::FailedPrecondition, message, "RESERVATION_RELEASED", [])
}
