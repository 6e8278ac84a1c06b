//! What happened to intents, told to whoever follows: one event for each change, in the transaction of the change.
//!
//! Events are kept for ever: a follower that was away for long, or begins again with nothing, hears all of them. There
//! are two for an order, and nobody here knows how far each follower has come.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use proto::payment::v1::{
    FollowRequest, Intent, PaymentEvent, payment_events_service_server::PaymentEventsService,
};
use rusqlite::Transaction;
use service_kit::{Events, Failure, Timestamp, Violations, events};
use tonic::{Request, Response, Status, async_trait};

use crate::intents::Record;

const TOPIC: &str = "intent";

/// Writes down that the intent has changed.
pub(crate) fn tell(
    write: &Transaction<'_>,
    intent: &Record,
    now: Timestamp,
) -> Result<(), Failure> {
    events::append(write, TOPIC, &intent.order_id, &Intent::from(intent.clone()), now)?;
    Ok(())
}

/// `payment.v1.PaymentEventsService`.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) events: Events,
}

#[async_trait]
impl PaymentEventsService for Telling {
    type FollowStream = Pin<Box<dyn Stream<Item = Result<PaymentEvent, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let after = request.into_inner().after_sequence;
        if after < 0 {
            return Err(Violations::one("after_sequence", "must not be negative"));
        }
        let events = self.events.follow(events::Follow { topic: TOPIC, subject: None, after });
        Ok(Response::new(Box::pin(events.map(|event| read(&event?)))))
    }
}

fn read(event: &events::Event) -> Result<PaymentEvent, Status> {
    let intent = prost::Message::decode(event.payload.as_slice()).map_err(|error| {
        tracing::error!(%error, sequence = event.sequence, "a stored event can't be read");
        Status::internal("internal error")
    })?;
    Ok(PaymentEvent { sequence: event.sequence, intent: Some(intent) })
}
