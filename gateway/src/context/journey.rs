//! What happened to one client request: written step by step, read once at its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use tonic::Code;

use super::{Counted, Origin, Principal, Reply, RequestId, RpcId, StreamRecord};

/// The steps of the pipeline that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Finding the route.
    Route,
    /// Counting the request by its address.
    LimitAddress,
    /// Verifying the credential.
    Authenticate,
    /// Counting the request by its principal.
    LimitPrincipal,
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
    pub(crate) const ALL: [Self; 8] = [
        Self::Route,
        Self::LimitAddress,
        Self::Authenticate,
        Self::LimitPrincipal,
        Self::Admit,
        Self::Read,
        Self::Call,
        Self::Render,
    ];
}

/// One try to get an answer from one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// The endpoint's address.
    pub(crate) endpoint: Arc<str>,
    /// How it ended; `None` while it runs, and for ever when the deadline or the client ended it.
    pub(crate) code: Option<Code>,
    /// What came of its failure, when it was one that another try might mend.
    pub(crate) then: Option<Then>,
}

/// Why a call was made again after a try that failed, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It was, after a while.
    Again,
    /// It was at once, at another endpoint: this one had got nothing of it.
    Elsewhere,
    /// To do it twice is not like doing it once.
    Unsafe,
    /// There are no attempts left.
    Attempts,
    /// The upstream's retries have used their share of its traffic.
    Budget,
    /// The deadline would come first.
    Deadline,
    /// No other endpoint can take it.
    Endpoints,
    /// The service asked for none.
    Pushback,
}

/// What happened to one RPC.
#[derive(Clone, Debug)]
pub(crate) struct CallRecord {
    /// Which RPC.
    pub(crate) rpc: RpcId,
    /// Its tries, oldest first.
    pub(crate) tries: Vec<Try>,
    /// Why its rule kept the request or the answer back, when it did.
    pub(crate) denied: Option<Denial>,
}

/// How a rule came to say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It was decided.
    Refused,
    /// It could not be decided: a message was malformed.
    Undecided,
}

/// The record of one client request.
#[derive(Debug)]
pub(crate) struct Journey {
    /// The id of the exchange.
    pub(crate) request_id: RequestId,
    /// The trace it belongs to (W3C Trace Context): 32 hexadecimal digits.
    pub(crate) trace_id: String,
    /// What the services are told about the trace.
    pub(crate) trace_parent: HeaderValue,
    /// The client's address, as far as the proxies in front of the gateway are trusted to know it.
    pub(crate) client: IpAddr,
    /// The request's method.
    pub(crate) method: Method,
    /// The request's path without its query, which may hold secrets.
    pub(crate) path: String,
    /// The template of the route that matched.
    pub(crate) route: Option<Arc<str>>,
    /// Who asked, once known.
    pub(crate) principal: Principal,
    /// What limits have counted.
    pub(crate) limits: Counted,
    /// The RPCs made.
    pub(crate) calls: Vec<CallRecord>,
    /// What happens to the stream that is the answer, when it is one.
    pub(crate) stream: Option<Arc<StreamRecord>>,
    /// The HTTP status sent.
    pub(crate) status: Option<StatusCode>,
    /// The canonical code of the outcome.
    pub(crate) code: Code,
    /// Who was at fault, if anyone.
    pub(crate) origin: Option<Origin>,
    /// The inner chain of a failure, for the log only.
    pub(crate) cause: Option<String>,
    /// Bytes of the answer's body that were handed to the connection.
    pub(crate) sent: u64,
    /// Whether the answer was handed over to its end.
    pub(crate) complete: bool,
    started: Instant,
    marked: Instant,
    steps: [Option<Duration>; Step::ALL.len()],
}

impl Journey {
    /// Begins a journey now.
    pub(crate) fn begin(
        request_id: RequestId,
        (trace_id, trace_parent): (String, HeaderValue),
        client: IpAddr,
        method: Method,
        path: String,
    ) -> Self {
        let now = Instant::now();
        Self {
            request_id,
            trace_id,
            trace_parent,
            client,
            method,
            path,
            route: None,
            principal: Principal::Anonymous,
            limits: Counted::default(),
            calls: Vec::new(),
            stream: None,
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

    /// Begins the record of an RPC.
    pub(crate) fn call(&mut self, rpc: RpcId) -> &mut CallRecord {
        self.calls.push_mut(CallRecord { rpc, tries: Vec::new(), denied: None })
    }

    /// Begins the record of a stream, when the reply is one.
    pub(crate) fn counting(&mut self, reply: Reply) -> Reply {
        let Reply::Stream { messages, metadata } = reply else { return reply };
        let record = Arc::clone(self.stream.get_or_insert_default());
        Reply::Stream { messages: record.counting(messages), metadata }
    }

    /// How it ended. A client that went away is the canonical code CANCELLED, whatever was about to be sent.
    pub(crate) fn outcome(&self) -> (Code, Option<Origin>, Option<&str>) {
        if let Some(failure) = self.stream.as_deref().and_then(StreamRecord::failure) {
            return (failure.code, Some(failure.origin), Some(&failure.cause));
        }
        let code = if self.complete { self.code } else { Code::Cancelled };
        (code, self.origin, self.cause.as_deref())
    }

    /// How a rule came to say no, when one did: to a call, or to a message of a stream.
    pub(crate) fn denied(&self) -> Option<Denial> {
        let of_stream = || self.stream.as_deref()?.failure()?.denied;
        self.calls.iter().find_map(|call| call.denied).or_else(of_stream)
    }

    /// Notes that a step has ended: it took the time since the step before.
    pub(crate) fn mark(&mut self, step: Step) {
        let now = Instant::now();
        if let Some(slot) = self.steps.get_mut(step as usize) {
            *slot = Some(now - self.marked);
        }
        self.marked = now;
    }

    /// How long a step took; `None` when the request did not come that far.
    pub(crate) fn took(&self, step: Step) -> Option<Duration> {
        self.steps.get(step as usize).copied().flatten()
    }

    /// The time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
