//! `order.v1.OrderService`.
//!
//! An order that is not the caller's is answered like one that does not exist, and so is another's list of orders.

use proto::order::v1::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse,
    Order, WatchOrderRequest, order_service_server::OrderService,
};
use service_kit::{
    Caller, Events, Page, Violations, caller::LONGEST_PRINCIPAL_ID, errors::not_found,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{cancel, create, life::Life, orders, watch};

#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) life: Life,
    pub(crate) events: Events,
}

#[async_trait]
impl OrderService for Orders {
    type WatchOrderStream = watch::Changes;

    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        create::create(&self.life, request).await
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let caller = Caller::of(&request);
        let id = named(request.into_inner().id)?;
        let asked = id.clone();
        let order = self.life.store.read(move |db| orders::find(db, &asked)).await?;
        let order = order.filter(|order| caller.may_act_for(&order.user_id));
        let order = order.ok_or_else(|| not_found("order", &id))?;
        let order = self.life.look(order, &caller).await;
        Ok(Response::new(Order::from(&order)))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let caller = Caller::of(&request);
        let ListOrdersRequest { user_id, page_size, page_token } = request.into_inner();
        let mut violations = Violations::new();
        violations.text("user_id", &user_id, 1, LONGEST_PRINCIPAL_ID);
        violations.check()?;
        if !caller.may_act_for(&user_id) {
            return Err(not_found("user", &user_id));
        }
        let page = Page::<String>::of(&format!("orders of {user_id}"), page_size, &page_token)?;
        let (after, limit) = (page.after.clone(), page.limit());
        let list = self
            .life
            .store
            .read(move |db| orders::list(db, &user_id, after.as_deref(), limit))
            .await?;
        let (list, next_page_token) = page.cut(list, |order| order.id.clone());
        Ok(Response::new(ListOrdersResponse {
            orders: list.iter().map(Order::from).collect(),
            next_page_token,
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        cancel::cancel(&self.life, request).await
    }

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<watch::Changes>, Status> {
        watch::watch(&self.life, &self.events, request).await
    }
}

/// The id of the order that a request names.
pub(crate) fn named(id: String) -> Result<String, Status> {
    let mut violations = Violations::new();
    violations.text("id", &id, 1, 100);
    violations.check()?;
    Ok(id)
}
