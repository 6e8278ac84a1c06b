//! `StockService`: reservations, for the order service. Not public.

use std::collections::HashSet;

use proto::product::v1::{
    ReleaseStockRequest, ReleaseStockResponse, Reservation, ReserveStockRequest, SellStockRequest,
    SellStockResponse, StockItem, stock_service_server::StockService,
};
use service_kit::{Clock, Store, Violations};
use tonic::{Request, Response, Status};

use crate::stock;

const LONGEST_ORDER_ID: usize = 100;
const MOST_ITEMS: usize = 100;

#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl StockService for Stock {
    async fn reserve_stock(
        &self,
        request: Request<ReserveStockRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let ReserveStockRequest { order_id, items } = request.into_inner();
        let mut violations = Violations::new();
        violations.text("order_id", &order_id, 1, LONGEST_ORDER_ID);
        check_items(&items, &mut violations);
        violations.check()?;
        let now = self.clock.now();
        let reservation =
            self.store.write(move |tx| stock::reserve(tx, &order_id, &items, now)).await?;
        Ok(Response::new(reservation))
    }

    async fn release_stock(
        &self,
        request: Request<ReleaseStockRequest>,
    ) -> Result<Response<ReleaseStockResponse>, Status> {
        let order_id = checked(request.into_inner().order_id)?;
        let now = self.clock.now();
        self.store.write(move |tx| stock::release(tx, &order_id, now)).await?;
        Ok(Response::new(ReleaseStockResponse {}))
    }

    async fn sell_stock(
        &self,
        request: Request<SellStockRequest>,
    ) -> Result<Response<SellStockResponse>, Status> {
        let order_id = checked(request.into_inner().order_id)?;
        let now = self.clock.now();
        self.store.write(move |tx| stock::sell(tx, &order_id, now)).await?;
        Ok(Response::new(SellStockResponse {}))
    }
}

fn checked(order_id: String) -> Result<String, Status> {
    let mut violations = Violations::new();
    violations.text("order_id", &order_id, 1, LONGEST_ORDER_ID);
    violations.check()?;
    Ok(order_id)
}

fn check_items(items: &[StockItem], violations: &mut Violations) {
    if items.is_empty() || items.len() > MOST_ITEMS {
        violations.add("items", format!("must have 1 to {MOST_ITEMS} lines"));
    }
    let mut seen = HashSet::new();
    for (place, item) in items.iter().enumerate().take(MOST_ITEMS) {
        if item.product_id.is_empty() {
            violations.add(format!("items[{place}].product_id"), "is required");
        } else if !seen.insert(&item.product_id) {
            violations.add(format!("items[{place}].product_id"), "names a product a second time");
        }
        if item.quantity < 1 {
            violations.add(format!("items[{place}].quantity"), "must be at least 1");
        }
    }
}
