use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use super::*;
use tempfile::TempDir;

fn tables(transaction: &Transaction<'_>, _: jiff::Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "CREATE TABLE counter (value INTEGER NOT NULL) STRICT; INSERT INTO counter VALUES (0)",
    )
}

fn second(transaction: &Transaction<'_>, _: jiff::Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch("UPDATE counter SET value = value + 100")
}

async fn open(folder: &TempDir, migrations: &'static [Migration]) -> Result<Store, StoreError> {
    Store::open(
        "test",
        &folder.path().join("made/on/the/way/test.db"),
        migrations,
        &Clock::system(),
    )
    .await
}

async fn value(store: &Store) -> i64 {
    store
        .read(|db| Ok(db.query_row("SELECT value FROM counter", [], |row| row.get(0))?))
        .await
        .unwrap()
}

/// Reads and then writes what it read, as the business does.
fn increment(transaction: &Transaction<'_>) -> Result<(), Failure> {
    let value: i64 = transaction.query_row("SELECT value FROM counter", [], |row| row.get(0))?;
    transaction.execute("UPDATE counter SET value = ?1", [value + 1])?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_migrate_and_seed_once() {
    let folder = Arc::new(TempDir::new().unwrap());
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let folder = Arc::clone(&folder);
            tokio::spawn(async move { open(&folder, &[tables, second]).await.unwrap() })
        })
        .collect();
    for start in starts {
        assert_eq!(value(&start.await.unwrap()).await, 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_of_any_replica_is_lost() {
    let folder = TempDir::new().unwrap();
    let replicas =
        [open(&folder, &[tables]).await.unwrap(), open(&folder, &[tables]).await.unwrap()];
    let writes: Vec<_> = (0..100)
        .map(|turn| {
            let store = replicas[turn % 2].clone();
            tokio::spawn(async move { store.write(increment).await.unwrap() })
        })
        .collect();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(value(&replicas[0]).await, 100);
}

#[tokio::test]
async fn a_later_release_migrates_what_an_earlier_one_wrote() {
    let folder = TempDir::new().unwrap();
    open(&folder, &[tables]).await.unwrap().write(increment).await.unwrap();
    assert_eq!(value(&open(&folder, &[tables, second]).await.unwrap()).await, 101);
}

#[tokio::test]
async fn a_database_of_a_later_release_is_left_alone() {
    let folder = TempDir::new().unwrap();
    open(&folder, &[tables, second]).await.unwrap();
    assert!(matches!(
        open(&folder, &[tables]).await,
        Err(StoreError::Newer { found: 2, known: 1, .. })
    ));
}

#[tokio::test]
async fn what_fails_leaves_no_trace_also_when_it_panics() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, &[tables]).await.unwrap();
    let refused: Result<(), _> = store
        .write(|transaction| {
            increment(transaction)?;
            Err(tonic::Status::not_found("no").into())
        })
        .await;
    assert!(refused.is_err());
    let panicked: Result<(), _> = store
        .write(|transaction| {
            increment(transaction)?;
            panic!("a bug")
        })
        .await;
    assert!(panicked.is_err());
    assert_eq!(value(&store).await, 0);
    store.write(increment).await.unwrap();
    assert_eq!(value(&store).await, 1);
}

#[tokio::test]
async fn a_read_can_not_write() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder, &[tables]).await.unwrap();
    let tried = store.read(|db| Ok(db.execute("UPDATE counter SET value = 7", [])?)).await;
    assert!(matches!(tried, Err(Failure::Database(_))));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_at_boot() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    fs::write(&path, "this is not a database, and it is longer than a header of one hundred bytes would be, by far. Really.")
        .unwrap();
    let refused = Store::open("test", &path, &[tables], &Clock::system()).await;
    assert!(matches!(refused, Err(StoreError::File(..))), "{refused:?}");
    let refused = Store::open("test", folder.path(), &[tables], &Clock::system()).await;
    assert!(matches!(refused, Err(StoreError::File(..))), "{refused:?}");
}

#[tokio::test]
async fn a_database_belongs_to_one_service() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    Store::open("test", &path, &[tables], &Clock::system()).await.unwrap();
    let other = Store::open("other", &path, &[tables], &Clock::system()).await;
    assert!(matches!(other, Err(StoreError::Foreign { service: "other", .. })), "{other:?}");
    Store::open("test", &path, &[tables], &Clock::system()).await.unwrap();

    let stranger = folder.path().join("stranger.db");
    let db = Connection::open(&stranger).unwrap();
    db.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let refused = Store::open("test", &stranger, &[tables], &Clock::system()).await;
    assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_version_below_zero_is_called_what_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    Store::open("test", &path, &[tables], &Clock::system()).await.unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", -1).unwrap();
    let refused = Store::open("test", &path, &[tables], &Clock::system()).await.unwrap_err();
    assert!(refused.to_string().ends_with("is damaged: its version is -1"), "{refused}");
}

#[tokio::test]
async fn what_is_no_file_is_no_database() {
    for path in ["", ":memory:"] {
        let refused = Store::open("test", Path::new(path), &[tables], &Clock::system()).await;
        assert!(matches!(refused, Err(StoreError::NoFile { .. })), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn nobody_else_may_read_the_files() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.db");
    let store = Store::open("test", &path, &[tables], &Clock::system()).await.unwrap();
    store.write(increment).await.unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
