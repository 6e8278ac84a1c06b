//! `CreateOrder`: the key and the order are written down together, then the order is seen through.

use proto::order::v1::{CreateOrderRequest, Order, OrderStatus};
use service_kit::{
    Caller, Failure,
    errors::{not_found, reason},
    idempotency::{self, Begin, Claim},
    ids,
};
use tonic::{Code, Request, Response, Status};

use crate::{
    check, late,
    life::{self, Life, Stuck},
    orders::{self, Record},
};

const CREATE: &str = "order.v1.OrderService/CreateOrder";

/// Creates the order of a key, goes on with it, or answers what became of it.
pub(crate) async fn create(
    life: &Life,
    request: Request<CreateOrderRequest>,
) -> Result<Response<Order>, Status> {
    let caller = late::hurry(Caller::of(&request));
    let message = request.into_inner();
    let key = idempotency::Request::of(&caller, CREATE, &message)?;
    let user_id = caller.require_id()?.to_owned();
    let items = check::items(message)?;
    let now = life.clock.now();
    let begun = life.store.write(move |write| {
        let claim = match idempotency::begin(write, &key, now)? {
            Begin::Replay(outcome) => return Ok(Err(outcome)),
            Begin::Work(claim) => claim,
        };
        if let Some(id) = claim.subject().map(str::to_owned) {
            return Ok(Ok((claim, id)));
        }
        let id = ids::fresh();
        orders::insert(write, (&id, &user_id, &items), now)?;
        claim.note(write, &id)?;
        Ok(Ok((claim, id)))
    });
    let (claim, id) = match begun.await? {
        Ok(work) => work,
        Err(outcome) => return outcome.replay(),
    };
    let _lease = claim.hold(&life.store, &life.clock);
    match life.leave_pending(&id, &caller).await {
        Ok(_) => finish(life, claim, id).await,
        Err(stuck) => Err(give_up(life, claim, &id, &caller, stuck).await),
    }
}

/// Stores the outcome under the key, and answers it.
async fn finish(life: &Life, claim: Claim, id: String) -> Result<Response<Order>, Status> {
    let answer = life.store.write(move |write| {
        let order = orders::find(write, &id)?.ok_or_else(|| not_found("order", &id))?;
        let answer = outcome(&order);
        claim.finish(write, answer.as_ref())?;
        Ok(answer)
    });
    answer.await?.map(Response::new)
}

/// The order stays pending: its key is free to resume it at once, and the sweep will.
async fn give_up(life: &Life, claim: Claim, id: &str, caller: &Caller, stuck: Stuck) -> Status {
    let message = "the order is written down but not finished yet; repeat the request with the same idempotency key";
    let status = late::unfinished((id, caller), &stuck, ("ORDER_PENDING", message));
    let freed: Result<(), Failure> = life
        .store
        .write({
            let status = status.clone();
            move |write| claim.finish::<Order>(write, Err(&status))
        })
        .await;
    if let Err(error) = freed {
        tracing::warn!(%error, "the key is free only after its lease");
    }
    status
}

/// What the key answers, from now on: the order, or why it can't be supplied.
fn outcome(order: &Record) -> Result<Order, Status> {
    match &order.cancel_reason {
        Some(why) if order.status == OrderStatus::Cancelled && !is_ours(why) => {
            let message = "the order can't be supplied and was cancelled";
            let (code, id) = (Code::FailedPrecondition, ("order_id", order.id.clone()));
            Err(match order.short.clone() {
                Some(short) => reason(code, message, why, [id, ("product_ids", short)]),
                None => reason(code, message, why, [id]),
            })
        }
        _ => Ok(order.into()),
    }
}

/// Whether the reason is one of an order that could have been supplied.
fn is_ours(why: &str) -> bool {
    use life::reason::{BY_ADMIN, BY_CUSTOMER, PAYMENT_EXPIRED, PAYMENT_VOIDED, TIMED_OUT};
    [BY_ADMIN, BY_CUSTOMER, PAYMENT_EXPIRED, PAYMENT_VOIDED, TIMED_OUT].contains(&why)
}
