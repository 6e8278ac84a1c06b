//! The mock bank's counter for slow payments: so many at once, and one at a time for an order.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use service_kit::errors::{reason, retry_later};
use tonic::{Code, Status};

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who is at the counter. Clones are the same bank.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    places: usize,
    orders: Arc<Mutex<HashSet<String>>>,
}

/// A place at the counter, taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    order_id: String,
    orders: Arc<Mutex<HashSet<String>>>,
}

impl Bank {
    pub(crate) fn with_places(places: usize) -> Self {
        Self { places, orders: Arc::default() }
    }

    /// Takes a place for a payment of the order.
    ///
    /// ABORTED (`PAYMENT_IN_PROGRESS`) while the order has one, so that nobody fills the counter with tries of which at
    /// most one can succeed; UNAVAILABLE when all are taken.
    pub(crate) fn admit(&self, order_id: &str) -> Result<Place, Status> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.contains(order_id) {
            let message = "another payment of this order is at work, wait for its end";
            return Err(reason(Code::Aborted, message, "PAYMENT_IN_PROGRESS", []));
        }
        if orders.len() >= self.places {
            let message = "the bank is busy, try again";
            return Err(retry_later(Code::Unavailable, message, RETRY_AFTER));
        }
        orders.insert(order_id.to_owned());
        Ok(Place { order_id: order_id.to_owned(), orders: Arc::clone(&self.orders) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.order_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_takes_one_place_and_gives_it_back() {
        let bank = Bank::with_places(2);
        let code = |order| bank.admit(order).map(drop).map_err(|status| status.code());
        let first = bank.admit("o-1").unwrap();
        assert_eq!(code("o-1"), Err(Code::Aborted));
        let _second = bank.admit("o-2").unwrap();
        assert_eq!((code("o-1"), code("o-3")), (Err(Code::Aborted), Err(Code::Unavailable)));
        drop(first);
        assert_eq!((code("o-1"), code("o-3")), (Ok(()), Ok(())));
    }
}
