//! The connections to one endpoint: one for calls, and as many as are needed for streams.
//!
//! Calls end soon, and their answers are read as they come. A stream may stay for an hour and be read by a client that
//! takes its time. What would make it the trouble of everybody else is what all on one connection share (RFC 9113,
//! sections 5.1.2 and 5.2): how many there may be at once, and the window of the connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::{Channel, Endpoint};

/// Streams at once over one connection: no server should take fewer (RFC 9113, section 6.5.2).
const STREAMS: usize = 100;

/// Connections for streams, so that not everything can be taken by them.
const CONNECTIONS: usize = 64;

/// What a service may send ahead in a call, and in all calls together, in bytes.
const CALLS: (u32, u32) = (1024 * 1024, 4 * 1024 * 1024);

/// What a service may send ahead in a stream, in bytes. There is room for that in each of them at the same time, so it
/// is less than in a call.
const AHEAD: u32 = 256 * 1024;

/// The connections to one endpoint. Each is made when it is first needed, and again after it breaks.
#[derive(Debug)]
pub(super) struct Connections {
    endpoint: Endpoint,
    calls: Channel,
    streams: Mutex<Vec<(Channel, Arc<Semaphore>)>>,
}

/// A connection to send one call over.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) channel: Channel,
    /// The place of a stream, which is free again when this is dropped.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Connections {
    /// Prepares them. Needs a runtime; connects to nothing yet.
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let calls = lazily(endpoint.clone(), CALLS);
        Self { endpoint, calls, streams: Mutex::default() }
    }

    /// A connection for a call that ends soon.
    pub(super) fn for_call(&self) -> Line {
        Line { channel: self.calls.clone(), place: None }
    }

    /// A connection for a stream; `None` when there are too many of them.
    pub(super) fn for_stream(&self) -> Option<Line> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let free = streams.iter().find_map(|(channel, places)| {
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            Some(Line { channel: channel.clone(), place: Some(place) })
        });
        if free.is_some() || streams.len() == CONNECTIONS {
            return free;
        }
        let all = u32::try_from(STREAMS).unwrap_or(u32::MAX).saturating_mul(AHEAD);
        let channel = lazily(self.endpoint.clone(), (AHEAD, all));
        let places = Arc::new(Semaphore::new(STREAMS));
        let place = Arc::clone(&places).try_acquire_owned().ok();
        streams.push((channel.clone(), places));
        Some(Line { channel, place })
    }
}

fn lazily(endpoint: Endpoint, (one, all): (u32, u32)) -> Channel {
    endpoint.initial_stream_window_size(one).initial_connection_window_size(all).connect_lazy()
}
