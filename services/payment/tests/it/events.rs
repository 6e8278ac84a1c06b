use proto::payment::v1::{FollowRequest, IntentStatus, PaymentEvent};
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::bed::{Bed, LIFETIME, void};

async fn first(bed: &Bed, after_sequence: i64, count: usize) -> Vec<PaymentEvent> {
    let stream = bed.events().follow(FollowRequest { after_sequence }).await.unwrap().into_inner();
    let read = stream.map(Result::unwrap).take(count).collect::<Vec<_>>();
    tokio::time::timeout(std::time::Duration::from_secs(5), read).await.unwrap()
}

#[tokio::test]
async fn tells_every_change_once_and_in_order() {
    let bed = Bed::start().await;
    for order in ["o-1", "o-2", "o-3"] {
        bed.open(order, "123", 10).await.unwrap();
        bed.open(order, "123", 10).await.unwrap();
    }
    bed.pay("123", "k-0", "o-1", "tok_declined").await.unwrap_err();
    let paid = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap().into_inner();
    bed.void("o-2").await.unwrap();
    bed.void("o-2").await.unwrap();
    bed.refund(&paid.id).await.unwrap();
    bed.clock.advance(LIFETIME);
    let events = first(&bed, 0, 6).await;
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.sequence, event.intent.as_ref().unwrap()))
        .map(|(sequence, intent)| (sequence, intent.order_id.as_str(), intent.status()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "o-1", IntentStatus::Open),
            (2, "o-2", IntentStatus::Open),
            (3, "o-3", IntentStatus::Open),
            (4, "o-1", IntentStatus::Captured),
            (5, "o-2", IntentStatus::Voided),
            (6, "o-3", IntentStatus::Expired),
        ]
    );
    assert_eq!(events[3].intent.as_ref().unwrap().payment_id, paid.id);
    assert_eq!(first(&bed, 4, 2).await, events[4..]);
}

#[tokio::test]
async fn tells_what_another_replica_did() {
    let bed = Bed::start().await;
    let mut stream =
        bed.events().follow(FollowRequest { after_sequence: 0 }).await.unwrap().into_inner();
    void(bed.replica().await, "o-1").await.unwrap();
    let event = stream.next().await.unwrap().unwrap();
    assert_eq!(event.intent.unwrap().order_id, "o-1");
}

#[tokio::test]
async fn the_stream_ends_when_the_service_stops() {
    let bed = Bed::start().await;
    let mut stream =
        bed.events().follow(FollowRequest { after_sequence: 0 }).await.unwrap().into_inner();
    bed.service.stop().await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn refuses_a_sequence_below_zero() {
    let bed = Bed::start().await;
    let refused = bed.events().follow(FollowRequest { after_sequence: -1 }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn who_has_heard_more_than_was_told_is_not_left_waiting() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let stream = bed.events().follow(FollowRequest { after_sequence: 2 }).await;
    let refused = match stream {
        Ok(stream) => stream.into_inner().next().await.unwrap().unwrap_err(),
        Err(refused) => refused,
    };
    assert_eq!(refused.code(), Code::OutOfRange);
}
