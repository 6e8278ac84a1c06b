//! Many clients who ask one thing after the other and look at every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::AnyError;
use super::contestant::{Contestant, Dialect};
use super::shape::Shape;
use super::upstream::status_header;

/// Who asks.
#[derive(Debug)]
pub(super) struct Load {
    /// How many connections there are; each waits for its answer before it asks again.
    pub(super) connections: u16,
    /// What requests are signed with.
    pub(super) token: String,
}

impl Load {
    /// Begins to ask.
    pub(super) fn start(&self, shape: &Shape, of: &Contestant) -> Result<Running, AnyError> {
        let dialect = of.kind.dialect();
        let question = Arc::new(Question {
            request: request(dialect, shape, of, &self.token)?,
            dialect,
            address: of.address,
            shape: shape.clone(),
            answered: AtomicU64::new(0),
            enough: AtomicBool::new(false),
        });
        let mut clients = JoinSet::new();
        for _ in 0..self.connections {
            clients.spawn(ask(Arc::clone(&question)));
        }
        let name = format!("{} ({})", of.kind.name(), shape.name);
        Ok(Running { question, clients, name })
    }
}

/// A load that goes on until it is stopped.
pub(super) struct Running {
    question: Arc<Question>,
    clients: JoinSet<Result<(), AnyError>>,
    name: String,
}

impl Running {
    /// How many right answers have come.
    pub(super) fn answered(&self) -> u64 {
        self.question.answered.load(Ordering::Relaxed)
    }

    /// Waits for `time`, or for the first wrong answer.
    pub(super) async fn go_on(&mut self, time: impl Future<Output = ()>) -> Result<(), AnyError> {
        tokio::select! {
            () = time => Ok(()),
            ended = self.clients.join_next() => self.judge(ended.transpose()?.unwrap_or(Ok(()))),
        }
    }

    /// Ends it when every client has its answer.
    pub(super) async fn stop(mut self) -> Result<(), AnyError> {
        self.question.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            self.judge(ended?)?;
        }
        Ok(())
    }

    fn judge(&self, ended: Result<(), AnyError>) -> Result<(), AnyError> {
        ended.map_err(|error| format!("{}: {error}", self.name).into())
    }
}

struct Question {
    request: Request<Full<Bytes>>,
    dialect: Dialect,
    address: SocketAddr,
    shape: Shape,
    answered: AtomicU64,
    enough: AtomicBool,
}

fn request(
    dialect: Dialect,
    shape: &Shape,
    of: &Contestant,
    token: &str,
) -> Result<Request<Full<Bytes>>, AnyError> {
    let address = of.address;
    let request = Request::builder().header(of.kind.token_header(), format!("Bearer {token}"));
    Ok(match dialect {
        Dialect::Rest => request
            .uri(shape.path)
            .header(header::HOST, address.to_string())
            .header(header::ACCEPT, "application/json")
            .body(Full::default())?,
        Dialect::Grpc => request
            .method("POST")
            .uri(format!("http://{address}/{}", shape.rpc))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(shape.request.clone()))?,
    })
}

/// One client: a connection of its own, one request at a time.
async fn ask(question: Arc<Question>) -> Result<(), AnyError> {
    let mut connection = Connection::open(question.dialect, question.address).await?;
    let mut known = None;
    while !question.enough.load(Ordering::Relaxed) {
        let answer = connection.send(question.request.clone()).await?;
        // An answer like one that was right is right.
        if known.as_ref() != Some(&answer) {
            check(question.dialect, &question.shape, &answer)?;
            known = Some(answer);
        }
        question.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// What is looked at of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    grpc_status: Option<Bytes>,
    body: Bytes,
}

/// Fails with the whole answer unless it is the right one.
fn check(dialect: Dialect, shape: &Shape, answer: &Answer) -> Result<(), AnyError> {
    let right = answer.status == StatusCode::OK
        && match dialect {
            Dialect::Rest => {
                serde_json::from_slice::<Value>(&answer.body).is_ok_and(|json| json == shape.json)
            }
            Dialect::Grpc => {
                answer.grpc_status.as_deref() == Some(b"0") && answer.body == shape.answer
            }
        };
    if right { Ok(()) } else { Err(format!("not the answer that was expected: {answer:?}").into()) }
}

enum Connection {
    Rest(http1::SendRequest<Full<Bytes>>),
    Grpc(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(dialect: Dialect, address: SocketAddr) -> Result<Self, AnyError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        // A connection that breaks is told by the request that was on it.
        Ok(match dialect {
            Dialect::Rest => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Self::Rest(sender)
            }
            Dialect::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Self::Grpc(sender)
            }
        })
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, AnyError> {
        let response = match self {
            Self::Rest(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Grpc(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let grpc_status = body.trailers().unwrap_or(&head.headers).get(status_header());
        let grpc_status = grpc_status.map(|status| Bytes::copy_from_slice(status.as_bytes()));
        Ok(Answer { status: head.status, grpc_status, body: body.to_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answer_counts() {
        for shape in Shape::all().unwrap() {
            let rest = Answer {
                status: StatusCode::OK,
                grpc_status: None,
                body: shape.json.to_string().into(),
            };
            let grpc = Answer {
                grpc_status: Some("0".into()),
                body: shape.answer.clone(),
                ..rest.clone()
            };
            assert!(check(Dialect::Rest, &shape, &rest).is_ok());
            assert!(check(Dialect::Grpc, &shape, &grpc).is_ok());

            let late = Answer { status: StatusCode::GATEWAY_TIMEOUT, ..rest.clone() };
            let empty = Answer { body: "{}".into(), ..rest };
            assert!(check(Dialect::Rest, &shape, &late).is_err());
            assert!(check(Dialect::Rest, &shape, &empty).is_err());
            let unsaid = Answer { grpc_status: None, ..grpc.clone() };
            let failed = Answer { grpc_status: Some("13".into()), ..grpc.clone() };
            let short = Answer { body: shape.answer.slice(1..), ..grpc };
            for wrong in [unsaid, failed, short] {
                assert!(check(Dialect::Grpc, &shape, &wrong).is_err(), "{wrong:?}");
            }
        }
    }
}
