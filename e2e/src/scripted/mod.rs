//! A gRPC server that a test writes itself, and one that only looks on: both tell exactly what the gateway sent.
//!
//! It speaks HTTP/2 by hand (hyper), so it shares no code with the services or the gateway.

mod pieces;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Code;

pub use pieces::Piece;
use pieces::{Pieces, status};

/// The length of what stands before each message on the wire: a flag and four bytes of length.
const FRAME_HEAD: usize = 5;

/// What balancers ask; a service that answers nothing to it is taken for a sick one.
const HEALTH: &str = "grpc.health.v1.Health/Check";

/// `SERVING` as a `HealthCheckResponse`.
const SERVING: &[u8] = &[8, 1];

/// What a scripted service answers.
#[derive(Clone, Debug)]
pub struct Script {
    /// The status of the call.
    pub code: Code,
    /// The text beside the status.
    pub text: String,
    /// The message as wire bytes; absent when the call fails.
    pub message: Option<Bytes>,
    /// More metadata, sent before the message.
    pub metadata: Vec<(&'static str, String)>,
    /// More metadata, sent behind it with the status.
    pub trailers: Vec<(&'static str, String)>,
}

impl Script {
    /// Success with a message.
    pub fn ok(message: impl Into<Bytes>) -> Self {
        Self { message: Some(message.into()), ..Self::error(Code::Ok, "") }
    }

    /// A failure.
    pub fn error(code: Code, text: &str) -> Self {
        Self {
            code,
            text: text.to_owned(),
            message: None,
            metadata: Vec::new(),
            trailers: Vec::new(),
        }
    }
}

/// One call as it went over the wire.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The RPC: `order.v1.OrderService/CreateOrder`.
    pub rpc: String,
    /// Everything the caller sent before the message.
    pub headers: HeaderMap,
    /// The request message as wire bytes.
    pub message: Bytes,
    /// The gRPC status of the answer as a number in text; `none` when the answer streams.
    pub status: String,
    /// The answer's message as wire bytes; empty when the call failed or its answer streams.
    pub answer: Bytes,
}

impl Exchange {
    /// A header of the call as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// A service that answers what `script` says to (RPC, message).
    pub async fn answering(
        script: impl Fn(&str, &Bytes) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::start(Behind::Script(Arc::new(script))).await
    }

    /// A service that answers (RPC, message) with a stream, which the other end of what `script` answers writes.
    pub async fn streaming(
        script: impl Fn(&str, &Bytes) -> mpsc::Receiver<Piece> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Behind::Stream(Arc::new(script))).await
    }

    /// A window on a real service: passes every call on unchanged. Unary calls only.
    pub async fn before(service: SocketAddr) -> Self {
        Self::start(Behind::Service(service)).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The calls whose answers were begun so far, oldest first; questions after its health left out.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let all = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|exchange| exchange.rpc != HEALTH).cloned().collect()
    }

    async fn start(behind: Behind) -> Self {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("can't listen: {error}"),
        };
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("a listener has an address: {error}"));
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, behind, Arc::clone(&exchanges)));
        Self { address, exchanges, task }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answers = dyn Fn(&str, &Bytes) -> Script + Send + Sync;
type Streams = dyn Fn(&str, &Bytes) -> mpsc::Receiver<Piece> + Send + Sync;
type AnyError = Box<dyn std::error::Error + Send + Sync>;
type Body = BoxBody<Bytes, Infallible>;

#[derive(Clone)]
enum Behind {
    Script(Arc<Answers>),
    Stream(Arc<Streams>),
    Service(SocketAddr),
}

async fn accept(listener: TcpListener, behind: Behind, exchanges: Arc<Mutex<Vec<Exchange>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Like every server of gRPC: what fills a window must not wait for an acknowledgement.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (behind, exchanges) = (behind.clone(), Arc::clone(&exchanges));
        tokio::spawn(async move {
            let answer =
                service_fn(move |request| answer(request, behind.clone(), Arc::clone(&exchanges)));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A broken connection is the caller's business.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    behind: Behind,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
) -> Result<Response<Body>, AnyError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let rpc = head.uri.path().trim_start_matches('/').to_owned();
    let message = unframed(&body);

    let (headers, status, answer, body) = match behind {
        Behind::Script(_) | Behind::Stream(_) if rpc == HEALTH => {
            scripted(Script::ok(SERVING)).parts()
        }
        Behind::Script(script) => scripted(script(&rpc, &message)).parts(),
        Behind::Stream(script) => {
            let pieces = Pieces(script(&rpc, &message));
            (grpc_headers(), None, Bytes::new(), pieces.boxed())
        }
        Behind::Service(service) => forwarded(service, &head, body).await?.parts(),
    };
    let status = status.unwrap_or(HeaderValue::from_static("none"));
    let exchange = Exchange {
        rpc,
        headers: head.headers,
        message,
        status: String::from_utf8_lossy(status.as_bytes()).into_owned(),
        answer,
    };
    exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);

    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// A whole answer; without trailers the status stands in the headers ("trailers only").
struct Whole {
    headers: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

impl Whole {
    fn status(&self) -> Option<&HeaderValue> {
        self.trailers
            .as_ref()
            .and_then(|trailers| trailers.get("grpc-status"))
            .or(self.headers.get("grpc-status"))
    }

    /// Headers, status, message, and all of it as a body.
    fn parts(self) -> (HeaderMap, Option<HeaderValue>, Bytes, Body) {
        let (status, message) = (self.status().cloned(), unframed(&self.body));
        let trailers = self.trailers;
        let body = Full::new(self.body).with_trailers(async move { trailers.map(Ok) }).boxed();
        (self.headers, status, message, body)
    }
}

fn grpc_headers() -> HeaderMap {
    let kind = HeaderValue::from_static("application/grpc");
    HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind)])
}

fn scripted(script: Script) -> Whole {
    let (mut headers, mut trailers) = (grpc_headers(), status(script.code, &script.text));
    add(&mut headers, script.metadata);
    add(&mut trailers, script.trailers);
    let body = script.message.map(|message| framed(&message)).unwrap_or_default();
    Whole { headers, body, trailers: Some(trailers) }
}

fn add(metadata: &mut HeaderMap, more: Vec<(&'static str, String)>) {
    for (name, value) in more {
        let value = value.parse().unwrap_or_else(|error| panic!("metadata {name}: {error}"));
        metadata.insert(name, value);
    }
}

async fn forwarded(
    service: SocketAddr,
    head: &http::request::Parts,
    body: Bytes,
) -> Result<Whole, AnyError> {
    let stream = TokioIo::new(TcpStream::connect(service).await?);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    tokio::spawn(connection);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("http://{service}{path}").parse()?;
    let mut request = Request::post(uri).body(Full::new(body))?;
    *request.headers_mut() = head.headers.clone();

    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    Ok(Whole { headers: head.headers, body: body.to_bytes(), trailers })
}

/// One message as gRPC sends it, uncompressed.
pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], length.to_be_bytes().as_slice(), message].concat().into()
}

fn unframed(body: &Bytes) -> Bytes {
    if body.len() < FRAME_HEAD { Bytes::new() } else { body.slice(FRAME_HEAD..) }
}
