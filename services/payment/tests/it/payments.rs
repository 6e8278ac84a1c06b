use proto::payment::v1::{IntentStatus, PaymentStatus};
use tonic::Code;

use crate::bed::{Bed, reason};

const CENTS: &str = "SELECT coalesce(sum(amount_cents), 0) FROM ledger";

#[tokio::test]
async fn pays_once_and_the_same_key_gives_the_same_answer() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let paid = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap();
    assert!(paid.metadata().get("idempotent-replayed").is_none());
    let paid = paid.into_inner();
    assert_eq!(
        (paid.status(), paid.user_id.as_str(), paid.order_id.as_str()),
        (PaymentStatus::Captured, "123", "o-1")
    );
    let again = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), paid);
    assert_eq!(reason(bed.pay("123", "k-2", "o-1", "tok_mastercard").await), "ALREADY_PAID");
    assert_eq!(bed.count(CENTS), 1000);
    let intent = bed.open("o-1", "123", 10).await.unwrap();
    assert_eq!((intent.status(), intent.payment_id), (IntentStatus::Captured, paid.id));
}

#[tokio::test]
async fn a_declined_card_leaves_the_order_open_for_another() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    for replayed in [false, true] {
        let declined = bed.pay("123", "k-1", "o-1", "tok_declined").await.unwrap_err();
        assert_eq!(declined.code(), Code::FailedPrecondition);
        assert_eq!(declined.metadata().get("idempotent-replayed").is_some(), replayed);
        let details = tonic_types::StatusExt::get_error_details(&declined);
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "CARD_DECLINED");
        let payment = bed.read("123", "", &info.metadata["payment_id"]).await.unwrap();
        assert_eq!(payment.status(), PaymentStatus::Declined);
        assert_eq!(reason(bed.refund(&payment.id).await), "NOT_CAPTURED");
    }
    assert_eq!(bed.count("SELECT count(*) FROM payments"), 1);
    bed.pay("123", "k-2", "o-1", "tok_visa").await.unwrap();
    assert_eq!(bed.count(CENTS), 1000);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_user() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    bed.open("o-2", "124", 20).await.unwrap();
    let ada = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap().into_inner();
    assert_eq!(
        reason(bed.pay("123", "k-1", "o-1", "tok_mastercard").await),
        "IDEMPOTENCY_KEY_REUSED"
    );
    // Bob's request with ada's key and body is bob's own request.
    assert_eq!(bed.pay("124", "k-1", "o-1", "tok_visa").await.unwrap_err().code(), Code::NotFound);
    let bob = bed.pay("124", "k-1", "o-2", "tok_visa").await.unwrap();
    assert!(bob.metadata().get("idempotent-replayed").is_none());
    assert_ne!(bob.into_inner().id, ada.id);
}

#[tokio::test]
async fn another_users_order_and_no_order_look_the_same() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let theirs = bed.pay("124", "k-1", "o-1", "tok_visa").await.unwrap_err();
    let absent = bed.pay("124", "k-2", "o-2", "tok_visa").await.unwrap_err();
    assert_eq!(theirs.code(), Code::NotFound);
    assert_eq!(theirs.message().replace("o-1", "o-2"), absent.message());
    let slow = bed.pay("124", "k-3", "o-1", "tok_slow").await.unwrap_err();
    assert_eq!((slow.code(), slow.message()), (theirs.code(), theirs.message()));
    assert_eq!(bed.count(CENTS), 0);
}

#[tokio::test]
async fn who_paid_too_early_pays_later_with_the_same_key() {
    let bed = Bed::start().await;
    assert_eq!(bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap_err().code(), Code::NotFound);
    bed.open("o-1", "123", 10).await.unwrap();
    bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap();
}

#[tokio::test]
async fn refuses_what_is_not_a_payment() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    for (user, key, order, method, code) in [
        ("", "k-1", "o-1", "tok_visa", Code::Unauthenticated),
        ("123", "", "o-1", "tok_visa", Code::InvalidArgument),
        ("123", "k-1", "", "tok_visa", Code::InvalidArgument),
        ("123", "k-1", "o-1", "", Code::InvalidArgument),
        ("123", "k-1", "o-1", "tok_gold", Code::InvalidArgument),
    ] {
        let refused = bed.pay(user, key, order, method).await.unwrap_err();
        assert_eq!(refused.code(), code, "{user} {key} {order} {method}");
    }
    assert_eq!(bed.count("SELECT count(*) FROM idempotency"), 0);
}

#[tokio::test]
async fn a_refund_gives_the_money_back_once() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let paid = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap().into_inner();
    bed.clock.advance(jiff::SignedDuration::from_secs(1));
    let refunded = bed.refund(&paid.id).await.unwrap();
    assert_eq!(refunded.status(), PaymentStatus::Refunded);
    assert_ne!(refunded.update_time, paid.update_time);
    bed.clock.advance(jiff::SignedDuration::from_secs(1));
    assert_eq!(bed.refund(&paid.id).await.unwrap(), refunded);
    assert_eq!(bed.count(CENTS), 0);
    assert_eq!(bed.count("SELECT count(*) FROM ledger"), 2);
    // The order was paid; a refund does not open it again.
    assert_eq!(reason(bed.pay("123", "k-2", "o-1", "tok_visa").await), "ALREADY_PAID");
    assert_eq!(bed.refund("p-0").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_payment_is_read_by_its_payer_and_by_admins() {
    let bed = Bed::start().await;
    bed.open("o-1", "123", 10).await.unwrap();
    let paid = bed.pay("123", "k-1", "o-1", "tok_visa").await.unwrap().into_inner();
    assert_eq!(bed.read("123", "", &paid.id).await.unwrap(), paid);
    assert_eq!(bed.read("1", "admin", &paid.id).await.unwrap(), paid);
    let absent = bed.read("124", "", "p-0").await.unwrap_err();
    for (user, roles) in [("124", ""), ("124", "staff"), ("", "")] {
        let refused = bed.read(user, roles, &paid.id).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{user} {roles}");
        assert_eq!(refused.message().replace(&paid.id, "p-0"), absent.message());
    }
}
