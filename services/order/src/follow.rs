//! Hears from the payment service what became of intents. The sequence is stored in the transaction that applies the
//! event, so nothing is missed and nothing applied twice, whatever is killed and however many replicas follow.

use std::time::Duration;

use proto::payment::v1::{
    FollowRequest, IntentStatus, PaymentEvent,
    payment_events_service_client::PaymentEventsServiceClient,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use service_kit::{Caller, Failure, Shutdown, Timestamp, ids};
use tokio::time::timeout;
use tonic::{Code, Request, Status};

use crate::{
    backoff,
    life::{Life, Move, Step, became},
    orders,
};

const SOURCE: &str = "payment";
/// How long the payment service has to begin a stream.
const BEGIN: Duration = Duration::from_secs(5);

/// Follows until the service stops, and connects again when the stream ends.
pub(crate) async fn run(life: Life, shutdown: Shutdown) {
    let mut failures = 0;
    while let Some(ended) = shutdown.run_until_cancelled(follow(&life, &mut failures)).await {
        if let Err(error) = ended {
            if error.code() == Code::OutOfRange {
                start_over(&life).await;
            }
            tracing::warn!(%error, failures, "stopped hearing from the payment service");
        }
        let pause = tokio::time::sleep(backoff::pause(failures, &ids::fresh()));
        failures = failures.saturating_add(1);
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

/// Forgets how far events were heard: the payment service never told of as many, so its database was replaced or
/// restored. Hearing an event again changes nothing.
async fn start_over(life: &Life) {
    let forget = |write: &Transaction<'_>| {
        Ok(write.execute("DELETE FROM followed WHERE source = ?1", [SOURCE])?)
    };
    match life.store.write(forget).await {
        Ok(_) => tracing::error!("the payment service lost events; hearing all it has again"),
        Err(error) => tracing::warn!(%error, "could not start over"),
    }
}

/// Follows one stream to its end. Every event that arrives makes good for the failures before.
async fn follow(life: &Life, failures: &mut u32) -> Result<(), Status> {
    let after_sequence = life.store.read(heard).await?;
    let mut request = Request::new(FollowRequest { after_sequence });
    Caller::nobody().pass_on(&mut request);
    let mut client = PaymentEventsServiceClient::new(life.payment.channel()?);
    let begun = timeout(BEGIN, client.follow(request)).await;
    let mut events =
        begun.map_err(|_| Status::deadline_exceeded("no answer in time"))??.into_inner();
    while let Some(event) = events.message().await? {
        *failures = 0;
        hear(life, event).await?;
    }
    Ok(())
}

async fn hear(life: &Life, event: PaymentEvent) -> Result<(), Failure> {
    let Some(intent) = event.intent else { return Ok(()) };
    // An intent that was opened is no news to who opened it.
    if intent.status() == IntentStatus::Open {
        return Ok(());
    }
    let now = life.clock.now();
    let change = became(&intent);
    let settle = life
        .store
        .write(move |write| {
            if event.sequence <= heard(write)? {
                return Ok(false);
            }
            let settle = match &change {
                Some(change) => apply(write, &intent.order_id, change, now)?,
                None => false,
            };
            let sql = "INSERT INTO followed (source, sequence) VALUES (?1, ?2)
                       ON CONFLICT DO UPDATE SET sequence = excluded.sequence";
            write.prepare_cached(sql)?.execute((SOURCE, event.sequence))?;
            Ok(settle)
        })
        .await?;
    if settle {
        life.settle_soon();
    }
    Ok(())
}

/// Applies an event. Answers whether the order wants to be settled with the stock now.
fn apply(
    write: &Transaction<'_>,
    order_id: &str,
    change: &Move,
    now: Timestamp,
) -> Result<bool, Failure> {
    if orders::find(write, order_id)?.is_none() {
        tracing::warn!(order = order_id, "heard of an intent of an unknown order");
        return Ok(false);
    }
    let order = orders::make(write, order_id, change, now)?;
    let contradicts = match change {
        Move::Paid(payment) => order.payment_id.as_ref() != Some(payment),
        _ => order.payment_id.is_some(),
    };
    if contradicts {
        tracing::error!(order = order_id, ?change, status = ?order.status, "order and payment disagree");
    }
    Ok(matches!(order.step, Step::Release | Step::Sell))
}

/// The sequence up to which events were applied.
fn heard(connection: &Connection) -> Result<i64, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM followed WHERE source = ?1")?;
    Ok(statement.query_row([SOURCE], |row| row.get(0)).optional()?.unwrap_or_default())
}
