//! What travels through the gateway: from the client's request to the upstream call and back.
//!
//! Between the three lives (client request, RPC, upstream call) there are only [`Call`] and [`Reply`], and both
//! hold protobuf wire bytes. What happened on the way is written into the [`Journey`], which `monitoring` reads
//! when the exchange ends.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use tonic::{Code, Status};
use uuid::Uuid;

/// Identifies one exchange in logs, error bodies and the services' own logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Makes an id that nobody else has (UUIDv7).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Takes over the client's id when it is 1 to 64 letters, digits or hyphens: anything else could forge log lines.
    pub fn accept(value: &HeaderValue) -> Option<Self> {
        let value = value.to_str().ok()?;
        let fits = (1..=64).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(value.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the value of `x-request-id`.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }
}

/// The full name of an RPC, for example `user.v1.UserService/GetUser`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RpcId(Arc<str>);

impl RpcId {
    /// Names the method of a service.
    pub fn new(service: &str, method: &str) -> Self {
        Self(format!("{service}/{method}").into())
    }

    /// `package.Service/Method`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `package.Service`.
    pub fn service(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(service, _)| service)
    }
}

impl std::borrow::Borrow<str> for RpcId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is asking, as far as the gateway could prove it.
#[derive(Clone, Debug, Default)]
pub enum Principal {
    /// Nobody in particular: the request carried no credential.
    #[default]
    Anonymous,
    /// Somebody whose credential was verified.
    Known(Arc<Identity>),
}

/// What a verified credential says about its holder.
#[derive(Debug)]
pub struct Identity {
    /// The subject: for a JWT its `sub` (RFC 7519, section 4.1.2).
    pub id: String,
    /// The claim `roles`, in the token's order.
    pub roles: Vec<String>,
}

impl Principal {
    /// The subject; `None` when anonymous.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Known(identity) => Some(&identity.id),
        }
    }

    /// The roles; none when anonymous.
    pub fn roles(&self) -> &[String] {
        match self {
            Self::Anonymous => &[],
            Self::Known(identity) => &identity.roles,
        }
    }
}

/// The moment after which nobody waits for the answer any more.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The nearer of this deadline and one that far from now.
    #[must_use]
    pub fn at_most(self, duration: Duration) -> Self {
        Self(self.0.min(Instant::now() + duration))
    }

    /// The moment itself, for timers.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// One RPC to make: the same for REST, native gRPC and each call of an aggregation.
#[derive(Debug)]
pub struct Call {
    /// Which RPC.
    pub rpc: RpcId,
    /// The request message as protobuf wire bytes.
    pub message: Bytes,
    /// On whose behalf.
    pub principal: Principal,
    /// Until when an answer is of use.
    pub deadline: Deadline,
    /// Metadata for the service; what identifies the principal is added by `call`, never by the client.
    pub metadata: HeaderMap,
}

/// What came back for a [`Call`].
pub enum Reply {
    /// The one answer of a unary RPC.
    Message {
        /// The response message as protobuf wire bytes.
        message: Bytes,
        /// What the service sent beside it: headers and trailers.
        metadata: HeaderMap,
    },
    /// The answers of a server-streaming RPC; the first has not been awaited.
    Stream {
        /// The response messages as protobuf wire bytes, ended by a status when it is not OK.
        messages: BoxStream<'static, Result<Bytes, Status>>,
        /// The headers that came before the first message.
        metadata: HeaderMap,
    },
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { message, .. } => write!(f, "Message({} bytes)", message.len()),
            Self::Stream { .. } => f.write_str("Stream"),
        }
    }
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The request was wrong or not allowed.
    Client,
    /// A service failed, or could not be reached.
    Upstream,
    /// The gateway itself failed.
    Gateway,
}

/// What a failure means to the client: one row of the table in `error.rs`, filled in.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The row's name, the last part of the problem's `type`; `None` where the HTTP status says all.
    pub row: Option<&'static str>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The canonical gRPC code.
    pub code: Code,
    /// What was wrong and what to do, in words the client may read.
    pub detail: String,
    /// A machine-readable cause, for example `IDEMPOTENCY_KEY_REUSED`.
    pub reason: Option<String>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// Who is at fault.
    pub origin: Origin,
    /// An encoded `google.rpc.Status` whose details go to the client; empty when there are none.
    pub details: Bytes,
    /// Headers that the status requires, such as `Allow` or `WWW-Authenticate`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The steps of the pipeline that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding the route.
    Route,
    /// Verifying the credential.
    Authenticate,
    /// Deciding what the principal alone decides.
    Admit,
    /// Reading the body and making a message of it.
    Read,
    /// The RPC, with all its tries.
    Call,
    /// Making the client's answer.
    Render,
}

impl Step {
    /// All steps, in the order in which a request takes them.
    pub const ALL: [Self; 6] =
        [Self::Route, Self::Authenticate, Self::Admit, Self::Read, Self::Call, Self::Render];
}

/// One try to get an answer from one endpoint.
#[derive(Clone, Debug)]
pub struct Try {
    /// The endpoint's address.
    pub endpoint: Arc<str>,
    /// How it ended; `None` while it runs, and for ever when the client went away first.
    pub code: Option<Code>,
}

/// What happened to one RPC.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// Which RPC.
    pub rpc: RpcId,
    /// Its tries, oldest first.
    pub tries: Vec<Try>,
}

/// What happened to one client request, written step by step and read once at its end.
#[derive(Debug)]
pub struct Journey {
    /// The id of the exchange.
    pub request_id: RequestId,
    /// The client's address.
    pub client: IpAddr,
    /// The request's method.
    pub method: Method,
    /// The request's path without its query, which may hold secrets.
    pub path: String,
    /// The template of the route that matched.
    pub route: Option<Arc<str>>,
    /// Who asked, once known.
    pub principal: Principal,
    /// The RPCs made.
    pub calls: Vec<CallRecord>,
    /// The HTTP status sent.
    pub status: Option<StatusCode>,
    /// The canonical code of the outcome.
    pub code: Code,
    /// Who was at fault, if anyone.
    pub origin: Option<Origin>,
    /// The inner chain of a failure, for the log only.
    pub cause: Option<String>,
    /// Bytes of the answer's body that were handed to the connection.
    pub sent: u64,
    /// Whether the answer was handed over to its end.
    pub complete: bool,
    started: Instant,
    marked: Instant,
    steps: [Option<Duration>; Step::ALL.len()],
}

impl Journey {
    /// Begins a journey now.
    pub fn begin(request_id: RequestId, client: IpAddr, method: Method, path: String) -> Self {
        let now = Instant::now();
        Self {
            request_id,
            client,
            method,
            path,
            route: None,
            principal: Principal::Anonymous,
            calls: Vec::new(),
            status: None,
            code: Code::Ok,
            origin: None,
            cause: None,
            sent: 0,
            complete: false,
            started: now,
            marked: now,
            steps: [None; Step::ALL.len()],
        }
    }

    /// Notes that a step has ended: it took the time since the step before.
    pub fn mark(&mut self, step: Step) {
        let now = Instant::now();
        self.steps[step as usize] = Some(now - self.marked);
        self.marked = now;
    }

    /// How long a step took; `None` when the request did not come that far.
    pub fn took(&self, step: Step) -> Option<Duration> {
        self.steps[step as usize]
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
