//! Which unfinished orders want attention, and when. Several replicas share the work: who takes an order puts off the others.

use std::time::Duration;

use rusqlite::{Connection, Transaction};
use service_kit::{Failure, Timestamp};

use super::{COLUMNS, Record};
use crate::{backoff, life::Step};

/// The request that writes an order down sees to it for so long.
const ATTENDED: Duration = Duration::from_secs(6);
/// And the request that cancels one for so long.
const CANCELLING: Duration = Duration::from_secs(3);

const UNFINISHED: &str = "step NOT IN ('WAIT', 'DONE')";

/// Until when a new order is its request's to see to.
pub(super) fn attended(now: Timestamp) -> i64 {
    after(now, ATTENDED)
}

/// When an order wants attention that has just come to `step`.
pub(super) fn after_move(step: Step, now: Timestamp) -> i64 {
    match step {
        Step::Reserve | Step::Open => attended(now),
        Step::Void => after(now, CANCELLING),
        Step::Wait | Step::Release | Step::Sell | Step::Done => now.as_microsecond(),
    }
}

/// Whether an unfinished order wants attention.
pub(crate) fn any_due(connection: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let sql =
        format!("SELECT EXISTS (SELECT 1 FROM orders WHERE {UNFINISHED} AND next_try_time <= ?1)");
    Ok(connection.prepare_cached(&sql)?.query_row([now.as_microsecond()], |row| row.get(0))?)
}

/// Takes up to `most` of them, the pending ones first. They are due again later, should nothing come of it.
pub(crate) fn take_due(
    write: &Transaction<'_>,
    most: i64,
    now: Timestamp,
) -> Result<Vec<Record>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE {UNFINISHED} AND next_try_time <= ?1
         ORDER BY status <> 'PENDING', next_try_time LIMIT ?2"
    );
    let mut statement = write.prepare_cached(&sql)?;
    let due = statement
        .query_map((now.as_microsecond(), most), Record::read)?
        .collect::<Result<Vec<_>, _>>()?;
    let sql = "UPDATE orders SET tries = tries + 1, next_try_time = ?2 WHERE id = ?1";
    for order in &due {
        let again = after(now, backoff::pause(order.tries, &order.id));
        write.prepare_cached(sql)?.execute((&order.id, again))?;
    }
    due.into_iter().map(|order| order.with_items(write)).collect()
}

/// Makes all unfinished orders due: at start nobody here attends to any.
pub(crate) fn recover(write: &Transaction<'_>, now: Timestamp) -> Result<usize, Failure> {
    let sql =
        format!("UPDATE orders SET next_try_time = min(next_try_time, ?1) WHERE {UNFINISHED}");
    Ok(write.execute(&sql, [now.as_microsecond()])?)
}

fn after(now: Timestamp, pause: Duration) -> i64 {
    now.as_microsecond().saturating_add(i64::try_from(pause.as_micros()).unwrap_or(i64::MAX))
}
