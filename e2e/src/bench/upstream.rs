//! The service behind everybody: it knows the right request of each shape and answers at once.
//!
//! The shop's own services would spend more on reading a database than any gateway spends on a request, on the same
//! processors. This one costs little, always the same, and refuses a request that is not the one it expects, so that
//! nobody is measured while forwarding the wrong thing.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic::Code;

use super::AnyError;
use super::shape::Shape;

/// By path, the request that is expected and the answer to it.
type Answers = HashMap<String, (Bytes, Bytes)>;

/// Listens on each of `addresses` until the runtime ends.
pub(super) async fn serve(addresses: &[SocketAddr], shapes: &[Shape]) -> Result<(), AnyError> {
    let answers: Answers = shapes
        .iter()
        .map(|shape| (format!("/{}", shape.rpc), (shape.request.clone(), shape.answer.clone())))
        .collect();
    let answers = Arc::new(answers);
    for address in addresses {
        let listener = TcpListener::bind(address).await?;
        tokio::spawn(accept(listener, Arc::clone(&answers)));
    }
    Ok(())
}

async fn accept(listener: TcpListener, answers: Arc<Answers>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Without it an answer waits for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&answers)));
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let server = server.max_concurrent_streams(1024);
            // A broken connection is the caller's business.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: Arc<Answers>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let message = body.collect().await?.to_bytes();
    let (code, body) = match answers.get(head.uri.path()) {
        Some((expected, answer)) if *expected == message => (Code::Ok, answer.clone()),
        Some(_) => (Code::InvalidArgument, Bytes::new()),
        None => (Code::Unimplemented, Bytes::new()),
    };
    let trailers = HeaderMap::from_iter([(status_header(), HeaderValue::from(i32::from(code)))]);
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) }).boxed();
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Where gRPC says how a call ended.
pub(super) fn status_header() -> http::HeaderName {
    http::HeaderName::from_static("grpc-status")
}
