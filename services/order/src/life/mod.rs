//! The order's life: a saga of steps, each written down before it is done.
//!
//! | status | step | to do | then |
//! |---|---|---|---|
//! | `PENDING` | `RESERVE` | reserve the stock | `OPEN`; refused: `CANCELLED`, `RELEASE` |
//! | `PENDING` | `OPEN` | open the intent | `AWAITING_PAYMENT`, `WAIT` |
//! | `AWAITING_PAYMENT` | `WAIT` | nothing: what becomes of the intent is [heard](crate::follow); after its end the sweep looks | |
//! | either of both | `VOID` | void the intent | `CANCELLED`, `RELEASE`; paid already: `CONFIRMED`, `SELL` |
//! | `CANCELLED` | `RELEASE` | give the stock back | `DONE` |
//! | `CONFIRMED` | `SELL` | sell the reservation | `DONE` |
//!
//! Every call of a step names the order and may be repeated, so whoever finds an unfinished order (the request, another
//! replica, the [sweep](crate::sweep), a restart) does its step again. Nothing is taken back on a guess: the intent is
//! voided, which says for certain that it is not paid, before the stock is given back.

mod intent;
mod steps;
mod stock;

use proto::order::v1::OrderStatus;
use service_kit::Cents;

pub(crate) use self::{
    intent::became,
    steps::{Life, Stuck},
};

/// Why an order was cancelled, when no other service says so.
pub(crate) mod reason {
    pub(crate) const BY_ADMIN: &str = "BY_ADMIN";
    pub(crate) const BY_CUSTOMER: &str = "BY_CUSTOMER";
    pub(crate) const NOTHING_TO_PAY: &str = "NOTHING_TO_PAY";
    pub(crate) const PAYMENT_EXPIRED: &str = "PAYMENT_EXPIRED";
    pub(crate) const PAYMENT_REFUSED: &str = "PAYMENT_REFUSED";
    pub(crate) const PAYMENT_VOIDED: &str = "PAYMENT_VOIDED";
    pub(crate) const TIMED_OUT: &str = "TIMED_OUT";
    pub(crate) const TOO_EXPENSIVE: &str = "TOO_EXPENSIVE";
    pub(crate) const UNKNOWN_PRODUCT: &str = "UNKNOWN_PRODUCT";
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Reserve,
    Open,
    Wait,
    Void,
    Release,
    Sell,
    Done,
}

/// What the product service asks for the lines of an order, in their sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) lines: Vec<(String, Cents)>,
    pub(crate) total: Cents,
}

/// Why an order can't be supplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    /// Of which products there were too few, separated by commas.
    pub(crate) short: Option<String>,
}

/// Something that became certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The stock is set aside, at these prices.
    Reserved(Quote),
    /// The order can't be supplied, for this reason.
    Refused(Refusal),
    /// The intent is open until this time, in microseconds since 1970.
    Opened(i64),
    /// Somebody who may do so wants the order cancelled, for this reason.
    Cancel(&'static str),
    /// The order was pending for too long.
    TimedOut,
    /// The intent ended unpaid; the reason counts unless there was one before.
    Closed(&'static str),
    /// The intent was captured by this payment.
    Paid(String),
    /// The stock was given back, or sold.
    Settled,
}

/// Where an order stands after a move; none when the move comes too late, or twice, and changes nothing.
pub(crate) fn next(status: OrderStatus, step: Step, change: &Move) -> Option<(OrderStatus, Step)> {
    use OrderStatus::{AwaitingPayment, Cancelled, Confirmed};
    Some(match (change, step) {
        (Move::Reserved(_), Step::Reserve) => (status, Step::Open),
        // Nothing was sent to the payment service yet, so there is no intent to void.
        (Move::Refused(_) | Move::Cancel(_) | Move::TimedOut, Step::Reserve) => {
            (Cancelled, Step::Release)
        }
        (Move::Opened(_), Step::Open) => (AwaitingPayment, Step::Wait),
        (Move::Cancel(_), Step::Open | Step::Wait) | (Move::TimedOut, Step::Open) => {
            (status, Step::Void)
        }
        (Move::Closed(_), Step::Open | Step::Wait | Step::Void) => (Cancelled, Step::Release),
        (Move::Paid(_), Step::Open | Step::Wait | Step::Void) => (Confirmed, Step::Sell),
        (Move::Settled, Step::Release | Step::Sell) => (status, Step::Done),
        _ => return None,
    })
}

/// Whether the order can change no more.
pub(crate) fn is_end(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Confirmed | OrderStatus::Cancelled)
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self { reason: reason.to_owned(), short: None }
    }
}

impl Move {
    /// The reason to write down with the order.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.reason),
            Self::Cancel(reason) | Self::Closed(reason) => Some(reason),
            Self::TimedOut => Some(reason::TIMED_OUT),
            Self::Opened(_) | Self::Paid(_) | Self::Reserved(_) | Self::Settled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let quote = Quote { lines: Vec::new(), total: Cents(1) };
        let one = prop::sample::select(vec![
            Move::Reserved(quote),
            Move::Refused("OUT_OF_STOCK".into()),
            Move::Opened(0),
            Move::Cancel(reason::BY_CUSTOMER),
            Move::TimedOut,
            Move::Closed(reason::PAYMENT_EXPIRED),
            Move::Paid("p".to_owned()),
            Move::Settled,
        ]);
        prop::collection::vec(one, 0..30)
    }

    proptest! {
        #[test]
        fn an_end_is_an_end_and_only_what_was_decided_is_settled(moves in moves()) {
            let (mut status, mut step) = (OrderStatus::Pending, Step::Reserve);
            let mut paid = false;
            for change in &moves {
                let Some((new_status, new_step)) = next(status, step, change) else { continue };
                prop_assert!(!is_end(status) || new_status == status, "{change:?} moved {status:?} to {new_status:?}");
                prop_assert!(step != Step::Done);
                paid |= matches!(change, Move::Paid(_));
                (status, step) = (new_status, new_step);
                prop_assert_eq!(status == OrderStatus::Confirmed, paid);
                let settling = matches!(step, Step::Release | Step::Sell | Step::Done);
                prop_assert_eq!(is_end(status), settling);
            }
        }

        #[test]
        fn a_move_twice_is_a_move_once(moves in moves()) {
            let (mut once, mut twice) = ((OrderStatus::Pending, Step::Reserve), (OrderStatus::Pending, Step::Reserve));
            for change in &moves {
                once = next(once.0, once.1, change).unwrap_or(once);
                for _ in 0..2 {
                    twice = next(twice.0, twice.1, change).unwrap_or(twice);
                }
                prop_assert_eq!(once, twice);
            }
        }
    }

    #[test]
    fn an_order_that_waits_for_payment_does_not_time_out() {
        assert_eq!(next(OrderStatus::AwaitingPayment, Step::Wait, &Move::TimedOut), None);
    }

    #[test]
    fn a_late_refusal_does_not_undo_a_reservation() {
        assert_eq!(
            next(OrderStatus::Pending, Step::Open, &Move::Refused("OUT_OF_STOCK".into())),
            None
        );
    }
}
