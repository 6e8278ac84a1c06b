//! What hyper makes of the bytes of a request, and what the check says to that.

use http::Request;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::{Insane, check};

/// What the check says to a request; `None` when hyper has refused it before.
type Seen = Option<Result<(), Insane>>;

/// Lets hyper make a request of these bytes.
async fn check_raw(request: &[u8]) -> Seen {
    let (mut client, server) = tokio::io::duplex(4096);
    let (verdicts, mut verdict) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        verdicts.send(check(&request.into_parts().0)).unwrap();
        async { Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<Bytes>::new())) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let exchange = async {
        client.write_all(request).await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let (_, ()) = tokio::join!(connection, exchange);
    verdict.try_recv().ok()
}

#[tokio::test]
async fn sees_what_the_http_library_lets_through() {
    let table: [(&[u8], Seen); 16] = [
        (b"GET /a HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Ok(()))),
        (b"GET /a HTTP/1.1\r\n\r\n", Some(Err(Insane::NoHost))),
        (b"GET /a HTTP/1.0\r\n\r\n", Some(Err(Insane::NoHost))),
        (b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", Some(Err(Insane::BadHost))),
        (b"GET /a HTTP/1.1\r\nHost: gw\r\nHost: gw\r\n\r\n", Some(Err(Insane::SeveralHosts))),
        (b"GET /a HTTP/1.1\r\nHost: gw\r\nhOST: evil\r\n\r\n", Some(Err(Insane::SeveralHosts))),
        (b"GET admin HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::NotOriginForm))),
        (b"GET http://evil/a HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::NotOriginForm))),
        (b"OPTIONS * HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::NotOriginForm))),
        (b"CONNECT user:50051 HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::RefusedMethod))),
        (b"FOO /a HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::UnknownMethod))),
        (b"GET /a\\..\\b HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::Backslash))),
        (b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Err(Insane::NotAscii))),
        (b"GET /a\x01b HTTP/1.1\r\nHost: gw\r\n\r\n", None),
        (b"GET /\xc0\xae HTTP/1.1\r\nHost: gw\r\n\r\n", None),
        (b"GET /a#/../b HTTP/1.1\r\nHost: gw\r\n\r\n", Some(Ok(()))),
    ];
    for (request, expected) in table {
        assert_eq!(check_raw(request).await, expected, "{}", request.escape_ascii());
    }
}
