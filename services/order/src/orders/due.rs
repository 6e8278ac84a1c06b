//! Which unfinished orders want attention, and when. Several replicas share the work: who takes an order puts off the others.

use std::time::Duration;

use rusqlite::{Connection, Transaction};
use service_kit::{Failure, Timestamp};

use super::{COLUMNS, Record, change};
use crate::{
    backoff,
    life::{Move, Step},
};

/// The request that writes an order down sees to it for so long. No order is put off for longer.
const ATTENDED: Duration = Duration::from_secs(6);
/// And the request that cancels one for so long.
const CANCELLING: Duration = Duration::from_secs(3);
/// How long a pending order has to go forward; then it is taken back.
const PATIENCE: Duration = Duration::from_secs(20);

/// An order that waits for payment is looked at so long after the end of its intent, of which it should have heard.
const UNHEARD: Duration = Duration::from_mins(1);
/// No intent is open for longer than a day, and so no order waits for longer.
const LONGEST_WAIT: Duration = Duration::from_hours(25);
/// A calendar clock that was set back makes what was written before stand in the future. What stands further ahead
/// than this was written by another time than ours.
const SKEW: Duration = Duration::from_secs(5);

// Each begins with what the index is over.
const UNFINISHED: &str =
    "step <> 'DONE' AND step IN ('RESERVE', 'OPEN', 'VOID', 'RELEASE', 'SELL')";
const OVERDUE: &str =
    "step <> 'DONE' AND step IN ('RESERVE', 'OPEN') AND (create_time <= ?1 OR create_time > ?2)";

/// Orders that wait for the same service are swept together, and do not wait for those that need another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Needs the product service first, and then the payment service.
    Reserve,
    /// Needs the payment service.
    Intent,
    /// Waits for payment, and should have heard what became of it.
    Wait,
    /// Needs the product service; what the customer sees is decided.
    Settle,
}

impl Lane {
    pub(crate) const ALL: [Self; 4] = [Self::Reserve, Self::Intent, Self::Wait, Self::Settle];

    /// Whether an order of this lane is still in its hands when it has come to `step`.
    pub(crate) fn sees_to(self, step: Step) -> bool {
        match self {
            Self::Reserve => matches!(step, Step::Reserve | Step::Open),
            Self::Intent => matches!(step, Step::Open | Step::Void),
            Self::Wait => step == Step::Wait,
            Self::Settle => matches!(step, Step::Release | Step::Sell),
        }
    }

    /// No order of this lane is put off for longer.
    fn longest(self) -> Duration {
        match self {
            Self::Reserve | Self::Intent | Self::Settle => ATTENDED,
            Self::Wait => LONGEST_WAIT,
        }
    }

    /// How long an order of this lane is left alone after so many tries.
    fn pause(self, order: &Record) -> Duration {
        match self {
            Self::Reserve | Self::Intent | Self::Settle => backoff::pause(order.tries, &order.id),
            Self::Wait => UNHEARD,
        }
    }

    /// Selects the orders of this lane that are due at `?1`, or put off until after `?2`, which is never: then the
    /// clock was set back.
    fn due(self) -> String {
        let steps = match self {
            Self::Reserve => "'RESERVE'",
            Self::Intent => "'OPEN', 'VOID'",
            Self::Wait => "'WAIT'",
            Self::Settle => "'RELEASE', 'SELL'",
        };
        format!(
            "step <> 'DONE' AND step IN ({steps}) AND (next_try_time <= ?1 OR next_try_time > ?2)"
        )
    }
}

/// Until when a new order is its request's to see to.
pub(super) fn attended(now: Timestamp) -> i64 {
    after(now, ATTENDED)
}

/// When an order wants attention that has just come to `step`.
pub(super) fn after_move(step: Step, change: &Move, now: Timestamp) -> i64 {
    match (step, change) {
        (Step::Reserve | Step::Open, _) => attended(now),
        (Step::Void, Move::Cancel(_)) => after(now, CANCELLING),
        (Step::Wait, Move::Opened(until)) => until.saturating_add(micros(UNHEARD)),
        (Step::Void | Step::Wait | Step::Release | Step::Sell | Step::Done, _) => {
            now.as_microsecond()
        }
    }
}

/// Whether a pending order has had its time.
pub(crate) fn any_overdue(connection: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM orders WHERE {OVERDUE})");
    Ok(connection.prepare_cached(&sql)?.query_row(overdue(now), |row| row.get(0))?)
}

/// Takes back at most `most` pending orders that have had their time. This needs no other service: an order without an
/// intent ends here, and of the others it is written down that their intent is to be voided.
pub(crate) fn give_up(write: &Transaction<'_>, most: i64, now: Timestamp) -> Result<(), Failure> {
    let sql = format!("SELECT id FROM orders WHERE {OVERDUE} LIMIT ?3");
    let (created, future) = overdue(now);
    let ids: Vec<String> = write
        .prepare_cached(&sql)?
        .query_map((created, future, most), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in ids {
        change::make(write, &id, &Move::TimedOut, now)?;
    }
    Ok(())
}

/// Whether an order of the lane wants attention.
pub(crate) fn any_due(
    connection: &Connection,
    lane: Lane,
    now: Timestamp,
) -> Result<bool, Failure> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM orders WHERE {})", lane.due());
    let times = (now.as_microsecond(), after(now, lane.longest()));
    Ok(connection.prepare_cached(&sql)?.query_row(times, |row| row.get(0))?)
}

/// Takes up to `most` of them. They are due again later, should nothing come of it.
pub(crate) fn take_due(
    write: &Transaction<'_>,
    lane: Lane,
    most: usize,
    now: Timestamp,
) -> Result<Vec<Record>, Failure> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE {} ORDER BY next_try_time LIMIT ?3",
        lane.due()
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = write.prepare_cached(&sql)?;
    let due = statement
        .query_map((now.as_microsecond(), after(now, lane.longest()), most), Record::read)?
        .collect::<Result<Vec<_>, _>>()?;
    let sql = "UPDATE orders SET tries = tries + 1, next_try_time = ?2 WHERE id = ?1";
    for order in &due {
        let again = after(now, lane.pause(order));
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
    now.as_microsecond().saturating_add(micros(pause))
}

/// Who was written down at the first time or before, or after the second, has had its time.
fn overdue(now: Timestamp) -> (i64, i64) {
    (now.as_microsecond().saturating_sub(micros(PATIENCE)), after(now, SKEW))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
