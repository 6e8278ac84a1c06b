//! Does what is to be done next for an order, and writes down what became certain by it.

use std::sync::Arc;

use proto::order::v1::OrderStatus;
use service_kit::{Caller, Clock, Failure, Store, errors::not_found};
use tokio::{
    sync::Notify,
    time::{Duration, timeout},
};
use tonic::Status;

use super::{Move, Step};
use crate::{
    orders::{self, Record},
    peers::Peer,
};

/// How long a reader waits for the payment service, when it does not answer at once.
const LOOK: Duration = Duration::from_millis(200);

/// Sees orders through. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) product: Peer,
    pub(crate) payment: Peer,
    /// Told when an order's stock can be settled now.
    pub(crate) settle: Arc<Notify>,
}

/// Why a step was not done, as far as is known. It is done again later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    #[error("the {peer} service gave no usable answer")]
    Peer {
        peer: &'static str,
        #[source]
        status: Box<Status>,
    },
    #[error("the order could not be read or written")]
    Here(#[from] Failure),
}

impl Life {
    /// Does the present step of an order and writes down what became certain. Answers the order as it is then.
    pub(crate) async fn advance(&self, order: Record, caller: &Caller) -> Result<Record, Stuck> {
        let change = match order.step {
            Step::Reserve => self.reserve(&order, caller).await?,
            Step::Open => self.open(&order, caller).await?,
            Step::Void => self.void(&order, caller).await?,
            Step::Release => self.release(&order, caller).await?,
            Step::Sell => self.sell(&order, caller).await?,
            Step::Wait | Step::Done => return Ok(order),
        };
        self.make(&order.id, change).await
    }

    /// Advances until the order is no longer pending.
    pub(crate) async fn leave_pending(&self, id: &str, caller: &Caller) -> Result<Record, Stuck> {
        let mut order = self.read(id).await?;
        while order.status == OrderStatus::Pending {
            order = self.advance(order, caller).await?;
        }
        Ok(order)
    }

    /// Makes a move, if it can be made where the order stands now.
    pub(crate) async fn make(&self, id: &str, change: Move) -> Result<Record, Stuck> {
        let (id, now) = (id.to_owned(), self.clock.now());
        Ok(self.store.write(move |write| orders::make(write, &id, &change, now)).await?)
    }

    /// Asks the payment service what became of an order that waits for it, so that who has just paid reads it confirmed.
    /// Without an answer the order is as it was; what became of it is [heard](crate::follow) a moment later anyway.
    pub(crate) async fn look(&self, order: Record, caller: &Caller) -> Record {
        if order.step != Step::Wait {
            return order;
        }
        match timeout(LOOK, self.ended(&order, caller)).await {
            Ok(Ok(Some(change))) => {
                let moved = self.make(&order.id, change).await;
                self.settle_soon();
                moved.unwrap_or(order)
            }
            Ok(_) | Err(_) => order,
        }
    }

    /// Has the sweep settle orders with the stock at once.
    pub(crate) fn settle_soon(&self) {
        self.settle.notify_one();
    }

    async fn read(&self, id: &str) -> Result<Record, Stuck> {
        let id = id.to_owned();
        let read = self
            .store
            .read(move |db| orders::find(db, &id)?.ok_or_else(|| not_found("order", &id).into()));
        Ok(read.await?)
    }
}

/// What an answer amounts to that does not fit its question.
pub(super) fn unusable() -> Status {
    Status::internal("the answer does not fit the question")
}
