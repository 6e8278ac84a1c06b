//! A stream that a test feeds while it runs.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::Code;

use super::answer::frame;
use super::schema::encode;

/// The messages of one call, or of the next ones too when they are always the same.
#[derive(Clone)]
pub(crate) struct Feed {
    source: Source,
    taken: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Source {
    Test(UnboundedSender<Frame<Bytes>>, Arc<Mutex<Option<UnboundedReceiver<Frame<Bytes>>>>>),
    Same(Bytes, usize),
}

impl Feed {
    /// Nothing yet. It serves one call.
    pub(crate) fn new() -> Self {
        let (sender, receiver) = unbounded_channel();
        let source = Source::Test(sender, Arc::new(Mutex::new(Some(receiver))));
        Self { source, taken: Arc::default() }
    }

    /// The same message many times, made only when it is taken.
    pub(crate) fn repeating(message: &[u8], times: usize) -> Self {
        Self { source: Source::Same(frame(message).into(), times), taken: Arc::default() }
    }

    /// Sends a dish.
    pub(crate) fn dish(&self, json: &Value) {
        self.wire(&encode("Dish", json));
    }

    /// Sends a message as wire bytes, whatever they are.
    pub(crate) fn wire(&self, message: &[u8]) {
        self.send(Frame::data(frame(message).into()));
    }

    /// Ends with a status.
    pub(crate) fn end(&self, code: Code, text: &str) {
        let status = HeaderValue::from(code as i32);
        self.send(Frame::trailers(HeaderMap::from_iter([
            (HeaderName::from_static("grpc-status"), status),
            (HeaderName::from_static("grpc-message"), text.parse().unwrap()),
        ])));
    }

    /// How many messages the connection has taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    fn send(&self, frame: Frame<Bytes>) {
        let Source::Test(sender, _) = &self.source else { panic!("this feed feeds itself") };
        sender.send(frame).unwrap();
    }

    pub(super) fn frames(self) -> BoxStream<'static, Frame<Bytes>> {
        let taken = self.taken;
        let frames = match self.source {
            Source::Test(_, receiver) => {
                let receiver = receiver.lock().unwrap().take();
                let receiver = receiver.unwrap_or_else(|| panic!("a feed serves one call"));
                stream::unfold(receiver, async |mut receiver| {
                    Some((receiver.recv().await?, receiver))
                })
                .boxed()
            }
            Source::Same(frame, times) => {
                stream::iter((0..times).map(move |_| Frame::data(frame.clone()))).boxed()
            }
        };
        // Behind trailers nothing follows.
        frames
            .scan(false, move |ended, frame| {
                taken.fetch_add(1, Relaxed);
                let frame = (!*ended).then_some(frame);
                *ended = frame.as_ref().is_none_or(Frame::is_trailers);
                async { frame }
            })
            .boxed()
    }
}
