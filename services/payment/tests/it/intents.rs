use std::time::Duration;

use proto::payment::v1::IntentStatus;
use tokio::time::timeout;
use tonic::Code;

use crate::bed::{Bed, LIFETIME, reason, until};

#[tokio::test]
async fn opening_again_answers_the_same_intent() {
    let bed = Bed::start().await;
    let opened = bed.open("o-1", "123", 10).await.unwrap();
    assert_eq!(opened.status(), IntentStatus::Open);
    assert_eq!(opened.amount.as_ref().unwrap().units, 10);
    let expires = opened.expire_time.unwrap().seconds;
    assert_eq!(expires, bed.clock.now().as_second() + LIFETIME.as_secs());
    bed.clock.advance(jiff::SignedDuration::from_secs(60));
    assert_eq!(bed.open("o-1", "123", 10).await.unwrap(), opened);
}

#[tokio::test]
async fn reading_an_intent_opens_none() {
    let bed = Bed::start().await;
    assert_eq!(bed.intent("o-1").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bed.intent("").await.unwrap_err().code(), Code::InvalidArgument);
    let opened = bed.open("o-1", "123", 10).await.unwrap();
    assert_eq!(bed.intent("o-1").await.unwrap(), opened);
    let voided = bed.void("o-1").await.unwrap();
    assert_eq!(bed.intent("o-1").await.unwrap(), voided);
    assert_eq!(bed.count("SELECT count(*) FROM events"), 2);
}

#[tokio::test]
async fn who_asks_again_does_not_wait_for_who_writes() {
    let bed = Bed::start().await;
    let opened = bed.open("o-1", "123", 10).await.unwrap();
    let writer = bed.database();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = async { (bed.open("o-1", "123", 10).await, bed.intent("o-1").await) };
    let (again, read) = timeout(Duration::from_secs(3), answers).await.unwrap();
    assert_eq!((again.unwrap(), read.unwrap()), (opened.clone(), opened));
}

#[tokio::test]
async fn an_order_has_one_user_and_one_amount() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    assert_eq!(reason(bed.open("o-1", "124", 10).await), "INTENT_DIFFERS");
    assert_eq!(reason(bed.open("o-1", "123", 11).await), "INTENT_DIFFERS");
    assert_eq!(bed.open("o-1", "123", 10).await.unwrap().status(), IntentStatus::Open);
}

#[tokio::test]
async fn refuses_an_intent_for_nothing_or_nobody() {
    let bed = Bed::start().await;
    for (order, user, units) in
        [("", "123", 1), ("o-1", "", 1), ("o-1", "123", 0), ("o-1", "123", -1)]
    {
        let refused = bed.open(order, user, units).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{order:?} {user:?} {units}");
    }
    assert_eq!(bed.count("SELECT count(*) FROM intents"), 0);
}

#[tokio::test]
async fn voiding_twice_gives_the_same_answer_and_closes_for_good() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let voided = bed.void("o-1").await.unwrap();
    assert_eq!(voided.status(), IntentStatus::Voided);
    assert_eq!(bed.void("o-1").await.unwrap(), voided);
    assert_eq!(bed.open("o-1", "123", 10).await.unwrap().status(), IntentStatus::Voided);
    assert_eq!(reason(bed.pay("123", "k-1", "o-1", "tok_visa").await), "INTENT_CLOSED");
}

#[tokio::test]
async fn what_was_voided_before_it_was_opened_stays_closed() {
    let bed = Bed::start().await;
    assert_eq!(bed.void("o-1").await.unwrap().status(), IntentStatus::Voided);
    assert_eq!(bed.open("o-1", "123", 10).await.unwrap().status(), IntentStatus::Voided);
    assert_eq!(bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 0);
}

#[tokio::test]
async fn what_was_paid_can_not_be_voided() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap();
    assert_eq!(reason(bed.void("o-1").await), "ALREADY_CAPTURED");
    assert_eq!(bed.open("o-1", "123", 10).await.unwrap().status(), IntentStatus::Captured);
}

#[tokio::test]
async fn an_intent_expires_when_its_time_is_over() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    bed.clock.advance(LIFETIME);
    // Also before the sweep comes by.
    assert_eq!(reason(bed.pay("123", "k-1", "o-1", "tok_visa").await), "INTENT_CLOSED");
    until("the expiry", || bed.count("SELECT count(*) FROM intents WHERE status = 'EXPIRED'") == 1)
        .await;
    assert_eq!(bed.void("o-1").await.unwrap().status(), IntentStatus::Expired);
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 0);
}

#[tokio::test]
async fn the_database_itself_refuses_what_must_never_be() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let payment = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap().into_inner().id;
    bed.open("o-2", "123", 10).await.unwrap();
    let line = "INSERT INTO ledger (order_id, payment_id, kind, amount_cents, create_time)";
    for sql in [
        // A second charge.
        format!("{line} VALUES ('o-1', '{payment}', 'CAPTURE', 1000, 0)"),
        // More given back than taken, or what was never taken.
        format!("{line} VALUES ('o-1', '{payment}', 'REFUND', -1001, 0)"),
        format!("{line} VALUES ('o-2', '{payment}', 'REFUND', -1000, 0)"),
        "UPDATE ledger SET amount_cents = 1".to_owned(),
        "DELETE FROM ledger".to_owned(),
        "UPDATE intents SET status = 'OPEN', payment_id = NULL WHERE order_id = 'o-1'".to_owned(),
        "UPDATE intents SET status = 'CAPTURED' WHERE order_id = 'o-2'".to_owned(),
        format!(
            "INSERT INTO payments SELECT 'p', order_id, user_id, status, amount_cents, method, 0, 0 FROM payments WHERE id = '{payment}'"
        ),
    ] {
        assert!(bed.database().execute(&sql, []).is_err(), "{sql}");
    }
}
