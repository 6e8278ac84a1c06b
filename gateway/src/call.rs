//! The life of one RPC: ask its rule, call, ask its rule about the answer.
//!
//! It is the same for REST and native gRPC, so there is no side door: without a [`Permit`] nothing can be called, and
//! what the service learns about the principal is written here and nowhere else. An answer is judged before its first
//! byte leaves, and of a stream each message.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

use crate::authorization::{AnswerRule, Denied, HIDDEN, Permit, Rule};
use crate::context::{Call, CallRecord, Denial, Failure, Messages, Principal, Reply, RpcId};
use crate::error::GatewayError;
use crate::upstream::{self, Method, Upstream};

/// Every RPC that can be called.
#[derive(Debug, Default)]
pub(crate) struct Rpcs {
    targets: HashMap<RpcId, Served>,
}

/// Where an RPC is served, and who may call it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) method: Method,
    pub(crate) rule: Arc<Rule>,
}

impl Rpcs {
    /// Says where an RPC is served.
    pub(crate) fn insert(&mut self, rpc: RpcId, served: Served) {
        self.targets.insert(rpc, served);
    }

    /// Makes the call and writes what happened into the record.
    pub(crate) async fn call(
        &self,
        admitted: Permit,
        call: Call,
        record: &mut CallRecord,
    ) -> Result<Reply, GatewayError> {
        let Call { rpc, message, principal, deadline, mut metadata } = call;
        let served = self.targets.get(&rpc).ok_or(GatewayError::Unserved(rpc))?;
        let Served { upstream, method, rule } = served;
        let rest = rule.allow(admitted, &principal, &message);
        let rest = rest.map_err(|denied| noted(denied, record))?;
        introduce(&principal, &mut metadata).map_err(GatewayError::Unspeakable)?;
        let reply = upstream.call(method, message, metadata, deadline, record).await;
        let Some(rest) = rest else { return Ok(reply?) };
        let judged = judge(reply.map_err(concealed)?, rest);
        judged.map_err(|denied| noted(denied, record).into())
    }
}

fn noted(denied: Denied, record: &mut CallRecord) -> Denied {
    record.denied = Some(if denied.is_undecided() { Denial::Undecided } else { Denial::Refused });
    denied
}

/// That there is no such object is told like that it is not for the client.
fn concealed(error: upstream::Error) -> GatewayError {
    match &error {
        upstream::Error::Failure(Failure::Status(status)) if status.code() == Code::NotFound => {
            GatewayError::Hidden(error)
        }
        _ => error.into(),
    }
}

/// Lets pass what the rule lets. Of a stream the first message decides as the one of a unary answer would, if the
/// service has sent it by now. A service that is silent so far has told nothing, and nothing of it is passed on but that
/// the stream is open.
fn judge(reply: Reply, rule: AnswerRule) -> Result<Reply, Denied> {
    match reply {
        Reply::Message { message, metadata } => {
            rule.allow_answer(&message)?;
            Ok(Reply::Message { message, metadata })
        }
        Reply::Stream { mut messages, metadata } => match messages.next().now_or_never() {
            Some(Some(Ok(first))) => {
                rule.allow_answer(&first)?;
                let messages = stream::iter([Ok(first)]).chain(judged(messages, rule)).boxed();
                Ok(Reply::Stream { messages, metadata })
            }
            Some(Some(Err(failure))) => {
                let messages = stream::iter([Err(hidden(failure))]).boxed();
                Ok(Reply::Stream { messages, metadata: HeaderMap::new() })
            }
            Some(None) => {
                Ok(Reply::Stream { messages: stream::empty().boxed(), metadata: HeaderMap::new() })
            }
            None => Ok(Reply::Stream {
                messages: judged(messages, rule).boxed(),
                metadata: HeaderMap::new(),
            }),
        },
    }
}

/// The same messages up to the first that is not for the client, which ends the stream and the call.
fn judged(
    messages: Messages,
    rule: AnswerRule,
) -> impl stream::Stream<Item = Result<bytes::Bytes, Failure>> {
    stream::unfold(Some((messages, rule)), |open| async {
        let (mut messages, rule) = open?;
        match messages.next().await? {
            Ok(message) => match rule.allow_answer(&message) {
                Ok(()) => Some((Ok(message), Some((messages, rule)))),
                Err(denied) => Some((Err(Failure::Denied(denied.into())), None)),
            },
            Err(failure) => Some((Err(hidden(failure)), None)),
        }
    })
}

/// The same failure, without the service's words where it says that there is no such object.
fn hidden(failure: Failure) -> Failure {
    match failure {
        Failure::Status(status) if status.code() == Code::NotFound => {
            Failure::Status(Box::new(Status::not_found(HIDDEN)))
        }
        other => other,
    }
}

/// Tells the service who is asking. Replaces whatever stood there before.
fn introduce(
    principal: &Principal,
    metadata: &mut HeaderMap,
) -> Result<(), http::header::InvalidHeaderValue> {
    metadata.remove("x-principal-id");
    metadata.remove("x-principal-roles");
    if let Some(id) = principal.id() {
        metadata.insert("x-principal-id", HeaderValue::from_str(id)?);
        metadata.insert("x-principal-roles", HeaderValue::from_str(&principal.roles().join(","))?);
    }
    Ok(())
}
