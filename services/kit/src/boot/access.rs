//! What wraps every call: its request id, its deadline, the length of its messages, its one line in the log, and a net
//! under its panics.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, service::Routes};
use tower_service::Service;
use tracing::Instrument as _;

use super::message_size::Bounded;
use crate::{caller, faults::Faults, ids};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long an RPC may take to its first message when the client didn't say.
const LONGEST_RPC: Duration = Duration::from_secs(30);
/// tonic has a timer of its own on `grpc-timeout`, whose answer is CANCELLED. Ours is a little earlier and says
/// `DEADLINE_EXCEEDED`.
const AHEAD: Duration = Duration::from_millis(5);

/// Bytes of a field of the log.
const LONGEST_FIELD: usize = 128;

/// Wraps the routes of a service.
#[derive(Clone, Debug)]
pub(super) struct Access {
    routes: Routes,
    faults: Option<Faults>,
}

impl Access {
    /// Wraps them, with faults in front of them when there may be any.
    pub(super) fn new(routes: Routes, faults: Option<Faults>) -> Self {
        Self { routes, faults }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for Access {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        let line = Line::of(&mut request);
        let span = tracing::info_span!("rpc", request_id = line.request_id);
        let limit = time_limit(request.headers());
        let request = if is_grpc(request.headers()) { request.map(Bounded::body) } else { request };
        let (answer, faults) = (self.routes.call(request), self.faults.clone());
        let rpc = line.rpc.clone();
        let work = async move {
            if let Some(faults) = faults
                && let Err(fault) = faults.befall(&rpc).await
            {
                return Ok(fault.into_http());
            }
            answer.await
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        Box::pin(
            async move {
                let response = match tokio::time::timeout(limit, work).await {
                    Ok(Ok(Ok(response))) => response,
                    Ok(Err(_panic)) => Status::internal("internal error").into_http(),
                    Err(_late) => Status::deadline_exceeded("the deadline has passed").into_http(),
                };
                Ok(line.watch(response))
            }
            .instrument(span),
        )
    }
}

pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(http::header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn time_limit(headers: &HeaderMap) -> Duration {
    caller::time_left(headers)
        .map_or(LONGEST_RPC, |asked| asked.saturating_sub(AHEAD).min(LONGEST_RPC))
}

/// The access log's line about one call. It is written when the call has ended, however it ended.
struct Line {
    request_id: String,
    principal: String,
    rpc: String,
    begin: Instant,
    /// What the headers or the trailers say; a call that is given up before has none.
    code: Option<String>,
}

impl Line {
    /// Gives a request without a proper id its own, so that the line and the handler agree on it.
    fn of(request: &mut Request<Body>) -> Self {
        let request_id = caller::request_id(request.headers()).unwrap_or_else(|| {
            let fresh = ids::fresh();
            if let Ok(value) = HeaderValue::from_str(&fresh) {
                request.headers_mut().insert(REQUEST_ID, value);
            }
            fresh
        });
        let principal = caller::principal(request.headers()).unwrap_or_default();
        let rpc = cut(request.uri().path().trim_start_matches('/'));
        Self { request_id: cut(&request_id), principal, rpc, begin: Instant::now(), code: None }
    }

    fn watch(mut self, response: Response<Body>) -> Response<Body> {
        self.code = if is_grpc(response.headers()) {
            code(response.headers())
        } else {
            Some(response.status().as_u16().to_string())
        };
        response.map(|body| Body::new(Watched { body, line: self }))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { request_id, principal, rpc, begin, code } = self;
        let code = code.as_deref().unwrap_or("CANCELLED");
        let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Whoever balances load asks for health all day long.
        if rpc.starts_with("grpc.") {
            tracing::debug!(target: "access", parent: None, request_id, principal, rpc, code, micros);
        } else {
            tracing::info!(target: "access", parent: None, request_id, principal, rpc, code, micros);
        }
    }
}

/// A body that tells the line how the call ended.
struct Watched {
    body: Body,
    line: Line,
}

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(trailers) =
            frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::trailers_ref)
        {
            self.line.code = code(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a client made up is not logged at any length.
fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST_FIELD)).unwrap_or_default().to_owned()
}

fn code(headers: &HeaderMap) -> Option<String> {
    headers.get("grpc-status").map(|value| name(Code::from_bytes(value.as_bytes())).to_owned())
}

/// The canonical name of a code, as the gateway's log and google.rpc.Code write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use proto::product::v1::{
        ReleaseStockRequest, ReleaseStockResponse, Reservation, ReserveStockRequest,
        SellStockRequest, SellStockResponse,
        stock_service_client::StockServiceClient,
        stock_service_server::{StockService, StockServiceServer},
    };
    use tonic::metadata::MetadataValue;

    use super::*;

    /// Reserving never ends, releasing takes ten seconds.
    struct Slow;

    #[tonic::async_trait]
    impl StockService for Slow {
        async fn reserve_stock(
            &self,
            _: tonic::Request<ReserveStockRequest>,
        ) -> Result<tonic::Response<Reservation>, Status> {
            std::future::pending().await
        }

        async fn release_stock(
            &self,
            _: tonic::Request<ReleaseStockRequest>,
        ) -> Result<tonic::Response<ReleaseStockResponse>, Status> {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Ok(tonic::Response::new(ReleaseStockResponse {}))
        }

        async fn sell_stock(
            &self,
            _: tonic::Request<SellStockRequest>,
        ) -> Result<tonic::Response<SellStockResponse>, Status> {
            Err(Status::unimplemented("not here"))
        }
    }

    /// A client without a network, and so without a timer of its own.
    fn client() -> StockServiceClient<Access> {
        StockServiceClient::new(Access::new(Routes::new(StockServiceServer::new(Slow)), None))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_the_deadline_of_its_caller_or_at_ours() {
        for (timeout, millis) in
            [("700m", 695), ("3m", 0), ("", 30_000), ("1H", 30_000), ("soon", 30_000)]
        {
            let mut request = tonic::Request::new(ReserveStockRequest::default());
            if !timeout.is_empty() {
                request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static(timeout));
            }
            let begin = Instant::now();
            let late = client().reserve_stock(request).await.unwrap_err();
            assert_eq!(late.code(), Code::DeadlineExceeded, "{timeout}");
            let took = begin.elapsed().as_millis();
            assert!((millis..millis + 2).contains(&took), "{timeout}: {took} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_ends_in_time_is_let_be() {
        let mut request = tonic::Request::new(ReleaseStockRequest::default());
        request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("11S"));
        client().release_stock(request).await.unwrap();
    }
}
