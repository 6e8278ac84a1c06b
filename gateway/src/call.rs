//! The life of one RPC: ask its rule, call, ask its rule about the answer.
//!
//! It is the same for REST and native gRPC, so there is no side door: without a [`Permit`] nothing can be called, and
//! what the service learns about the principal is written here and nowhere else. An answer is judged before its first
//! byte leaves, and of a stream each message.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderName};
use tonic::Code;

use crate::authorization::{AnswerRule, Denied, Permit, Rule};
use crate::context::{Call, CallRecord, Failure, Messages, Principal, Reply, RpcId};
use crate::error::GatewayError;
use crate::load_balancing::Split;
use crate::resilience::RetryPolicy;
use crate::upstream::{self, Method, Upstream};

const PRINCIPAL_ID: HeaderName = HeaderName::from_static("x-principal-id");
const PRINCIPAL_ROLES: HeaderName = HeaderName::from_static("x-principal-roles");

/// Every RPC that can be called.
#[derive(Debug, Default)]
pub(crate) struct Rpcs {
    targets: HashMap<RpcId, Served>,
}

/// Where an RPC is served, and who may call it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) behind: Split<Behind>,
    pub(crate) method: Method,
    pub(crate) rule: Arc<Rule>,
}

/// One of the upstreams that take an RPC, and how calls to it are made again.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) retries: RetryPolicy,
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
        let Served { behind, method, rule } = served;
        let rest = rule.allow(admitted, &principal, &message);
        let rest = rest.map_err(|denied| noted(denied, record))?;
        introduce(&principal, &mut metadata);
        let Behind { upstream, retries } = behind.next();
        let reply = upstream.call(method, retries, message, metadata, deadline, record).await;
        let Some(rest) = rest else { return Ok(reply?) };
        let judged = judge(reply.map_err(concealed)?, rest);
        judged.map_err(|denied| noted(denied, record).into())
    }
}

fn noted(denied: Denied, record: &mut CallRecord) -> Denied {
    record.denied = Some(denied.denial());
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
/// service has sent it by now. Of a service that is silent so far nothing is passed on but that the stream is open.
fn judge(reply: Reply, rule: AnswerRule) -> Result<Reply, Denied> {
    match reply {
        Reply::Message { message, metadata } => {
            rule.allow_answer(&message)?;
            Ok(Reply::Message { message, metadata })
        }
        Reply::Stream { mut messages, metadata } => match messages.next().now_or_never() {
            Some(Some(Ok(first))) => {
                rule.allow_answer(&first)?;
                let messages = stream::iter([Ok(first)]).chain(judged(messages, rule, true));
                Ok(Reply::Stream { messages: messages.boxed(), metadata })
            }
            begun => {
                let messages = stream::iter(begun.flatten()).chain(messages).boxed();
                let messages = judged(messages, rule, false).boxed();
                Ok(Reply::Stream { messages, metadata: HeaderMap::new() })
            }
        },
    }
}

/// The same messages up to the first that is not for the client, which ends the stream and the call. Until one has passed,
/// that is told like that there is no such object.
fn judged(
    messages: Messages,
    rule: AnswerRule,
    passed: bool,
) -> impl stream::Stream<Item = Result<bytes::Bytes, Failure>> {
    stream::unfold(Some((messages, rule, passed)), |open| async {
        let (mut messages, rule, passed) = open?;
        let failure = match messages.next().await? {
            Ok(message) => match rule.allow_answer(&message) {
                Ok(()) => return Some((Ok(message), Some((messages, rule, true)))),
                Err(denied) if passed => Failure::Denied(denied.into()),
                Err(denied) => Failure::Hidden(denied.into()),
            },
            Err(Failure::Status(status)) if status.code() == Code::NotFound => {
                Failure::Hidden(status)
            }
            Err(failure) => failure,
        };
        Some((Err(failure), None))
    })
}

/// Tells the service who is asking. Replaces whatever stood there before.
pub(crate) fn introduce(principal: &Principal, metadata: &mut HeaderMap) {
    match principal {
        Principal::Anonymous => {
            metadata.remove(PRINCIPAL_ID);
            metadata.remove(PRINCIPAL_ROLES);
        }
        Principal::Known(identity) => {
            let [id, roles] = identity.told();
            metadata.insert(PRINCIPAL_ID, id);
            metadata.insert(PRINCIPAL_ROLES, roles);
        }
    }
}
