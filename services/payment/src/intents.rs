//! The rows of `intents`: who may pay what, and the one place that decides whether an order is paid.
//!
//! Every end is one conditional update inside the caller's immediate transaction, so capture, void and expiry exclude each other.

use proto::payment::v1::{Intent, IntentStatus};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params};
use service_kit::{Cents, Failure, Timestamp, clock};

use crate::events;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) order_id: String,
    /// None for an order that was voided before its intent was opened.
    pub(crate) user_id: Option<String>,
    pub(crate) amount: Option<Cents>,
    pub(crate) status: IntentStatus,
    pub(crate) payment_id: Option<String>,
    pub(crate) expire_time: i64,
}

/// The intent of an order.
pub(crate) fn find(connection: &Connection, order_id: &str) -> Result<Option<Record>, Failure> {
    let sql = "SELECT order_id, user_id, amount_cents, status, payment_id, expire_time FROM intents WHERE order_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([order_id], Record::read).optional()?)
}

/// Opens the intent, unless the order has one; answers the one it has then.
pub(crate) fn open(
    write: &Transaction<'_>,
    (order_id, user_id, amount): (&str, &str, Cents),
    (now, expire): (Timestamp, Timestamp),
) -> Result<Record, Failure> {
    let opened = write.execute(
        "INSERT INTO intents (order_id, user_id, amount_cents, status, expire_time, create_time, update_time)
         VALUES (:order, :user, :amount, 'OPEN', :expire, :now, :now) ON CONFLICT DO NOTHING",
        named_params! {
            ":order": order_id, ":user": user_id, ":amount": amount.0,
            ":expire": expire.as_microsecond(), ":now": now.as_microsecond(),
        },
    )?;
    after(write, order_id, opened == 1, now)
}

/// Closes the intent if it is open. An intent that was never opened is written down as voided.
pub(crate) fn void(
    write: &Transaction<'_>,
    order_id: &str,
    now: Timestamp,
) -> Result<Record, Failure> {
    let voided = write.execute(
        "INSERT INTO intents (order_id, status, expire_time, create_time, update_time)
         VALUES (:order, 'VOIDED', :now, :now, :now)
         ON CONFLICT DO UPDATE SET status = 'VOIDED', update_time = :now WHERE status = 'OPEN'",
        named_params! { ":order": order_id, ":now": now.as_microsecond() },
    )?;
    after(write, order_id, voided == 1, now)
}

/// Gives the intent to a payment, if it is open and its time is not over. Answers whether it did.
pub(crate) fn capture(
    write: &Transaction<'_>,
    order_id: &str,
    payment_id: &str,
    now: Timestamp,
) -> Result<bool, Failure> {
    let captured = write.execute(
        "UPDATE intents SET status = 'CAPTURED', payment_id = :payment, update_time = :now
         WHERE order_id = :order AND status = 'OPEN' AND expire_time > :now",
        named_params! { ":order": order_id, ":payment": payment_id, ":now": now.as_microsecond() },
    )?;
    after(write, order_id, captured == 1, now)?;
    Ok(captured == 1)
}

/// Whether there is an open intent whose time is over.
pub(crate) fn is_due(connection: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM intents WHERE status = 'OPEN' AND expire_time <= ?1)";
    Ok(connection.prepare_cached(sql)?.query_row([now.as_microsecond()], |row| row.get(0))?)
}

/// Ends up to `most` open intents whose time is over.
pub(crate) fn expire(write: &Transaction<'_>, most: i64, now: Timestamp) -> Result<(), Failure> {
    let sql = "SELECT order_id FROM intents WHERE status = 'OPEN' AND expire_time <= ?1 ORDER BY expire_time LIMIT ?2";
    let due: Vec<String> = write
        .prepare_cached(sql)?
        .query_map((now.as_microsecond(), most), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for order_id in due {
        let sql = "UPDATE intents SET status = 'EXPIRED', update_time = ?2 WHERE order_id = ?1 AND status = 'OPEN'";
        let expired = write.prepare_cached(sql)?.execute((&order_id, now.as_microsecond()))?;
        after(write, &order_id, expired == 1, now)?;
    }
    Ok(())
}

/// The intent as it is now; when it has just changed, an event says so in the same transaction.
fn after(
    write: &Transaction<'_>,
    order_id: &str,
    changed: bool,
    now: Timestamp,
) -> Result<Record, Failure> {
    let record = find(write, order_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    if changed {
        events::tell(write, &record, now)?;
    }
    Ok(record)
}

impl Record {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            order_id: row.get("order_id")?,
            user_id: row.get("user_id")?,
            amount: row.get::<_, Option<i64>>("amount_cents")?.map(Cents),
            status: status(&row.get::<_, String>("status")?),
            payment_id: row.get("payment_id")?,
            expire_time: row.get("expire_time")?,
        })
    }
}

impl From<Record> for Intent {
    fn from(record: Record) -> Self {
        Self {
            order_id: record.order_id,
            user_id: record.user_id.unwrap_or_default(),
            amount: record.amount.map(Into::into),
            status: record.status.into(),
            payment_id: record.payment_id.unwrap_or_default(),
            expire_time: Some(clock::to_proto(record.expire_time)),
        }
    }
}

fn status(column: &str) -> IntentStatus {
    match column {
        "OPEN" => IntentStatus::Open,
        "CAPTURED" => IntentStatus::Captured,
        "VOIDED" => IntentStatus::Voided,
        "EXPIRED" => IntentStatus::Expired,
        _ => IntentStatus::Unspecified,
    }
}
