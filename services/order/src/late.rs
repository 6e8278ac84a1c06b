//! Requests that take several steps: how long they work on their order, and what they answer when that was too short.

use service_kit::{Caller, errors::reason};
use tokio::time::{Duration, Instant};
use tonic::{Code, Status};

use crate::life::Stuck;

/// How long a request works on its order, also when its caller would wait longer. Then the sweep takes over.
const LONGEST: Duration = Duration::from_secs(5);
/// And so much shorter than its caller waits: the answer that says which order it is about has to arrive.
const AHEAD: Duration = Duration::from_millis(50);

/// The same caller, with the end of the work as its deadline.
pub(crate) fn hurry(caller: Caller) -> Caller {
    let left = caller.deadline().map(|end| end.saturating_duration_since(Instant::now()));
    caller.hurry(left.map_or(LONGEST, |left| left.saturating_sub(AHEAD).min(LONGEST)))
}

/// The answer about an order that is finished later: `DEADLINE_EXCEEDED` when there was no more time, UNAVAILABLE otherwise.
pub(crate) fn unfinished(
    (id, caller): (&str, &Caller),
    stuck: &Stuck,
    (why, message): (&str, &str),
) -> Status {
    tracing::warn!(order = id, request_id = caller.request_id(), error = %stuck, why, "an order is finished later");
    let late = caller.deadline().is_some_and(|deadline| deadline <= Instant::now());
    let code = if late { Code::DeadlineExceeded } else { Code::Unavailable };
    reason(code, message, why, [("order_id", id.to_owned())])
}
