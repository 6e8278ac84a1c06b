//! `CancelOrder`: whether the caller may is decided in the transaction that writes the wish down; whether it can be
//! done is the payment service's to decide.

use proto::order::v1::{CancelOrderRequest, Order, OrderStatus};
use service_kit::{
    Caller,
    errors::{not_found, reason},
};
use tonic::{Code, Request, Response, Status};

use crate::{
    late,
    life::{Life, Move, Step, Stuck, reason as why},
    orders, service,
};

/// Cancels the caller's order, unless it is paid.
///
/// The wish is written down first. When the payment service can't be asked now, the answer is UNAVAILABLE, the order
/// shows its old status, and the sweep asks until it gets an answer.
pub(crate) async fn cancel(
    life: &Life,
    request: Request<CancelOrderRequest>,
) -> Result<Response<Order>, Status> {
    let caller = late::hurry(Caller::of(&request));
    let id = service::named(request.into_inner().id)?;
    let now = life.clock.now();
    let (owner, who) = (caller.id().map(str::to_owned), caller.clone());
    let order = life.store.write(move |write| {
        let order = orders::find(write, &id)?.filter(|order| who.may_act_for(&order.user_id));
        let order = order.ok_or_else(|| not_found("order", &id))?;
        let by =
            if owner.as_ref() == Some(&order.user_id) { why::BY_CUSTOMER } else { why::BY_ADMIN };
        orders::make(write, &id, &Move::Cancel(by), now)
    });
    let mut order = order.await?;
    if order.step == Step::Void {
        let id = order.id.clone();
        order =
            life.advance(order, &caller).await.map_err(|stuck| not_now(&id, &caller, &stuck))?;
    }
    if order.step == Step::Release {
        // Cancelled it is, also if the stock can't be given back now: the sweep does it then.
        if let Err(stuck) = life.advance(order.clone(), &caller).await {
            tracing::warn!(order = order.id, error = %stuck, "the stock is given back later");
            life.settle_soon();
        }
    }
    if order.status == OrderStatus::Confirmed {
        life.settle_soon();
        return Err(reason(
            Code::FailedPrecondition,
            "the order is paid and can't be cancelled",
            "ALREADY_PAID",
            [],
        ));
    }
    Ok(Response::new(Order::from(&order)))
}

fn not_now(id: &str, caller: &Caller, stuck: &Stuck) -> Status {
    let message =
        "it is not certain yet whether the order can be cancelled; ask again, or look at the order";
    late::unfinished((id, caller), stuck, ("CANCELLATION_PENDING", message))
}
