//! `payment.v1.IntentService`: the order service opens and closes what may be paid.

use proto::payment::v1::{
    GetIntentRequest, Intent, IntentStatus, OpenIntentRequest, VoidIntentRequest,
    intent_service_server::IntentService,
};
use rusqlite::Transaction;
use service_kit::{
    Cents, Clock, Store, Violations,
    caller::LONGEST_PRINCIPAL_ID,
    clock::later,
    errors::{not_found, reason},
};
use tonic::{Code, Request, Response, Status, async_trait};

use crate::{
    intents,
    paying::{LONGEST_ID, named},
};

#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// How long an intent stays open.
    pub(crate) lifetime: jiff::SignedDuration,
}

#[async_trait]
impl IntentService for Opening {
    async fn open_intent(
        &self,
        request: Request<OpenIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        let wanted = request.into_inner();
        let amount = check(&wanted)?;
        let (asked, now) = (wanted.order_id.clone(), self.clock.now());
        // Asking again writes nothing, and waits for nobody who does.
        let found = self.store.read(move |db| intents::find(db, &asked)).await?;
        let expire = later(now, self.lifetime);
        let user_id = wanted.user_id.clone();
        let intent = if let Some(intent) = found {
            intent
        } else {
            let open = move |write: &Transaction<'_>| {
                let OpenIntentRequest { order_id, user_id, .. } = &wanted;
                intents::open(write, (order_id, user_id, amount), (now, expire))
            };
            self.store.write(open).await?
        };
        let same = intent.user_id.as_ref() == Some(&user_id) && intent.amount == Some(amount);
        // One that was voided before it was opened belongs to nobody and answers everybody.
        if same || intent.user_id.is_none() {
            return Ok(Response::new(intent.into()));
        }
        let message = "the order has an intent with another user or amount";
        Err(reason(Code::FailedPrecondition, message, "INTENT_DIFFERS", []))
    }

    async fn get_intent(
        &self,
        request: Request<GetIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        let order_id = named("order_id", request.into_inner().order_id)?;
        let intent = self.store.read(move |db| {
            intents::find(db, &order_id)?
                .ok_or_else(|| not_found("intent of the order", &order_id).into())
        });
        Ok(Response::new(intent.await?.into()))
    }

    async fn void_intent(
        &self,
        request: Request<VoidIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        let order_id = named("order_id", request.into_inner().order_id)?;
        let now = self.clock.now();
        let intent = self.store.write(move |write| intents::void(write, &order_id, now)).await?;
        if intent.status == IntentStatus::Captured {
            let payment = intent.payment_id.unwrap_or_default();
            let message = "the order is paid already";
            return Err(reason(
                Code::FailedPrecondition,
                message,
                "ALREADY_CAPTURED",
                [("payment_id", payment)],
            ));
        }
        Ok(Response::new(intent.into()))
    }
}

fn check(wanted: &OpenIntentRequest) -> Result<Cents, Status> {
    let mut violations = Violations::new();
    violations.text("order_id", &wanted.order_id, 1, LONGEST_ID);
    violations.text("user_id", &wanted.user_id, 1, LONGEST_PRINCIPAL_ID);
    let amount = Cents::read(wanted.amount.as_ref(), "amount", &mut violations).unwrap_or_default();
    if wanted.amount.is_some() && amount.0 == 0 {
        violations.add("amount", "must be more than nothing");
    }
    violations.check()?;
    Ok(amount)
}
