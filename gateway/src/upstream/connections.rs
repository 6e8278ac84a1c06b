//! The connections to one endpoint: some for calls and some for streams, as many as are needed.
//!
//! Calls end soon, and their answers are read as they come. A stream may stay for an hour and be read by a client that
//! takes its time. What would make it the trouble of everybody else is what all on one connection share (RFC 9113,
//! sections 5.1.2 and 5.2): how many there may be at once, and the window of the connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::{Channel, Endpoint};

/// Streams and calls at once over one connection: no server should take fewer (RFC 9113, section 6.5.2).
const PLACES: usize = 100;

/// Connections for streams, so that not everything can be taken by them.
const FOR_STREAMS: usize = 64;

/// Connections for calls. Behind so many calls at once those that come wait for their turn within a connection, or are
/// kept back before (`resilience`).
const FOR_CALLS: usize = 16;

/// What a service may send ahead in a call, and in all calls together, in bytes.
const OF_CALLS: (u32, u32) = (1024 * 1024, 4 * 1024 * 1024);

/// What a service may send ahead in a stream, in bytes. There is room for that in each of them at the same time, so it
/// is less than in a call.
const OF_STREAM: u32 = 256 * 1024;

/// The connections to one endpoint. Each is made when it is first needed, and again after it breaks.
#[derive(Debug)]
pub(super) struct Connections {
    calls: Pool,
    streams: Pool,
}

/// A connection to send one call over.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) channel: Channel,
    /// The place in it, which is free again when this is dropped.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Connections {
    /// Prepares them. Needs a runtime; connects to nothing yet.
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let all = u32::try_from(PLACES).unwrap_or(u32::MAX).saturating_mul(OF_STREAM);
        let streams = Pool::new(endpoint, (OF_STREAM, all), FOR_STREAMS);
        Self { calls: Pool::new(endpoint, OF_CALLS, FOR_CALLS), streams }
    }

    /// A connection for a call that ends soon.
    pub(super) fn for_call(&self) -> Line {
        self.calls.free().unwrap_or_else(|| Line { channel: self.calls.first.clone(), place: None })
    }

    /// A connection for a stream; `None` when there are too many of them.
    pub(super) fn for_stream(&self) -> Option<Line> {
        self.streams.free()
    }
}

/// Connections of one kind. The first that has a place is taken, so that no more are in use than are needed.
#[derive(Debug)]
struct Pool {
    endpoint: Endpoint,
    most: usize,
    first: Channel,
    open: Mutex<Vec<(Channel, Arc<Semaphore>)>>,
}

impl Pool {
    fn new(endpoint: &Endpoint, (one, all): (u32, u32), most: usize) -> Self {
        let endpoint = endpoint.clone();
        let endpoint = endpoint.initial_stream_window_size(one).initial_connection_window_size(all);
        let first = endpoint.connect_lazy();
        let open = Mutex::new(vec![(first.clone(), Arc::new(Semaphore::new(PLACES)))]);
        Self { endpoint, most, first, open }
    }

    fn free(&self) -> Option<Line> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let free = open.iter().find_map(|(channel, places)| {
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            Some(Line { channel: channel.clone(), place: Some(place) })
        });
        if free.is_some() || open.len() == self.most {
            return free;
        }
        let (channel, places) = (self.endpoint.connect_lazy(), Arc::new(Semaphore::new(PLACES)));
        let place = Arc::clone(&places).try_acquire_owned().ok();
        open.push((channel.clone(), places));
        Some(Line { channel, place })
    }
}
