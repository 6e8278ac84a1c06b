//! Events that every replica sees: a table that only grows, and streams that follow it.
//!
//! An event is written in the transaction of the change it tells of, so its sequence grows in commit order and there
//! is no gap that fills later. A follower reads the table at its own pace: nothing is buffered for a slow one.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use jiff::SignedDuration;
use prost::Message;
use rusqlite::{Connection, Transaction, params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::{Code, Status};

use crate::{
    Clock, Failure, Shutdown, Store, Timestamp,
    clock::later,
    errors::{reason, retry_later},
    sweep,
};

/// Goes into a service's first migration. `topic` says what kind of thing changed, `subject` which one; `payload` is an
/// encoded message; times are microseconds since 1970.
pub const TABLE: &str = "
    CREATE TABLE events (
        sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
        topic       TEXT    NOT NULL,
        subject     TEXT    NOT NULL,
        payload     BLOB    NOT NULL,
        create_time INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX events_by_subject ON events (topic, subject, sequence);
";

/// How often the file is asked whether another process has written.
const POLL_EVERY: Duration = Duration::from_millis(100);
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// All of them may read at once when something happens, beside the calls.
const MOST_FOLLOWERS: usize = 256;
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Events that a follower reads at once.
const BATCH: i64 = 64;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Grows with every event of the service.
    pub sequence: i64,
    /// Which thing changed.
    pub subject: String,
    /// The encoded message it was appended with.
    pub payload: Vec<u8>,
}

/// Writes an event in the transaction of the change it tells of. Answers its sequence.
pub fn append(
    transaction: &Transaction<'_>,
    topic: &str,
    subject: &str,
    payload: &impl Message,
    now: Timestamp,
) -> Result<i64, Failure> {
    let sql = "INSERT INTO events (topic, subject, payload, create_time) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = transaction.prepare_cached(sql)?;
    Ok(statement.insert(params![topic, subject, payload.encode_to_vec(), now.as_microsecond()])?)
}

/// The sequence of the latest event; 0 when there is none.
pub fn latest(connection: &Connection) -> Result<i64, Failure> {
    Ok(connection
        .query_row("SELECT coalesce(max(sequence), 0) FROM events", [], |row| row.get(0))?)
}

/// Deletes events older than `retention` until the service stops: a [task](crate::Site::task). Who follows from
/// before then is refused: what they missed is not told any more.
pub async fn purge(store: Store, clock: Clock, retention: SignedDuration, shutdown: Shutdown) {
    sweep::every(PURGE_EVERY, &shutdown, || {
        let (store, before) = (store.clone(), later(clock.now(), -retention));
        async move {
            if let Err(error) = store.write(move |transaction| forget(transaction, before)).await {
                tracing::warn!(%error, "could not purge old events");
            }
        }
    })
    .await;
}

/// What a follower follows.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Events of this topic.
    pub topic: &'static str,
    /// Of this subject only; none for all.
    pub subject: Option<String>,
    /// After this sequence of the service, whatever that event was about.
    pub after: i64,
}

/// Lets streams follow the events of a service, whichever replica wrote them.
#[derive(Clone, Debug)]
pub struct Events {
    store: Store,
    latest: watch::Receiver<i64>,
    places: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl Events {
    /// Starts to watch the table, with one task for all followers, until the service stops.
    pub fn watch(store: &Store, shutdown: &Shutdown) -> Self {
        let (sender, latest) = watch::channel(0);
        let poll = poll(store.clone(), sender, shutdown.clone());
        tokio::spawn(shutdown.clone().vital("events", poll));
        let places = Arc::new(Semaphore::new(MOST_FOLLOWERS));
        Self { store: store.clone(), latest, places, shutdown: shutdown.clone() }
    }

    /// The events asked for, in order, and then each new one. Ends with UNAVAILABLE when the service stops or has too
    /// many followers, or with what the database said; and with `OUT_OF_RANGE` when the follower would wait for what
    /// may never come (`SEQUENCE_NOT_REACHED`: `after` is later than the latest event of the service) or miss what was
    /// deleted (`SEQUENCE_EXPIRED`: the event that came next is older than the retention).
    pub fn follow(
        &self,
        what: Follow,
    ) -> impl Stream<Item = Result<Event, Status>> + Send + 'static + use<> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let ready = VecDeque::new();
        let follower = Follower { events: self.clone(), what, ready, place };
        stream::unfold(Some(follower), |follower| async {
            let mut follower = follower?;
            match follower.next().await {
                Ok(event) => Some((Ok(event), Some(follower))),
                Err(status) => Some((Err(status), None)),
            }
        })
    }
}

struct Follower {
    events: Events,
    /// What is still to be read; `after` is how far the table was read, also where nothing was found.
    what: Follow,
    ready: VecDeque<Event>,
    place: Option<OwnedSemaphorePermit>,
}

impl Follower {
    async fn next(&mut self) -> Result<Event, Status> {
        if self.place.is_none() {
            return Err(retry_later(
                Code::Unavailable,
                "too many streams, try again later",
                RETRY_AFTER,
            ));
        }
        loop {
            if self.events.shutdown.is_cancelled() {
                return Err(stopping());
            }
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let what = self.what.clone();
            let read = self.events.store.read(move |db| batch(db, &what)).await?;
            (self.ready, self.what.after) = (read.events.into(), read.until);
            if self.ready.is_empty() {
                let changed =
                    self.events.shutdown.run_until_cancelled(self.events.latest.changed()).await;
                changed.and_then(Result::ok).ok_or_else(stopping)?;
            }
        }
    }
}

/// What was read of the table, and how far.
struct Batch {
    events: Vec<Event>,
    until: i64,
}

fn batch(connection: &Connection, what: &Follow) -> Result<Batch, Failure> {
    let latest = latest(connection)?;
    check(connection, what.after, latest)?;
    let events = find(connection, what)?;
    let is_full = i64::try_from(events.len()).is_ok_and(|found| found == BATCH);
    let until = events.last().filter(|_| is_full).map_or(latest, |event| event.sequence);
    Ok(Batch { events, until })
}

/// Whether all that came after a sequence is still there.
fn check(connection: &Connection, after: i64, latest: i64) -> Result<(), Failure> {
    let sql = "SELECT coalesce(min(sequence), 1) FROM events";
    let oldest: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let (message, why) = if after > latest {
        ("there is no such sequence yet", "SEQUENCE_NOT_REACHED")
    } else if after < oldest - 1 {
        ("what came after this sequence is not kept any more", "SEQUENCE_EXPIRED")
    } else {
        return Ok(());
    };
    let message = format!("{message}: read the present state and follow from there");
    let metadata = [("oldest", oldest.to_string()), ("latest", latest.to_string())];
    Err(reason(Code::OutOfRange, message, why, metadata).into())
}

fn find(connection: &Connection, what: &Follow) -> rusqlite::Result<Vec<Event>> {
    let sql = match what.subject {
        Some(_) => {
            "SELECT sequence, subject, payload FROM events
             WHERE topic = ?1 AND sequence > ?2 AND subject = ?4 ORDER BY sequence LIMIT ?3"
        }
        None => {
            "SELECT sequence, subject, payload FROM events
             WHERE sequence > ?2 AND topic = ?1 AND ?4 IS NULL ORDER BY sequence LIMIT ?3"
        }
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement
        .query_map(params![what.topic, what.after, BATCH, what.subject], |row| {
            Ok(Event { sequence: row.get(0)?, subject: row.get(1)?, payload: row.get(2)? })
        })?;
    rows.collect()
}

/// Sequence and time grow together, so the search ends at the first event that is young enough. The latest stays: it
/// tells where "from now on" begins.
fn forget(transaction: &Transaction<'_>, before: Timestamp) -> Result<(), Failure> {
    let sql = "DELETE FROM events WHERE sequence < coalesce(
                   (SELECT sequence FROM events WHERE create_time > ?1 ORDER BY sequence LIMIT 1),
                   (SELECT max(sequence) FROM events))";
    transaction.prepare_cached(sql)?.execute([before.as_microsecond()])?;
    Ok(())
}

/// Looks for new events after every write of this process, and ten times a second for those of the others.
async fn poll(store: Store, latest_seen: watch::Sender<i64>, shutdown: Shutdown) {
    let mut ours = store.changed();
    loop {
        match store.read(latest).await {
            Ok(latest) => {
                latest_seen.send_if_modified(|seen| std::mem::replace(seen, latest) != latest);
            }
            Err(error) => tracing::warn!(%error, "could not look for new events"),
        }
        let wait = tokio::time::timeout(POLL_EVERY, ours.changed());
        if shutdown.run_until_cancelled(wait).await.is_none() {
            return;
        }
    }
}

fn stopping() -> Status {
    Status::unavailable("the service is stopping, connect again")
}

#[cfg(test)]
mod tests;
