//! Reading a request's body: as much as is allowed, until the deadline, while there is room.

use std::pin::pin;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use crate::context::{BoxError, Deadline};

/// The largest body that is read, in bytes: what gRPC servers take by default.
const LIMIT: usize = 4 * 1024 * 1024;

/// What a body may take without asking for room, in bytes: no more than the head of a request does. So the small
/// requests still pass while large ones fill the room.
const FREE: usize = 4 * 1024;

/// In how many bytes room is counted.
const UNIT: usize = 1024;

/// The room of all bodies together, 32 MiB. A message is copied once on its way to its service, so they take up to
/// twice as much. Who sends a body slowly holds only the room of what has arrived, and until the deadline.
static ROOM: Semaphore = Semaphore::const_new(32 * 1024 * 1024 / UNIT);

/// The body could not be read.
#[derive(Debug, Error)]
pub(crate) enum UnreadableBody {
    /// The connection broke, or the framing was wrong.
    #[error("the request's body could not be read to its end")]
    Broken(#[source] BoxError),
    /// The client was too slow.
    #[error("the request's body did not arrive before the deadline")]
    TooSlow,
    /// The body is larger than a message may be.
    #[error("the request's body is larger than {LIMIT} bytes")]
    TooLarge,
    /// The bodies of other requests take all the room.
    #[error("the gateway has no room for the request's body at the moment")]
    NoRoom,
}

/// Bytes with the room they take, which is free again when they are dropped.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Bytes,
    room: Option<SemaphorePermit<'static>>,
}

impl Held {
    /// The message that was made of these bytes takes their room: it is no larger, but lives longer.
    pub(super) fn becomes(self, message: Bytes) -> Bytes {
        let message = Self { bytes: message, ..self };
        if message.room.is_none() { message.bytes } else { Bytes::from_owner(message) }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Held> for Bytes {
    fn from(mut held: Held) -> Self {
        let bytes = std::mem::take(&mut held.bytes);
        held.becomes(bytes)
    }
}

/// Reads the whole body.
pub(super) async fn read<B>(body: B, deadline: Deadline) -> Result<Held, UnreadableBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let all = collect(body, &ROOM);
    time::timeout_at(deadline.instant(), all).await.unwrap_or(Err(UnreadableBody::TooSlow))
}

/// Copies what arrives into one buffer: a piece kept as it came would keep all that was read together with it.
async fn collect<B>(body: B, room: &'static Semaphore) -> Result<Held, UnreadableBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let hint = body.size_hint();
    if hint.lower() > LIMIT as u64 {
        return Err(UnreadableBody::TooLarge);
    }
    let most = hint.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(LIMIT);
    // Nothing is set aside for what was only announced, but what can't fit need not be sent.
    if hint.exact().is_some() && units(most) > room.available_permits() {
        return Err(UnreadableBody::NoRoom);
    }
    let mut body = pin!(body);
    let mut buffer = Buffer { bytes: Vec::new(), room, held: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| UnreadableBody::Broken(error.into()))?;
        if let Ok(piece) = frame.into_data() {
            buffer.push(&piece, most)?;
        }
    }
    Ok(Held { bytes: buffer.bytes.into(), room: buffer.held })
}

/// A body as far as it has arrived.
struct Buffer {
    bytes: Vec<u8>,
    room: &'static Semaphore,
    held: Option<SemaphorePermit<'static>>,
}

impl Buffer {
    /// Appends a piece. The buffer doubles, but not beyond `most` when that is enough.
    fn push(&mut self, piece: &[u8], most: usize) -> Result<(), UnreadableBody> {
        let length = self.bytes.len() + piece.len();
        if length > LIMIT {
            return Err(UnreadableBody::TooLarge);
        }
        if length > self.bytes.capacity() {
            let capacity = length.max((2 * self.bytes.capacity()).min(most));
            self.take_room(capacity)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    fn take_room(&mut self, capacity: usize) -> Result<(), UnreadableBody> {
        let held = self.held.as_ref().map_or(0, SemaphorePermit::num_permits);
        let missing = units(capacity).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| UnreadableBody::TooLarge)?;
        let more = self.room.try_acquire_many(missing).map_err(|_| UnreadableBody::NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

/// The room that a body of so many bytes takes.
fn units(bytes: usize) -> usize {
    bytes.saturating_sub(FREE).div_ceil(UNIT)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures_util::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn room(bytes: usize) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::new(bytes / UNIT)))
    }

    async fn read(bytes: usize, room: &'static Semaphore) -> Result<Held, UnreadableBody> {
        collect(Full::new(Bytes::from(vec![b'x'; bytes])), room).await
    }

    /// A piece of a larger read, which lives as long as the piece.
    struct Piece(Arc<AtomicUsize>);

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for Piece {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    #[tokio::test]
    async fn no_piece_outlives_the_next() {
        let alive = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let pieces = {
            let most = Arc::clone(&most);
            (0..10_000).map(move |_| {
                let now = alive.fetch_add(1, Relaxed) + 1;
                most.fetch_max(now, Relaxed);
                let piece = Bytes::from_owner(Piece(Arc::clone(&alive)));
                Ok::<_, Infallible>(Frame::data(piece))
            })
        };
        let body = collect(StreamBody::new(stream::iter(pieces)), room(LIMIT)).await.unwrap();
        assert_eq!((body.as_ref().len(), most.load(Relaxed)), (10_000, 1));
    }

    #[tokio::test]
    async fn a_body_holds_its_room_as_long_as_the_message_made_of_it() {
        let room = room(64 * 1024);
        let body = read(60 * 1024 + FREE, room).await.unwrap();
        assert_eq!(room.available_permits(), 4);
        assert!(matches!(read(9 * 1024, room).await, Err(UnreadableBody::NoRoom)));
        let unannounced = stream::iter([b"xxx"; 3])
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece.repeat(1024)))));
        let refused = collect(StreamBody::new(unannounced), room).await;
        assert!(matches!(refused, Err(UnreadableBody::NoRoom)));
        assert_eq!(room.available_permits(), 4, "what was refused holds nothing");
        read(FREE, room).await.unwrap();
        let message = body.becomes(Bytes::from_static(b"short"));
        let part = message.slice(1..2);
        drop(message);
        assert_eq!(room.available_permits(), 4);
        drop(part);
        assert_eq!(room.available_permits(), 64);
        let untouched = Bytes::from(read(9 * 1024, room).await.unwrap());
        assert_eq!((untouched.len(), room.available_permits()), (9 * 1024, 59));
    }

    #[tokio::test]
    async fn the_limit_is_the_same_with_and_without_a_length() {
        let chunked = |bytes: usize| {
            let piece = Bytes::from(vec![b'x'; 64 * 1024]);
            let mut pieces = vec![piece; bytes / (64 * 1024)];
            pieces.push(Bytes::from(vec![b'x'; bytes % (64 * 1024)]));
            StreamBody::new(stream::iter(
                pieces.into_iter().map(Frame::data).map(Ok::<_, Infallible>),
            ))
        };
        let room = room(2 * LIMIT);
        assert_eq!(read(LIMIT, room).await.unwrap().as_ref().len(), LIMIT);
        assert_eq!(collect(chunked(LIMIT), room).await.unwrap().as_ref().len(), LIMIT);
        assert!(matches!(read(LIMIT + 1, room).await, Err(UnreadableBody::TooLarge)));
        let error = collect(chunked(LIMIT + 1), room).await.unwrap_err();
        assert!(matches!(error, UnreadableBody::TooLarge));
        assert_eq!(room.available_permits(), 2 * LIMIT / UNIT);
    }
}
