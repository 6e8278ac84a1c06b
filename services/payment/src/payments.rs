//! The rows of `payments` and `ledger`: every try to pay, and every cent that moved.

use proto::payment::v1::{Payment, PaymentStatus};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params};
use service_kit::{Cents, Failure, Timestamp, clock};

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) user_id: String,
    pub(crate) status: PaymentStatus,
    pub(crate) amount: Cents,
    pub(crate) method: String,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
}

/// A payment.
pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Record>, Failure> {
    let sql = "SELECT id, order_id, user_id, status, amount_cents, method, create_time, update_time FROM payments WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([id], Record::read).optional()?)
}

/// Writes a payment down, and with a captured one the line of the ledger.
pub(crate) fn insert(write: &Transaction<'_>, payment: &Record) -> Result<(), Failure> {
    write.execute(
        "INSERT INTO payments (id, order_id, user_id, status, amount_cents, method, create_time, update_time)
         VALUES (:id, :order, :user, :status, :amount, :method, :created, :updated)",
        named_params! {
            ":id": payment.id, ":order": payment.order_id, ":user": payment.user_id, ":status": column(payment.status),
            ":amount": payment.amount.0, ":method": payment.method,
            ":created": payment.create_time, ":updated": payment.update_time,
        },
    )?;
    if payment.status == PaymentStatus::Captured {
        book(write, payment, "CAPTURE", payment.amount, payment.create_time)?;
    }
    Ok(())
}

/// Gives a captured payment's money back, once. Answers the payment as it is then.
pub(crate) fn refund(
    write: &Transaction<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Option<Record>, Failure> {
    let now = now.as_microsecond();
    let refunded = write.execute(
        "UPDATE payments SET status = 'REFUNDED', update_time = ?2 WHERE id = ?1 AND status = 'CAPTURED'",
        (id, now),
    )?;
    let payment = find(write, id)?;
    if let (1, Some(payment)) = (refunded, &payment) {
        book(write, payment, "REFUND", Cents(-payment.amount.0), now)?;
    }
    Ok(payment)
}

fn book(
    write: &Transaction<'_>,
    payment: &Record,
    kind: &str,
    amount: Cents,
    now: i64,
) -> Result<(), Failure> {
    write.execute(
        "INSERT INTO ledger (order_id, payment_id, kind, amount_cents, create_time) VALUES (?1, ?2, ?3, ?4, ?5)",
        (&payment.order_id, &payment.id, kind, amount.0, now),
    )?;
    Ok(())
}

impl Record {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            order_id: row.get("order_id")?,
            user_id: row.get("user_id")?,
            status: status(&row.get::<_, String>("status")?),
            amount: Cents(row.get("amount_cents")?),
            method: row.get("method")?,
            create_time: row.get("create_time")?,
            update_time: row.get("update_time")?,
        })
    }
}

impl From<Record> for Payment {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            order_id: record.order_id,
            user_id: record.user_id,
            status: record.status.into(),
            amount: Some(record.amount.into()),
            method: record.method,
            create_time: Some(clock::to_proto(record.create_time)),
            update_time: Some(clock::to_proto(record.update_time)),
        }
    }
}

fn status(column: &str) -> PaymentStatus {
    match column {
        "CAPTURED" => PaymentStatus::Captured,
        "DECLINED" => PaymentStatus::Declined,
        "REFUNDED" => PaymentStatus::Refunded,
        _ => PaymentStatus::Unspecified,
    }
}

fn column(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Captured => "CAPTURED",
        PaymentStatus::Declined => "DECLINED",
        PaymentStatus::Refunded => "REFUNDED",
        PaymentStatus::Unspecified => "UNSPECIFIED",
    }
}
