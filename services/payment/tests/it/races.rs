use proto::payment::v1::{IntentStatus, PaymentStatus};
use tonic::Code;

use crate::bed::{Bed, LIFETIME, pay, reason, until, void};

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_payments_with_different_keys_one_takes_money() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let replicas = [bed.channel.clone(), bed.replica().await];
    let tries: Vec<_> = (0..50)
        .map(|turn| {
            let channel = replicas[turn % 2].clone();
            tokio::spawn(async move {
                pay(channel, "123", &format!("k-{turn}"), "o-1", "tok_visa").await
            })
        })
        .collect();
    let (mut paid, mut refused) = (0, 0);
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(_) => paid += 1,
            answer => {
                assert_eq!(reason(answer), "ALREADY_PAID");
                refused += 1;
            }
        }
    }
    assert_eq!((paid, refused), (1, 49));
    assert_eq!(bed.count("SELECT sum(amount_cents) FROM ledger"), 1000);
    assert_eq!(bed.count("SELECT count(*) FROM payments"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_at_the_same_time_is_one_payment() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let replicas = [bed.channel.clone(), bed.replica().await];
    let tries: Vec<_> = (0..20)
        .map(|turn| {
            let channel = replicas[turn % 2].clone();
            tokio::spawn(async move { pay(channel, "123", "k-1", "o-1", "tok_visa").await })
        })
        .collect();
    let mut ids = Vec::new();
    for attempt in tries {
        ids.push(attempt.await.unwrap().unwrap().into_inner().id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_and_void_exclude_each_other() {
    let bed = Bed::start().await;
    let other = bed.replica().await;
    for round in 0..20 {
        let order = format!("o-{round}");
        bed.open(&order, "123", 10).await.unwrap();
        let (paid, voided) =
            tokio::join!(bed.pay("123", &order, &order, "tok_visa"), void(other.clone(), &order));
        match (paid, voided) {
            (Ok(paid), Err(refused)) => {
                assert_eq!(paid.into_inner().status(), PaymentStatus::Captured);
                assert_eq!(reason::<()>(Err(refused)), "ALREADY_CAPTURED");
            }
            (paid, Ok(voided)) => {
                assert_eq!(reason(paid), "INTENT_CLOSED");
                assert_eq!(voided.status(), IntentStatus::Voided);
            }
            both => panic!("{both:?}"),
        }
    }
    check_that_money_and_intents_agree(&bed);
}

#[tokio::test(flavor = "multi_thread")]
async fn capture_void_and_expiry_exclude_each_other() {
    let bed = Bed::start().await;
    let other = bed.replica().await;
    let orders: Vec<_> = (0..30).map(|number| format!("o-{number}")).collect();
    for order in &orders {
        bed.open(order, "123", 10).await.unwrap();
    }
    bed.clock.advance(LIFETIME - jiff::SignedDuration::from_millis(1));
    let work: Vec<_> = orders
        .into_iter()
        .flat_map(|order| {
            let (channel, other, voided) = (bed.channel.clone(), other.clone(), order.clone());
            [
                tokio::spawn(
                    async move { drop(pay(channel, "123", &order, &order, "tok_visa").await) },
                ),
                tokio::spawn(async move { drop(void(other, &voided).await) }),
            ]
        })
        .collect();
    bed.clock.advance(jiff::SignedDuration::from_millis(1));
    for work in work {
        work.await.unwrap();
    }
    until("every end", || bed.count("SELECT count(*) FROM intents WHERE status = 'OPEN'") == 0)
        .await;
    check_that_money_and_intents_agree(&bed);
}

fn check_that_money_and_intents_agree(bed: &Bed) {
    let disagreement = "SELECT count(*) FROM intents LEFT JOIN ledger USING (order_id)
                        WHERE (intents.status = 'CAPTURED') <> (ledger.line IS NOT NULL)";
    assert_eq!(bed.count(disagreement), 0);
}

#[tokio::test]
async fn while_the_bank_thinks_the_key_is_in_flight_and_a_void_still_wins() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let slow = tokio::spawn(pay(bed.channel.clone(), "123", "k-1", "o-1", "tok_slow"));
    until("the claim", || bed.count("SELECT count(*) FROM idempotency") == 1).await;
    assert_eq!(bed.pay("123", "k-1", "o-1", "tok_slow").await.unwrap_err().code(), Code::Aborted);
    bed.void("o-1").await.unwrap();
    assert_eq!(reason(slow.await.unwrap()), "INTENT_CLOSED");
    assert_eq!(bed.count("SELECT count(*) FROM payments"), 0);
}

#[tokio::test]
async fn what_the_bank_has_begun_ends_although_the_client_hung_up() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let slow = tokio::spawn(pay(bed.channel.clone(), "123", "k-1", "o-1", "tok_slow"));
    until("the claim", || bed.count("SELECT count(*) FROM idempotency") == 1).await;
    slow.abort();
    until("the capture", || bed.count("SELECT count(*) FROM ledger") == 1).await;
    let told = bed.pay("123", "k-1", "o-1", "tok_slow").await.unwrap();
    assert_eq!(told.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_one_slow_payment_at_a_time() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    bed.open("o-2", "123", 10).await.unwrap();
    let slow = tokio::spawn(pay(bed.channel.clone(), "123", "k-1", "o-1", "tok_slow"));
    until("the claim", || bed.count("SELECT count(*) FROM idempotency") == 1).await;
    for key in ["k-2", "k-3", "k-4"] {
        let other = bed.pay("123", key, "o-1", "tok_slow").await;
        assert_eq!(other.as_ref().unwrap_err().code(), Code::Aborted);
        assert_eq!(reason(other), "PAYMENT_IN_PROGRESS");
    }
    // They left a place for others, and their keys unused.
    bed.pay("123", "k-2", "o-2", "tok_slow").await.unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(reason(bed.pay("123", "k-3", "o-1", "tok_slow").await), "ALREADY_PAID");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_bank_keeps_nobody_from_an_answer_that_is_known() {
    let bed = Bed::start().await;
    for order in ["o-1", "o-2", "o-3", "o-4"] {
        bed.open(order, "123", 10).await.unwrap();
    }
    bed.pay("123", "k-1", "o-1", "tok_slow").await.unwrap();
    let busy = ["o-2", "o-3"]
        .map(|order| tokio::spawn(pay(bed.channel.clone(), "123", order, order, "tok_slow")));
    until("the claims", || bed.count("SELECT count(*) FROM idempotency") == 3).await;
    let refused = bed.pay("123", "k-4", "o-4", "tok_slow").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let told = bed.pay("123", "k-1", "o-1", "tok_slow").await.unwrap();
    assert_eq!(told.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(reason(bed.pay("123", "k-2", "o-1", "tok_slow").await), "ALREADY_PAID");
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 1);
    for payment in busy {
        payment.await.unwrap().unwrap();
    }
    bed.pay("123", "k-4", "o-4", "tok_slow").await.unwrap();
}
