use std::pin::pin;

use futures_util::StreamExt as _;
use proto::product::v1::Product;
use tempfile::TempDir;
use tonic_types::StatusExt as _;

use super::*;

fn tables(transaction: &Transaction<'_>, _: Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLE)
}

async fn replica(folder: &TempDir) -> Store {
    Store::open("test", &folder.path().join("test.db"), &[tables], &Clock::system()).await.unwrap()
}

async fn tell(store: &Store, subject: &'static str) -> i64 {
    let payload = Product { id: subject.to_owned(), ..Product::default() };
    store
        .write(move |tx| append(tx, "product", subject, &payload, Timestamp::UNIX_EPOCH))
        .await
        .unwrap()
}

fn all(after: i64) -> Follow {
    Follow { topic: "product", subject: None, after }
}

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap()
}

#[tokio::test]
async fn a_follower_sees_what_any_replica_writes_before_and_after_it_came() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (replica(&folder).await, replica(&folder).await);
    let events = Events::watch(&ours, &Shutdown::new());
    tell(&ours, "p-1").await;
    tell(&theirs, "p-2").await;
    let mut stream = pin!(events.follow(all(0)));
    for expected in ["p-1", "p-2"] {
        assert_eq!(soon(stream.next()).await.unwrap().unwrap().subject, expected);
    }
    tell(&theirs, "p-3").await;
    let event = soon(stream.next()).await.unwrap().unwrap();
    assert_eq!(event.sequence, 3);
    assert_eq!(Product::decode(event.payload.as_slice()).unwrap().id, "p-3");
}

#[tokio::test]
async fn a_follower_of_one_subject_sees_no_other() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    let events = Events::watch(&store, &Shutdown::new());
    for subject in ["p-1", "p-2", "p-1"] {
        tell(&store, subject).await;
    }
    let mut stream = pin!(events.follow(Follow { subject: Some("p-1".to_owned()), ..all(1) }));
    assert_eq!(soon(stream.next()).await.unwrap().unwrap().sequence, 3);
}

#[tokio::test]
async fn a_follower_that_falls_behind_by_many_batches_misses_nothing() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    let events = Events::watch(&store, &Shutdown::new());
    let many = BATCH * 3 + 1;
    store
        .write(move |tx| {
            for _ in 0..many {
                append(tx, "product", "p-1", &Product::default(), Timestamp::UNIX_EPOCH)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let mut stream = pin!(events.follow(all(0)));
    for sequence in 1..=many {
        assert_eq!(soon(stream.next()).await.unwrap().unwrap().sequence, sequence);
    }
}

#[tokio::test]
async fn the_follower_after_the_last_place_is_refused_until_one_is_free() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    let events = Events::watch(&store, &Shutdown::new());
    tell(&store, "p-1").await;
    let mut followers: Vec<_> = (0..MOST_FOLLOWERS).map(|_| events.follow(all(0))).collect();
    let refused = soon(pin!(events.follow(all(0))).next()).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    followers.pop();
    assert!(soon(pin!(events.follow(all(0))).next()).await.unwrap().is_ok());
}

#[tokio::test]
async fn followers_are_told_when_the_service_stops() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    let shutdown = Shutdown::new();
    let events = Events::watch(&store, &shutdown);
    let mut stream = pin!(events.follow(all(0)));
    let waiting = async { stream.next().await };
    let (end, ()) = soon(async { tokio::join!(waiting, async { shutdown.cancel() }) }).await;
    assert_eq!(end.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(soon(stream.next()).await.is_none());
}

#[tokio::test]
async fn old_events_are_forgotten_but_never_the_latest() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    for (subject, second) in [("p-1", 1), ("p-2", 2), ("p-3", 3), ("p-4", 4)] {
        let at = Timestamp::from_second(second).unwrap();
        store
            .write(move |tx| append(tx, "product", subject, &Product::default(), at))
            .await
            .unwrap();
    }
    for (before, left) in [(0, 4), (2, 2), (9, 1)] {
        let before = Timestamp::from_second(before).unwrap();
        store.write(move |tx| forget(tx, before)).await.unwrap();
        let count = "SELECT count(*) FROM events";
        let count: i64 =
            store.read(move |db| Ok(db.query_row(count, [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(count, left, "{before}");
    }
    assert_eq!(store.read(latest).await.unwrap(), 4);
}

/// Refused with that reason, at once.
async fn refused(events: &Events, what: Follow, why: &str) {
    let status = soon(pin!(events.follow(what)).next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert_eq!(status.get_error_details().error_info().unwrap().reason, why);
}

#[tokio::test]
async fn nobody_waits_for_what_never_comes_or_misses_what_is_gone() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    let events = Events::watch(&store, &Shutdown::new());
    refused(&events, all(1), "SEQUENCE_NOT_REACHED").await;
    for _ in 0..3 {
        tell(&store, "p-1").await;
    }
    refused(&events, all(4), "SEQUENCE_NOT_REACHED").await;
    store.write(|tx| forget(tx, Timestamp::MAX)).await.unwrap();
    refused(&events, all(1), "SEQUENCE_EXPIRED").await;
    refused(&events, Follow { subject: Some("p-2".to_owned()), ..all(0) }, "SEQUENCE_EXPIRED")
        .await;
    assert_eq!(soon(pin!(events.follow(all(2))).next()).await.unwrap().unwrap().sequence, 3);
}

#[tokio::test]
async fn who_waits_for_one_subject_misses_nothing_when_others_are_forgotten() {
    let folder = TempDir::new().unwrap();
    let store = replica(&folder).await;
    for _ in 0..3 {
        tell(&store, "p-1").await;
    }
    let one = |after| Follow { subject: Some("p-2".to_owned()), ..all(after) };
    let read = store.read(move |db| batch(db, &one(0))).await.unwrap();
    assert_eq!((read.events.len(), read.until), (0, 3));
    store.write(|tx| forget(tx, Timestamp::MAX)).await.unwrap();
    tell(&store, "p-1").await;
    tell(&store, "p-2").await;
    let read = store.read(move |db| batch(db, &one(read.until))).await.unwrap();
    assert_eq!((read.events[0].sequence, read.until), (5, 5));
}
