//! A gRPC server that answers what a test says, and tells what it saw.
//!
//! It speaks HTTP/2 by hand, so that it can also answer what no gRPC library would.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt as _, future, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::answer::Answer;
use super::feed::Feed;
use super::schema::decode;
use super::soon;

/// One call as the service saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `package.Service/Method`.
    pub(crate) rpc: String,
    /// All metadata.
    pub(crate) headers: HeaderMap,
    /// The message as wire bytes.
    pub(crate) message: Bytes,
    /// By which name it was called.
    pub(crate) authority: String,
}

impl Seen {
    /// The one value of a piece of metadata.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() < 2, "{name} is there several times: {values:?}");
        values.first().map(|value| value.to_str().unwrap())
    }

    /// The message as JSON.
    pub(crate) fn json(&self, message: &str) -> Value {
        decode(message, &self.message)
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    memory: Arc<Memory>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Memory {
    seen: watch::Sender<Vec<Seen>>,
    cancelled: watch::Sender<usize>,
    connections: AtomicUsize,
    health: Mutex<Health>,
}

/// What it says of its health, and what it was asked.
struct Health {
    answer: Answer,
    asked: Vec<Bytes>,
}

impl Default for Health {
    fn default() -> Self {
        Self { answer: Answer::error(tonic::Code::Unimplemented, ""), asked: Vec::new() }
    }
}

type Script = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

impl Upstream {
    /// A service that answers what the script says.
    pub(crate) async fn answering(
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    /// A service at this very address.
    pub(crate) async fn at(
        address: &str,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::try_at(address, script).await.unwrap()
    }

    /// The same, if the address is free.
    pub(crate) async fn try_at(
        address: &str,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let memory = Arc::new(Memory::default());
        let task = tokio::spawn(accept(listener, Arc::new(script), Arc::clone(&memory)));
        Ok(Self { address, memory, task })
    }

    /// A service that answers every call with an empty message, which is one of every type.
    pub(crate) async fn content() -> Self {
        Self::answering(|_| Answer::wire(b"")).await
    }

    /// Its address as the configuration spells it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.memory.seen.borrow().clone()
    }

    /// The one call there was; the next one is the one again.
    pub(crate) fn only_call(&self) -> Seen {
        let mut seen = self.memory.seen.send_replace(Vec::new());
        assert_eq!(seen.len(), 1, "one call expected: {seen:#?}");
        seen.remove(0)
    }

    /// Nothing reached it.
    pub(crate) fn saw_nothing(&self) {
        assert!(self.seen().is_empty(), "no call expected: {:#?}", self.seen());
    }

    /// Forgets what it saw.
    pub(crate) fn forget(&self) {
        self.memory.seen.send_replace(Vec::new());
    }

    /// Answers this when it is asked how it is; at first it knows no such question.
    pub(crate) fn is_as_well_as(&self, answer: Answer) {
        self.memory.health.lock().unwrap().answer = answer;
    }

    /// What it was asked about how it is, as messages.
    pub(crate) fn checks(&self) -> Vec<Bytes> {
        self.memory.health.lock().unwrap().asked.clone()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.memory.connections.load(Relaxed)
    }

    /// Waits until that many calls have come.
    pub(crate) async fn called(&self, times: usize) {
        let mut seen = self.memory.seen.subscribe();
        let enough = seen.wait_for(|seen| seen.len() >= times);
        drop(soon("calls of the service", enough).await.unwrap());
    }

    /// Waits until that many calls were cancelled before they were answered to the end.
    pub(crate) async fn cancelled(&self, times: usize) {
        let mut cancelled = self.memory.cancelled.subscribe();
        let enough = cancelled.wait_for(|cancelled| *cancelled >= times);
        drop(soon("the cancellation of a call", enough).await.unwrap());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, script: Script, memory: Arc<Memory>) {
    // Connections end with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Like every server of gRPC: what fills a window must not wait for an acknowledgement.
        stream.set_nodelay(true).unwrap();
        memory.connections.fetch_add(1, Relaxed);
        let (script, memory) = (Arc::clone(&script), Arc::clone(&memory));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                answer(request, Arc::clone(&script), Arc::clone(&memory))
            });
            let server = http2::Builder::new(TokioExecutor::new());
            let _broken = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn answer(
    request: Request<Incoming>,
    script: Script,
    memory: Arc<Memory>,
) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    let rpc = head.uri.path().trim_start_matches('/').to_owned();
    let body = body.collect().await?.to_bytes();
    let message = if body.len() < 5 { Bytes::new() } else { body.slice(5..) };
    let authority = head.uri.authority().map(ToString::to_string).unwrap_or_default();
    let seen = Seen { rpc, headers: head.headers, message, authority };
    if seen.rpc == "grpc.health.v1.Health/Check" {
        let answer = {
            let mut health = memory.health.lock().unwrap();
            health.asked.push(seen.message);
            health.answer.clone()
        };
        if let Some(latch) = &answer.latch {
            latch.opened().await;
        }
        return Ok(rendered(answer, None));
    }
    let answer = script(&seen);
    memory.seen.send_modify(|all| all.push(seen));
    let mut unfinished = Unfinished { memory, finished: false };
    if let Some(latch) = &answer.latch {
        latch.opened().await;
    }
    unfinished.finished = answer.ends && answer.feed.is_none();
    Ok(rendered(answer, Some(unfinished)))
}

fn rendered(answer: Answer, mut unfinished: Option<Unfinished>) -> Response<Body> {
    let data = (!answer.body.is_empty()).then(|| Frame::data(answer.body));
    let feed = answer.feed.map_or_else(|| stream::empty().boxed(), Feed::frames);
    let trailers = answer.trailers.map(Frame::trailers);
    let end = stream::once(async move {
        if !answer.ends {
            future::pending::<()>().await;
        }
        trailers
    });
    let frames = stream::iter(data).chain(feed).chain(end.filter_map(future::ready));
    let frames = frames.map(move |frame| {
        if let Some(unfinished) = &mut unfinished {
            unfinished.finished |= frame.is_trailers();
        }
        Ok(frame)
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = answer.status.try_into().unwrap();
    *response.headers_mut() = answer.headers;
    response
}

/// Counts as a cancellation when it is dropped before its end.
struct Unfinished {
    memory: Arc<Memory>,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            self.memory.cancelled.send_modify(|count| *count += 1);
        }
    }
}
