//! One connection: HTTP/1.1 or HTTP/2, with the limits that the libraries leave open.

use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;

use super::first_bytes::FirstBytes;
use crate::context::BoxError;

/// How long a client may take to say which protocol it speaks, and to send the head of each HTTP/1.1 request.
const HEAD: Duration = Duration::from_secs(10);

/// The largest request head of HTTP/1.1, and the largest header list of HTTP/2, in bytes.
const HEADERS: u32 = 32 * 1024;

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// The settings of all connections. A limit needs its timer: without one hyper ignores it.
pub(super) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEADERS as usize)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_send_buf_size(256 * 1024);
    builder
}

/// Serves one connection to its end.
pub(super) fn serve<S, B>(
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    service: S,
) -> impl GracefulConnection<Output = Result<(), BoxError>, Error = BoxError> + Send + use<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    builder
        .serve_connection(TokioIo::new(Box::pin(FirstBytes::new(stream, HEAD))), service)
        .into_owned()
}
