//! `payment.v1.IntentService`: the order service opens and closes what may be paid.

use proto::payment::v1::{
    Intent, IntentStatus, OpenIntentRequest, VoidIntentRequest,
    intent_service_server::IntentService,
};
use service_kit::{Cents, Clock, Store, Violations, clock::later, errors::reason};
use tonic::{Code, Request, Response, Status, async_trait};

use crate::intents;

const LONGEST_ID: usize = 100;

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
        let now = self.clock.now();
        let expire = later(now, self.lifetime);
        let intent = self
            .store
            .write(move |write| {
                let intent = intents::open(
                    write,
                    (&wanted.order_id, &wanted.user_id, amount),
                    (now, expire),
                )?;
                let same = intent.user_id.as_ref() == Some(&wanted.user_id)
                    && intent.amount == Some(amount);
                // One that was voided before it was opened belongs to nobody and answers everybody.
                if same || intent.user_id.is_none() {
                    return Ok(intent);
                }
                let message = "the order has an intent with another user or amount";
                Err(reason(Code::FailedPrecondition, message, "INTENT_DIFFERS", []).into())
            })
            .await?;
        Ok(Response::new(intent.into()))
    }

    async fn void_intent(
        &self,
        request: Request<VoidIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        let order_id = request.into_inner().order_id;
        let mut violations = Violations::new();
        violations.text("order_id", &order_id, 1, LONGEST_ID);
        violations.check()?;
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
    violations.text("user_id", &wanted.user_id, 1, LONGEST_ID);
    let amount = Cents::read(wanted.amount.as_ref(), "amount", &mut violations).unwrap_or_default();
    if wanted.amount.is_some() && amount.0 == 0 {
        violations.add("amount", "must be more than nothing");
    }
    violations.check()?;
    Ok(amount)
}
