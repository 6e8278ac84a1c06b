use std::time::Duration;

use proto::payment::v1::{CreatePaymentRequest, Payment};
use tempfile::TempDir;
use tonic::{Response, Status, metadata::MetadataValue};
use tonic_types::StatusExt as _;

use super::*;
use crate::Caller;

const RPC: &str = "payment.v1.PaymentService/CreatePayment";

fn tables(transaction: &Transaction<'_>, _: Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLE)?;
    transaction.execute_batch("CREATE TABLE charges (id TEXT NOT NULL) STRICT")
}

struct Bench {
    folder: TempDir,
    store: Store,
    clock: Clock,
}

impl Bench {
    async fn new() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), Clock::set_to(Timestamp::UNIX_EPOCH));
        let store =
            Store::open("test", &folder.path().join("test.db"), &[tables], &clock).await.unwrap();
        Self { folder, store, clock }
    }

    async fn replica(&self) -> Store {
        Store::open("test", &self.folder.path().join("test.db"), &[tables], &self.clock)
            .await
            .unwrap()
    }

    async fn charge(&self, request: Request) -> Result<Response<Payment>, Status> {
        charge(&self.store, &self.clock, request).await
    }

    async fn begin(&self, request: &Request) -> Result<Begin, Status> {
        let (request, now) = (request.clone(), self.clock.now());
        Ok(self.store.write(move |transaction| begin(transaction, &request, now)).await?)
    }

    async fn finish(&self, claim: &Claim, id: &str) -> Result<(), Status> {
        let (claim, payment) = (claim.clone(), Payment { id: id.to_owned(), ..Payment::default() });
        Ok(self.store.write(move |transaction| claim.finish(transaction, Ok(&payment))).await?)
    }

    async fn refuse(&self, claim: &Claim, status: Status) {
        let claim = claim.clone();
        let finish = move |tx: &Transaction<'_>| claim.finish::<Payment>(tx, Err(&status));
        self.store.write(finish).await.unwrap();
    }

    async fn charges(&self) -> i64 {
        self.store
            .read(|db| Ok(db.query_row("SELECT count(*) FROM charges", [], |row| row.get(0))?))
            .await
            .unwrap()
    }
}

/// Work of one transaction, as a service would do it.
async fn charge(
    store: &Store,
    clock: &Clock,
    request: Request,
) -> Result<Response<Payment>, Status> {
    let now = clock.now();
    let charge = move |transaction: &Transaction<'_>| {
        let claim = match begin(transaction, &request, now)? {
            Begin::Work(claim) => claim,
            Begin::Replay(outcome) => return Ok(outcome.replay()),
        };
        let payment = Payment { id: crate::ids::fresh(), ..Payment::default() };
        transaction.execute("INSERT INTO charges VALUES (?1)", [&payment.id])?;
        claim.finish(transaction, Ok(&payment))?;
        Ok(Ok(Response::new(payment)))
    };
    store.write(charge).await?
}

fn asked(principal: &'static str, key: &'static str, order_id: &str) -> Result<Request, Status> {
    let message =
        CreatePaymentRequest { order_id: order_id.to_owned(), method: "tok_visa".to_owned() };
    let mut request = tonic::Request::new(());
    for (name, value) in [("x-principal-id", principal), ("idempotency-key", key)] {
        if !value.is_empty() {
            request.metadata_mut().insert(name, MetadataValue::from_static(value));
        }
    }
    Request::of(&Caller::of(&request), RPC, &message)
}

fn claimed(begin: Result<Begin, Status>) -> Claim {
    match begin.unwrap() {
        Begin::Work(claim) => claim,
        Begin::Replay(outcome) => panic!("replayed {outcome:?}"),
    }
}

fn is_replay(metadata: &tonic::metadata::MetadataMap) -> bool {
    metadata.get(REPLAYED).is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_one_effect() {
    let bench = Bench::new().await;
    let first = bench.charge(asked("123", "k", "o-1").unwrap()).await.unwrap();
    assert!(!is_replay(first.metadata()));
    let again = bench.charge(asked("123", "k", "o-1").unwrap()).await.unwrap();
    assert!(is_replay(again.metadata()));
    assert_eq!(again.get_ref(), first.get_ref());
    assert_eq!(bench.charges().await, 1);
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let bench = Bench::new().await;
    bench.charge(asked("123", "k", "o-1").unwrap()).await.unwrap();
    let refused = bench.charge(asked("123", "k", "o-2").unwrap()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(bench.charges().await, 1);
}

#[tokio::test]
async fn the_key_of_another_never_replays() {
    let bench = Bench::new().await;
    let ada = bench.charge(asked("123", "k", "o-1").unwrap()).await.unwrap().into_inner();
    let bob = bench.charge(asked("124", "k", "o-1").unwrap()).await.unwrap();
    assert!(!is_replay(bob.metadata()));
    assert_ne!(ada.id, bob.get_ref().id);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_get_the_same_key_at_once_do_the_work_once() {
    let bench = Bench::new().await;
    let replicas = [bench.store.clone(), bench.replica().await];
    let tries: Vec<_> = (0..40)
        .map(|turn| {
            let (store, clock) = (replicas[turn % 2].clone(), bench.clock.clone());
            tokio::spawn(async move {
                charge(&store, &clock, asked("123", "k", "o-1").unwrap()).await.unwrap()
            })
        })
        .collect();
    let mut ids = Vec::new();
    for one in tries {
        ids.push(one.await.unwrap().into_inner().id);
    }
    ids.dedup();
    assert_eq!((ids.len(), bench.charges().await), (1, 1));
}

#[tokio::test]
async fn a_final_refusal_is_replayed_with_its_details() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let claim = claimed(bench.begin(&request).await);
    let declined = reason(Code::FailedPrecondition, "declined", "CARD_DECLINED", []);
    bench.refuse(&claim, declined).await;
    let Begin::Replay(outcome) = bench.begin(&request).await.unwrap() else {
        panic!("worked twice")
    };
    let refusal = outcome.replay::<Payment>().unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::FailedPrecondition, "declined"));
    assert_eq!(refusal.get_error_details().error_info().unwrap().reason, "CARD_DECLINED");
    assert!(is_replay(refusal.metadata()));
}

#[tokio::test]
async fn what_tells_of_the_moment_is_never_stored_and_frees_the_key() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    for code in
        [Code::Unavailable, Code::Internal, Code::DeadlineExceeded, Code::Aborted, Code::Cancelled]
    {
        let claim = claimed(bench.begin(&request).await);
        bench.refuse(&claim, Status::new(code, "not now")).await;
    }
    assert!(!is_replay(bench.charge(request).await.unwrap().metadata()));
}

#[tokio::test]
async fn while_one_is_at_work_another_is_told_to_wait() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let claim = claimed(bench.begin(&request).await);
    assert_eq!(bench.begin(&request).await.unwrap_err().code(), Code::Aborted);
    bench.finish(&claim, "p-1").await.unwrap();
    let Begin::Replay(outcome) = bench.begin(&request).await.unwrap() else {
        panic!("worked twice")
    };
    assert_eq!(outcome.replay::<Payment>().unwrap().get_ref().id, "p-1");
}

#[tokio::test]
async fn the_work_of_a_dead_holder_is_resumed_where_it_stands() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let dead = claimed(bench.begin(&request).await);
    let noted = dead.clone();
    bench.store.write(move |transaction| noted.note(transaction, "o-1")).await.unwrap();
    bench.clock.advance(LEASE.try_into().unwrap());

    let heir = claimed(bench.begin(&request).await);
    assert_eq!(heir.subject(), Some("o-1"));
    // It was only slow, and comes back: its commit must fail.
    assert_eq!(bench.finish(&dead, "p-dead").await.unwrap_err().code(), Code::Aborted);
    bench.finish(&heir, "p-heir").await.unwrap();
    assert_eq!(bench.finish(&dead, "p-dead").await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_freeze_a_key() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let _dead = claimed(bench.begin(&request).await);
    bench.clock.advance(SignedDuration::from_hours(-1));
    let _heir = claimed(bench.begin(&request).await);
    assert_eq!(bench.begin(&request).await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_lease_that_is_dropped_frees_the_key_at_once() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let claim = claimed(bench.begin(&request).await);
    drop(claim.hold(&bench.store, &bench.clock));
    let resumed = tokio::time::timeout(Duration::from_secs(10), async {
        while bench.begin(&request).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    resumed.await.unwrap();
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_it_is_held() {
    let bench = Bench::new().await;
    let request = asked("123", "k", "o-1").unwrap();
    let claim = claimed(bench.begin(&request).await);
    let _lease = claim.hold(&bench.store, &bench.clock);
    bench.clock.advance(SignedDuration::from_secs(2));
    let until = later(bench.clock.now(), LEASE.try_into().unwrap()).as_microsecond();
    let renewed = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let sql = "SELECT lease_until FROM idempotency";
            let found: i64 = bench
                .store
                .read(move |db| Ok(db.query_row(sql, [], |row| row.get(0))?))
                .await
                .unwrap();
            if found == until {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    renewed.await.unwrap();
}

#[tokio::test]
async fn a_key_is_new_again_after_24_hours() {
    let bench = Bench::new().await;
    bench.charge(asked("123", "k", "o-1").unwrap()).await.unwrap();
    bench.clock.advance(RETENTION);
    assert!(!is_replay(bench.charge(asked("123", "k", "o-2").unwrap()).await.unwrap().metadata()));
    assert_eq!(bench.charges().await, 2);
}

#[tokio::test]
async fn unfinished_work_is_forgotten_after_24_hours_unless_somebody_is_at_it() {
    let bench = Bench::new().await;
    let purge = async || {
        let now = bench.clock.now();
        bench.store.write(move |transaction| Ok(forget_all(transaction, now)?)).await.unwrap()
    };
    let (left, held) = (asked("123", "left", "o-1").unwrap(), asked("123", "held", "o-1").unwrap());
    let _dead = claimed(bench.begin(&left).await);
    let _held = claimed(bench.begin(&held).await);
    bench.clock.advance(RETENTION);
    let alive = lease_end(bench.clock.now());
    bench
        .store
        .write(move |tx| {
            Ok(tx.execute("UPDATE idempotency SET lease_until = ?1 WHERE key = 'held'", [alive])?)
        })
        .await
        .unwrap();

    assert_eq!(bench.begin(&held).await.unwrap_err().code(), Code::Aborted);
    // Another request may use the key now: the old one is as good as never asked.
    let _new = claimed(bench.begin(&asked("123", "left", "o-2").unwrap()).await);
    assert_eq!(purge().await, 0);
    bench.clock.advance(RETENTION);
    assert_eq!(purge().await, 2);
}

#[test]
fn refuses_a_request_without_a_proper_key() {
    assert_eq!(asked("", "k", "o-1").unwrap_err().code(), Code::Unauthenticated);
    for key in ["", "two words"] {
        let refused = asked("123", key, "o-1").unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{key:?}");
        let details = refused.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "idempotency-key");
    }
    let longest: &'static str = "k".repeat(255).leak();
    assert!(asked("123", longest, "o-1").is_ok());
    let too_long: &'static str = "k".repeat(256).leak();
    assert_eq!(asked("123", too_long, "o-1").unwrap_err().code(), Code::InvalidArgument);
}
