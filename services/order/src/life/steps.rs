//! What is done in each step, and what becomes certain by it.

use std::sync::Arc;

use proto::{
    order::v1::OrderStatus,
    payment::v1::{
        Intent, IntentStatus, OpenIntentRequest, VoidIntentRequest,
        intent_service_client::IntentServiceClient,
    },
    product::v1::{
        ReleaseStockRequest, Reservation, ReserveStockRequest, SellStockRequest, StockItem,
        stock_service_client::StockServiceClient,
    },
};
use service_kit::{Caller, Cents, Clock, Failure, Store, Violations, errors::not_found};
use tokio::{
    sync::Notify,
    time::{Duration, timeout},
};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{Move, Quote, Step, reason};
use crate::{
    orders::{self, Record},
    peers::{self, Peer, ask, is_refusal},
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
    /// Told when an order wants the sweep's attention now.
    pub(crate) due: Arc<Notify>,
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
        match timeout(LOOK, self.open(&order, caller)).await {
            Ok(Ok(change @ (Move::Paid(_) | Move::Closed(_)))) => {
                let moved = self.make(&order.id, change).await;
                self.due.notify_one();
                moved.unwrap_or(order)
            }
            Ok(_) | Err(_) => order,
        }
    }

    async fn read(&self, id: &str) -> Result<Record, Stuck> {
        let id = id.to_owned();
        let read = self
            .store
            .read(move |db| orders::find(db, &id)?.ok_or_else(|| not_found("order", &id).into()));
        Ok(read.await?)
    }

    async fn reserve(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let items = order.items.iter();
        let items = items
            .map(|item| StockItem { product_id: item.product_id.clone(), quantity: item.quantity });
        let question = ReserveStockRequest { order_id: order.id.clone(), items: items.collect() };
        let mut stock = self.stock()?;
        let answer =
            ask(
                caller,
                question,
                move |question| async move { stock.reserve_stock(question).await },
            );
        match answer.await {
            Ok(reservation) => quote(order, reservation),
            Err(status) if is_refusal(&status) => {
                // The order itself was checked before; what is left to be invalid is a product that does not exist.
                let why =
                    peers::reason(&status).unwrap_or_else(|| reason::UNKNOWN_PRODUCT.to_owned());
                Ok(Move::Refused(why))
            }
            Err(status) => Err(product(status)),
        }
    }

    async fn open(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let question = OpenIntentRequest {
            order_id: order.id.clone(),
            user_id: order.user_id.clone(),
            amount: order.total.map(Into::into),
        };
        let mut intents = self.intents()?;
        match ask(
            caller,
            question,
            move |question| async move { intents.open_intent(question).await },
        )
        .await
        {
            Ok(intent) if intent.status() == IntentStatus::Open => Ok(Move::Opened),
            Ok(intent) => became(&intent).ok_or_else(|| payment(unusable())),
            Err(status) if is_refusal(&status) => {
                tracing::error!(order = order.id, %status, "the payment service refused to open an intent");
                Ok(Move::Cancel(reason::PAYMENT_REFUSED))
            }
            Err(status) => Err(payment(status)),
        }
    }

    async fn void(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let question = VoidIntentRequest { order_id: order.id.clone() };
        let mut intents = self.intents()?;
        match ask(
            caller,
            question,
            move |question| async move { intents.void_intent(question).await },
        )
        .await
        {
            Ok(intent) => became(&intent).ok_or_else(|| payment(unusable())),
            Err(status) => captured_by(&status).map(Move::Paid).ok_or_else(|| payment(status)),
        }
    }

    async fn release(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let question = ReleaseStockRequest { order_id: order.id.clone() };
        let mut stock = self.stock()?;
        let answer =
            ask(
                caller,
                question,
                move |question| async move { stock.release_stock(question).await },
            );
        answer.await.map(|_| Move::Settled).map_err(product)
    }

    async fn sell(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let question = SellStockRequest { order_id: order.id.clone() };
        let mut stock = self.stock()?;
        let answer =
            ask(caller, question, move |question| async move { stock.sell_stock(question).await });
        answer.await.map(|_| Move::Settled).map_err(product)
    }

    fn stock(&self) -> Result<StockServiceClient<tonic::transport::Channel>, Stuck> {
        self.product.channel().map(StockServiceClient::new).map_err(product)
    }

    fn intents(&self) -> Result<IntentServiceClient<tonic::transport::Channel>, Stuck> {
        self.payment.channel().map(IntentServiceClient::new).map_err(payment)
    }
}

/// What the end of an intent means for its order; none while it is open.
pub(crate) fn became(intent: &Intent) -> Option<Move> {
    Some(match intent.status() {
        IntentStatus::Captured if !intent.payment_id.is_empty() => {
            Move::Paid(intent.payment_id.clone())
        }
        IntentStatus::Voided => Move::Closed(reason::PAYMENT_VOIDED),
        IntentStatus::Expired => Move::Closed(reason::PAYMENT_EXPIRED),
        IntentStatus::Captured | IntentStatus::Open | IntentStatus::Unspecified => return None,
    })
}

/// The payment that was faster, when that is why an intent was not voided.
fn captured_by(status: &Status) -> Option<String> {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.reason == "ALREADY_CAPTURED")?;
    info.metadata.get("payment_id").filter(|id| !id.is_empty()).cloned()
}

/// Reads a reservation: the lines of the order, each with a name and a price.
fn quote(order: &Record, reservation: Reservation) -> Result<Move, Stuck> {
    let of_this_order = reservation.items.len() == order.items.len()
        && reservation.items.iter().zip(&order.items).all(|(reserved, ordered)| {
            reserved.product_id == ordered.product_id && reserved.quantity == ordered.quantity
        });
    if !of_this_order {
        return Err(product(unusable()));
    }
    let mut total = Some(Cents(0));
    let mut lines = Vec::with_capacity(reservation.items.len());
    for item in reservation.items {
        let price = Cents::read(item.unit_price.as_ref(), "unit_price", &mut Violations::new());
        let price = price.ok_or_else(|| product(unusable()))?;
        total = total.and_then(|total| total.plus(price.times(item.quantity)?));
        lines.push((item.name, price));
    }
    Ok(match total {
        Some(Cents(1..)) => Move::Reserved(Quote { lines, total: total.unwrap_or_default() }),
        Some(_) => Move::Refused(reason::NOTHING_TO_PAY.to_owned()),
        None => Move::Refused(reason::TOO_EXPENSIVE.to_owned()),
    })
}

fn unusable() -> Status {
    Status::internal("the answer does not fit the question")
}

fn product(status: Status) -> Stuck {
    Stuck::Peer { peer: "product", status: Box::new(status) }
}

fn payment(status: Status) -> Stuck {
    Stuck::Peer { peer: "payment", status: Box::new(status) }
}

#[cfg(test)]
mod tests {
    use proto::product::v1::ReservedItem;

    use super::*;
    use crate::orders::Item;

    fn order() -> Record {
        let item = |product: &str, quantity| Item {
            product_id: product.to_owned(),
            quantity,
            quoted: None,
        };
        Record {
            id: "o-1".to_owned(),
            user_id: "123".to_owned(),
            status: OrderStatus::Pending,
            step: Step::Reserve,
            items: vec![item("p-1", 2), item("p-2", 1)],
            total: None,
            payment_id: None,
            cancel_reason: None,
            create_time: 0,
            update_time: 0,
            tries: 0,
        }
    }

    /// What the answer to the order's reservation is worth; none when it is not usable.
    fn quoted(lines: &[(&str, i32, Option<i64>)]) -> Option<Move> {
        let items = lines.iter().map(|(product, quantity, cents)| ReservedItem {
            product_id: (*product).to_owned(),
            name: "thing".to_owned(),
            quantity: *quantity,
            unit_price: cents.map(|cents| Cents(cents).into()),
        });
        quote(&order(), Reservation { order_id: "o-1".to_owned(), items: items.collect() }).ok()
    }

    #[test]
    fn a_quote_is_the_sum_of_the_lines_of_this_order() {
        let Some(Move::Reserved(quote)) = quoted(&[("p-1", 2, Some(150)), ("p-2", 1, Some(0))])
        else {
            panic!("no quote")
        };
        assert_eq!((quote.total, quote.lines.len()), (Cents(300), 2));
    }

    #[test]
    fn an_answer_that_does_not_fit_the_order_is_no_answer() {
        for lines in [
            &[("p-1", 2, Some(1))][..],
            &[("p-2", 1, Some(1)), ("p-1", 2, Some(1))],
            &[("p-1", 1, Some(1)), ("p-2", 1, Some(1))],
            &[("p-1", 2, None), ("p-2", 1, Some(1))],
            &[("p-1", 2, Some(-1)), ("p-2", 1, Some(1))],
        ] {
            assert_eq!(quoted(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn what_can_not_be_paid_is_refused() {
        let free = quoted(&[("p-1", 2, Some(0)), ("p-2", 1, Some(0))]);
        assert_eq!(free, Some(Move::Refused(reason::NOTHING_TO_PAY.to_owned())));
        let dear = quoted(&[("p-1", 2, Some(i64::MAX / 2)), ("p-2", 1, Some(i64::MAX / 2))]);
        assert_eq!(dear, Some(Move::Refused(reason::TOO_EXPENSIVE.to_owned())));
    }
}
