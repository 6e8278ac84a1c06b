//! Where a request goes: the RPC it leads to, with all that is decided about it before it is called.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::authorization::Rule;
use crate::context::RpcId;
use crate::error::GatewayError;
use crate::rate_limiting::Limits;
use crate::resilience;
use crate::routing::{Allow, Found, RouteTable};
use crate::transcoding::{Binding, Dialect};

/// What a route leads to.
#[derive(Debug)]
pub(crate) struct Target {
    /// The RPC.
    pub(crate) rpc: RpcId,
    /// Who may call it.
    pub(crate) access: Arc<Rule>,
    /// How often.
    pub(crate) limits: Arc<Limits>,
    /// How long anyone waits.
    pub(crate) waits: resilience::Limits,
    /// How its messages are read and rendered.
    pub(crate) binding: Binding,
}

/// Everything that requests can lead to.
#[derive(Debug)]
pub(crate) struct Targets {
    /// REST routes.
    pub(crate) routes: RouteTable<Target>,
    /// Native gRPC: every exposed RPC by its path `/package.Service/Method`.
    pub(crate) methods: HashMap<String, Target>,
}

/// Where a request goes: nowhere, if it asks what a path takes; or to a target, by its route's name and variables.
pub(crate) enum Destination<'a> {
    Options(Allow),
    Target(&'a Target, Arc<str>, Vec<Cow<'a, str>>),
}

impl Targets {
    /// Finds the target of a method and a path in the client's dialect.
    pub(crate) fn find<'a>(
        &'a self,
        dialect: Dialect,
        method: &Method,
        path: &'a str,
    ) -> Result<Destination<'a>, GatewayError> {
        if dialect == Dialect::Grpc {
            let target = self.methods.get(path).filter(|_| method == Method::POST);
            let target = target.ok_or(GatewayError::UnknownRpc)?;
            return Ok(Destination::Target(target, target.rpc.text(), Vec::new()));
        }
        Ok(match self.routes.find(method, path)? {
            Found::Options { allow } => Destination::Options(allow),
            Found::Route(found) => {
                Destination::Target(&found.route.target, found.route.template.text(), found.values)
            }
        })
    }
}
