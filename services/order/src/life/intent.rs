//! The steps that need the payment service, the only judge of whether an order is paid.

use proto::payment::v1::{
    GetIntentRequest, Intent, IntentStatus, OpenIntentRequest, VoidIntentRequest,
    intent_service_client::IntentServiceClient,
};
use service_kit::Caller;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::{Life, Move, Stuck, reason, steps::unusable};
use crate::{
    orders::Record,
    peers::{ask, is_refusal},
};

impl Life {
    pub(super) async fn open(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
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
            Ok(intent) if intent.status() == IntentStatus::Open => {
                let until = intent.expire_time.map_or(0, |time| time.seconds);
                Ok(Move::Opened(until.saturating_mul(1_000_000)))
            }
            Ok(intent) => became(&intent).ok_or_else(|| payment(unusable())),
            Err(status) if is_refusal(&status) => {
                tracing::error!(order = order.id, %status, "the payment service refused to open an intent");
                Ok(Move::Cancel(reason::PAYMENT_REFUSED))
            }
            Err(status) => Err(payment(status)),
        }
    }

    /// What became of the intent of an order; none while it is open. Reads only.
    pub(crate) async fn ended(
        &self,
        order: &Record,
        caller: &Caller,
    ) -> Result<Option<Move>, Stuck> {
        let question = GetIntentRequest { order_id: order.id.clone() };
        let mut intents = self.intents()?;
        let answer =
            ask(
                caller,
                question,
                move |question| async move { intents.get_intent(question).await },
            );
        answer.await.map(|intent| became(&intent)).map_err(payment)
    }

    pub(super) async fn void(&self, order: &Record, caller: &Caller) -> Result<Move, Stuck> {
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

    fn intents(&self) -> Result<IntentServiceClient<Channel>, Stuck> {
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

fn payment(status: Status) -> Stuck {
    Stuck::Peer { peer: "payment", status: Box::new(status) }
}
