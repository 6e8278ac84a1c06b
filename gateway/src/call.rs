//! The life of one RPC: find out where it is served, say who is asking, call.
//!
//! It is the same for REST and native gRPC, so there is no side door: without a [`Permit`] nothing can be called, and
//! what the service learns about the principal is written here and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::authorization::Permit;
use crate::context::{Call, CallRecord, Principal, Reply, RpcId};
use crate::error::GatewayError;
use crate::upstream::{Method, Upstream};

/// Every RPC that can be called, and where it is served.
#[derive(Debug, Default)]
pub(crate) struct Rpcs {
    targets: HashMap<RpcId, (Arc<Upstream>, Method)>,
}

impl Rpcs {
    /// Says where an RPC is served.
    pub(crate) fn insert(&mut self, rpc: RpcId, upstream: Arc<Upstream>, method: Method) {
        self.targets.insert(rpc, (upstream, method));
    }

    /// Makes the call and writes what happened into the record.
    pub(crate) async fn call(
        &self,
        _admitted: Permit,
        call: Call,
        record: &mut CallRecord,
    ) -> Result<Reply, GatewayError> {
        let Call { rpc, message, principal, deadline, mut metadata } = call;
        let (upstream, method) = self.targets.get(&rpc).ok_or(GatewayError::Unserved(rpc))?;
        introduce(&principal, &mut metadata).map_err(GatewayError::Unspeakable)?;
        Ok(upstream.call(method, message, metadata, deadline, record).await?)
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
