//! `payment.v1.PaymentService`: takes money for an order once, and gives it back once.

use proto::payment::v1::{
    CreatePaymentRequest, GetPaymentRequest, IntentStatus, Payment, PaymentStatus,
    RefundPaymentRequest, payment_service_server::PaymentService,
};
use rusqlite::Transaction;
use service_kit::{
    Caller, Clock, Failure, Store, Timestamp, Violations,
    errors::{not_found, reason},
    idempotency::{self, Begin, Claim},
    ids,
};
use tokio::time::Duration;
use tonic::{Code, Request, Response, Status, async_trait};
use tracing::Instrument as _;

use crate::{bank::Bank, intents, method::Method, payments};

/// Characters of the id of an order or of a payment.
pub(crate) const LONGEST_ID: usize = 100;
const CREATE: &str = "payment.v1.PaymentService/CreatePayment";

#[derive(Clone, Debug)]
pub(crate) struct Paying {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// How long the bank takes for a slow method.
    pub(crate) slowness: Duration,
    pub(crate) bank: Bank,
}

/// A try to pay, after everything about it that needs no database was checked.
#[derive(Debug)]
struct Try {
    order_id: String,
    user_id: String,
    token: String,
    method: Method,
}

#[async_trait]
impl PaymentService for Paying {
    async fn create_payment(
        &self,
        request: Request<CreatePaymentRequest>,
    ) -> Result<Response<Payment>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let key = idempotency::Request::of(&caller, CREATE, &message)?;
        let attempt = check(message, caller.require_id()?)?;
        if attempt.method == Method::Slow {
            // The bank does not hear that the client hung up: what was begun ends, and the same key tells how.
            let paying = self.clone();
            let work = async move { paying.pay_slowly(key, attempt).await };
            let payment = tokio::spawn(work.in_current_span());
            return payment.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a slow payment ended early");
                Err(Status::internal("internal error"))
            });
        }
        let now = self.clock.now();
        let answer = self.store.write(move |write| match idempotency::begin(write, &key, now)? {
            Begin::Replay(outcome) => Ok(outcome.replay()),
            Begin::Work(claim) => pay(write, &claim, &attempt, now),
        });
        answer.await?
    }

    async fn get_payment(
        &self,
        request: Request<GetPaymentRequest>,
    ) -> Result<Response<Payment>, Status> {
        let caller = Caller::of(&request);
        let id = named("id", request.into_inner().id)?;
        let payment = self.store.read(move |db| {
            payments::find(db, &id)?.ok_or_else(|| not_found("payment", &id).into())
        });
        let payment = payment.await?;
        if !caller.may_act_for(&payment.user_id) {
            return Err(not_found("payment", &payment.id));
        }
        Ok(Response::new(payment.into()))
    }

    async fn refund_payment(
        &self,
        request: Request<RefundPaymentRequest>,
    ) -> Result<Response<Payment>, Status> {
        let id = named("id", request.into_inner().id)?;
        let now = self.clock.now();
        let payment = self
            .store
            .write(move |write| {
                payments::refund(write, &id, now)?.ok_or_else(|| not_found("payment", &id).into())
            })
            .await?;
        if payment.status != PaymentStatus::Refunded {
            let message = "the payment was declined: there is nothing to give back";
            return Err(reason(Code::FailedPrecondition, message, "NOT_CAPTURED", []));
        }
        Ok(Response::new(payment.into()))
    }
}

impl Paying {
    /// Claims the key, goes to the bank if the order can be paid, and decides when it is back: what became of the
    /// intent meanwhile counts.
    async fn pay_slowly(
        &self,
        key: idempotency::Request,
        attempt: Try,
    ) -> Result<Response<Payment>, Status> {
        let now = self.clock.now();
        let bank = self.bank.clone();
        let begun = self.store.write(move |write| {
            let claim = match idempotency::begin(write, &key, now)? {
                Begin::Replay(outcome) => return Ok(Err(outcome.replay())),
                Begin::Work(claim) => claim,
            };
            if let Some(refusal) = refusal(&payable(write, &attempt)?, now) {
                claim.finish::<Payment>(write, Err(&refusal))?;
                return Ok(Err(Err(refusal)));
            }
            // Without a place nothing was tried, and the key stays unused.
            let place = bank.admit(&attempt.order_id)?;
            Ok(Ok((claim, attempt, place)))
        });
        let (claim, attempt, _place) = match begun.await? {
            Ok(work) => work,
            Err(answer) => return answer,
        };
        let _lease = claim.hold(&self.store, &self.clock);
        tokio::time::sleep(self.slowness).await;
        let now = self.clock.now();
        self.store.write(move |write| pay(write, &claim, &attempt, now)).await?
    }
}

/// Tries to pay, and commits key, payment, intent, ledger and event together. The inner result is the outcome of the key.
///
/// `NOT_FOUND` is no outcome: nothing was tried, so nothing is written down and the key stays unused.
fn pay(
    write: &Transaction<'_>,
    claim: &Claim,
    attempt: &Try,
    now: Timestamp,
) -> Result<Result<Response<Payment>, Status>, Failure> {
    let answer = decide(write, attempt, now)?;
    claim.finish(write, answer.as_ref())?;
    Ok(answer.map(Response::new))
}

fn decide(
    write: &Transaction<'_>,
    attempt: &Try,
    now: Timestamp,
) -> Result<Result<Payment, Status>, Failure> {
    let intent = payable(write, attempt)?;
    if let Some(refusal) = refusal(&intent, now) {
        return Ok(Err(refusal));
    }
    let amount = intent.amount.ok_or_else(|| not_found("order to pay", &attempt.order_id))?;
    let mut payment = payments::Record {
        id: ids::fresh(),
        order_id: intent.order_id,
        user_id: attempt.user_id.clone(),
        status: PaymentStatus::Declined,
        amount,
        method: attempt.token.clone(),
        create_time: now.as_microsecond(),
        update_time: now.as_microsecond(),
    };
    if attempt.method == Method::Declined {
        payments::insert(write, &payment)?;
        let message = "the card was declined; the order can be paid with another method and a new idempotency key";
        return Ok(Err(reason(
            Code::FailedPrecondition,
            message,
            "CARD_DECLINED",
            [("payment_id", payment.id)],
        )));
    }
    if !intents::capture(write, &payment.order_id, &payment.id, now)? {
        return Ok(Err(closed()));
    }
    payment.status = PaymentStatus::Captured;
    payments::insert(write, &payment)?;
    Ok(Ok(payment.into()))
}

/// The intent of the order, if the caller is the one who may pay it. To all others it does not exist.
fn payable(write: &Transaction<'_>, attempt: &Try) -> Result<intents::Record, Failure> {
    let intent = intents::find(write, &attempt.order_id)?;
    let theirs = intent.filter(|intent| intent.user_id.as_ref() == Some(&attempt.user_id));
    theirs.ok_or_else(|| not_found("order to pay", &attempt.order_id).into())
}

/// Why the intent can't be paid; none when it can.
fn refusal(intent: &intents::Record, now: Timestamp) -> Option<Status> {
    match intent.status {
        IntentStatus::Captured => {
            let message = "the order is paid already";
            Some(reason(Code::FailedPrecondition, message, "ALREADY_PAID", []))
        }
        IntentStatus::Open if intent.expire_time > now.as_microsecond() => None,
        // Closed, or about to be by the sweep.
        _ => Some(closed()),
    }
}

fn closed() -> Status {
    reason(Code::FailedPrecondition, "the order can't be paid any more", "INTENT_CLOSED", [])
}

fn check(message: CreatePaymentRequest, user_id: &str) -> Result<Try, Status> {
    let mut violations = Violations::new();
    violations.text("order_id", &message.order_id, 1, LONGEST_ID);
    violations.required("method", !message.method.is_empty());
    let method = Method::of(&message.method);
    if method.is_none() && !message.method.is_empty() {
        violations.add("method", "must be tok_visa, tok_mastercard, tok_declined or tok_slow");
    }
    violations.check()?;
    let method = method.ok_or_else(|| Status::internal("internal error"))?;
    Ok(Try {
        order_id: message.order_id,
        user_id: user_id.to_owned(),
        token: message.method,
        method,
    })
}

/// The id in `field` of a request, by which it names what it is about.
pub(crate) fn named(field: &str, id: String) -> Result<String, Status> {
    let mut violations = Violations::new();
    violations.text(field, &id, 1, LONGEST_ID);
    violations.check()?;
    Ok(id)
}
