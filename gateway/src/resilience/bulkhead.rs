//! How many calls an upstream has at once, and how few may wait for one to end.
//!
//! What waits behind a slow service is answered too late to be of use, and costs as much as if it were not. A short queue
//! takes up what comes in one moment; beyond it the honest answer is no, at once.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

/// How many calls there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Room {
    /// Calls at once.
    pub(crate) requests: usize,
    /// Calls that wait until one of those ends.
    pub(crate) queue: usize,
    /// How long they wait.
    pub(crate) patience: Duration,
}

/// There is no room for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it has {busy} calls in flight, which is the limit, and {waiting} wait: this one was turned away"
)]
pub(crate) struct Shed {
    busy: usize,
    waiting: usize,
}

/// The calls of one upstream. Whoever waits is served in the order of coming.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    room: Room,
    // A semaphore of tokio is fair: a free place goes to the oldest waiter, and never to who comes just then.
    places: Semaphore,
    waiting: AtomicUsize,
}

impl Bulkhead {
    /// An upstream with nothing in flight.
    pub(crate) fn new(room: Room) -> Self {
        let places = Semaphore::new(room.requests.min(Semaphore::MAX_PERMITS));
        Self { room, places, waiting: AtomicUsize::new(0) }
    }

    /// A place for a call, which is free again when it is dropped.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, Shed> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let _waiter = self.queue().ok_or_else(|| self.shed())?;
        let place = time::timeout(self.room.patience, self.places.acquire()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| self.shed())
    }

    /// A place in the queue; whoever gives up leaves it.
    fn queue(&self) -> Option<Waiter<'_>> {
        let more = |waiting| (waiting < self.room.queue).then_some(waiting + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Waiter(&self.waiting))
    }

    fn shed(&self) -> Shed {
        let busy = self.room.requests.saturating_sub(self.places.available_permits());
        Shed { busy, waiting: self.waiting.load(Relaxed) }
    }
}

struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    fn bulkhead(requests: usize, queue: usize) -> Arc<Bulkhead> {
        let patience = Duration::from_millis(100);
        Arc::new(Bulkhead::new(Room { requests, queue, patience }))
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_queue_the_answer_is_no_at_once_and_in_the_queue_soon() {
        let bulkhead = bulkhead(2, 1);
        let _held = [bulkhead.enter().await.unwrap(), bulkhead.enter().await.unwrap()];
        let mut waiter = Box::pin(bulkhead.enter());
        assert!((&mut waiter).now_or_never().is_none());
        let began = Instant::now();
        assert_eq!(bulkhead.enter().await.unwrap_err(), Shed { busy: 2, waiting: 1 });
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(waiter.await.is_err());
        assert_eq!(began.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_served_in_the_order_of_coming_and_nobody_passes() {
        let bulkhead = bulkhead(1, 9);
        let held = bulkhead.enter().await.unwrap();
        let (told, mut served) = mpsc::unbounded_channel();
        for number in 0..9 {
            let (bulkhead, told) = (Arc::clone(&bulkhead), told.clone());
            tokio::spawn(async move {
                let _place = bulkhead.enter().await.unwrap();
                told.send(number).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(bulkhead.enter().now_or_never().is_none_or(|entered| entered.is_err()));
        for number in 0..9 {
            assert_eq!(served.recv().await, Some(number));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_the_queue() {
        let bulkhead = bulkhead(1, 1);
        let held = bulkhead.enter().await.unwrap();
        for _ in 0..3 {
            assert!(bulkhead.enter().now_or_never().is_none(), "it waits, and is dropped");
        }
        assert_eq!(bulkhead.shed(), Shed { busy: 1, waiting: 0 });
        drop(held);
        assert!(bulkhead.enter().await.is_ok());
        assert_eq!(bulkhead.shed(), Shed { busy: 0, waiting: 0 });
    }
}
