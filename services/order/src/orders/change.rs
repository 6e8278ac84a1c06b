//! The one way an order changes.

use proto::order::v1::{Order, OrderStatus};
use rusqlite::{Transaction, named_params};
use service_kit::{Failure, Timestamp, errors::not_found, events};

use super::{Record, due, find};
use crate::life::{Move, Step, next};

/// The topic of what is told to those who watch an order.
pub(crate) const TOPIC: &str = "order";

/// Makes a move if it can be made where the order stands now. Answers the order as it is then.
///
/// When the status changes, an event tells it in the same transaction.
pub(crate) fn make(
    write: &Transaction<'_>,
    id: &str,
    change: &Move,
    now: Timestamp,
) -> Result<Record, Failure> {
    let order = find(write, id)?.ok_or_else(|| not_found("order", id))?;
    let Some((status, step)) = next(order.status, order.step, change) else { return Ok(order) };
    let visible = status != order.status;
    let (total, payment_id, short) = match change {
        Move::Reserved(quote) => (Some(quote.total.0), None, None),
        Move::Paid(payment_id) => (None, Some(payment_id), None),
        Move::Refused(refusal) => (None, None, refusal.short.as_ref()),
        _ => (None, None, None),
    };
    // A wish to cancel that came too late is no reason any more.
    let reason = order
        .cancel_reason
        .as_deref()
        .or(change.reason())
        .filter(|_| status != OrderStatus::Confirmed);
    write
        .prepare_cached(
            "UPDATE orders SET status = :status, step = :step, total_cents = coalesce(:total, total_cents),
                payment_id = :payment, cancel_reason = :reason, short = coalesce(:short, short), update_time = max(update_time, :updated),
                tries = 0, next_try_time = :next
             WHERE id = :id AND step = :from",
        )?
        .execute(named_params! {
            ":status": status_column(status), ":step": step_column(step), ":total": total,
            ":payment": payment_id.or(order.payment_id.as_ref()), ":reason": reason, ":short": short,
            ":updated": if visible { now.as_microsecond() } else { order.update_time },
            ":next": due::after_move(step, change, now), ":id": id, ":from": step_column(order.step),
        })?;
    if let Move::Reserved(quote) = change {
        let sql =
            "UPDATE order_items SET name = ?3, price_cents = ?4 WHERE order_id = ?1 AND line = ?2";
        let mut statement = write.prepare_cached(sql)?;
        for (line, (name, price)) in (0_i64..).zip(&quote.lines) {
            statement.execute((id, line, name, price.0))?;
        }
    }
    if visible {
        tell(write, id, now)?;
    }
    tracing::debug!(order = id, ?change, ?status, ?step, "order moved");
    find(write, id)?.ok_or_else(|| not_found("order", id).into())
}

/// Tells those who watch how the order stands.
pub(super) fn tell(write: &Transaction<'_>, id: &str, now: Timestamp) -> Result<(), Failure> {
    let order = find(write, id)?.ok_or_else(|| not_found("order", id))?;
    events::append(write, TOPIC, id, &Order::from(&order), now)?;
    Ok(())
}

fn status_column(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Unspecified => "UNSPECIFIED",
        OrderStatus::Pending => "PENDING",
        OrderStatus::AwaitingPayment => "AWAITING_PAYMENT",
        OrderStatus::Confirmed => "CONFIRMED",
        OrderStatus::Cancelled => "CANCELLED",
    }
}

fn step_column(step: Step) -> &'static str {
    match step {
        Step::Reserve => "RESERVE",
        Step::Open => "OPEN",
        Step::Wait => "WAIT",
        Step::Void => "VOID",
        Step::Release => "RELEASE",
        Step::Sell => "SELL",
        Step::Done => "DONE",
    }
}
