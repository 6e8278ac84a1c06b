//! The steps that need the product service: stock is set aside, given back, or sold.

use proto::product::v1::{
    ReleaseStockRequest, Reservation, ReserveStockRequest, SellStockRequest, StockItem,
    stock_service_client::StockServiceClient,
};
use service_kit::{Caller, Cents, Violations};
use tonic::{Status, transport::Channel};

use super::{Life, Move, Quote, Refusal, Stuck, reason, steps::unusable};
use crate::{
    orders::Record,
    peers::{self, ask, is_refusal},
};

impl Life {
    pub(super) async fn reserve(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
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
                let unknown = || Refusal::from(reason::UNKNOWN_PRODUCT);
                Ok(Move::Refused(peers::refusal(&status).unwrap_or_else(unknown)))
            }
            Err(status) => Err(product(status)),
        }
    }

    pub(super) async fn release(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
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

    pub(super) async fn sell(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
        let question = SellStockRequest { order_id: order.id.clone() };
        let mut stock = self.stock()?;
        let answer =
            ask(caller, question, move |question| async move { stock.sell_stock(question).await });
        answer.await.map(|_| Move::Settled).map_err(product)
    }

    fn stock(&self) -> Result<StockServiceClient<Channel>, Stuck> {
        self.product.channel().map(StockServiceClient::new).map_err(product)
    }
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
        Some(_) => Move::Refused(reason::NOTHING_TO_PAY.into()),
        None => Move::Refused(reason::TOO_EXPENSIVE.into()),
    })
}

fn product(status: Status) -> Stuck {
    Stuck::Peer { peer: "product", status: Box::new(status) }
}

#[cfg(test)]
mod tests {
    use proto::{order::v1::OrderStatus, product::v1::ReservedItem};

    use super::*;
    use crate::{life::Step, orders::Item};

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
            short: None,
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
        assert_eq!(free, Some(Move::Refused(reason::NOTHING_TO_PAY.into())));
        let dear = quoted(&[("p-1", 2, Some(i64::MAX / 2)), ("p-2", 1, Some(i64::MAX / 2))]);
        assert_eq!(dear, Some(Move::Refused(reason::TOO_EXPENSIVE.into())));
    }
}
