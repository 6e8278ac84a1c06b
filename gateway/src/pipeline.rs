//! The life of one client request, one line per responsibility.
//!
//! Each step takes exactly what it decides on and returns what the next one needs: the order is in the types.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::authentication::Authenticator;
use crate::authorization::Rule;
use crate::call::Rpcs;
use crate::context::{Body, Call, Journey, RpcId, Step};
use crate::error::{self, GatewayError};
use crate::resilience::{self, Limits};
use crate::routing::{Allow, Found, RouteTable};
use crate::transcoding::{self, Binding, Dialect, Framing, Settings};

/// What a route leads to.
#[derive(Debug)]
pub(crate) struct Target {
    /// The RPC.
    pub(crate) rpc: RpcId,
    /// Who may call it.
    pub(crate) access: Arc<Rule>,
    /// How its messages are read and rendered.
    pub(crate) binding: Binding,
}

/// Everything that handles requests; never changed, only replaced as a whole.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// REST routes.
    pub(crate) routes: RouteTable<Target>,
    /// Native gRPC: every exposed RPC by its path `/package.Service/Method`.
    pub(crate) methods: HashMap<String, Target>,
    pub(crate) authenticator: Authenticator,
    pub(crate) rpcs: Rpcs,
    /// How long anyone waits.
    pub(crate) limits: Limits,
    /// What all translations share.
    pub(crate) transcoding: Arc<Settings>,
}

/// Where a request goes: nowhere, if it asks what a path takes; or to a target, by its route's name and variables.
enum Destination<'a> {
    Options(Allow),
    Target(&'a Target, Arc<str>, Vec<Cow<'a, str>>),
}

impl Pipeline {
    /// Answers a request. Failures are answers too. When the gateway drains, streams end.
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
        draining: &CancellationToken,
        journey: &mut Journey,
    ) -> Response<Body> {
        let dialect = Dialect::of(&request);
        match self.run(dialect, request, draining, journey).await {
            Ok(answer) => answer,
            Err(error) => self.refuse(dialect, &error, journey),
        }
    }

    /// Answers with a failure, and notes it in the journey.
    pub(crate) fn refuse(
        &self,
        dialect: Dialect,
        error: &GatewayError,
        journey: &mut Journey,
    ) -> Response<Body> {
        let verdict = error.verdict();
        journey.code = verdict.code;
        journey.origin = Some(verdict.origin);
        journey.cause = Some(error.chain());
        dialect.refuse(&verdict, &journey.request_id, &self.transcoding)
    }

    async fn run(
        &self,
        dialect: Dialect,
        request: Request<Incoming>,
        draining: &CancellationToken,
        journey: &mut Journey,
    ) -> Result<Response<Body>, GatewayError> {
        let (parts, body) = request.into_parts();
        dialect.check(&parts.headers)?;
        let (target, name, values) = match self.find(dialect, &parts)? {
            Destination::Options(allow) => return Ok(transcoding::allow(allow.header())),
            Destination::Target(target, name, values) => (target, name, values),
        };
        journey.route = Some(name);
        journey.mark(Step::Route);

        let deadline = resilience::deadline(self.limits, &parts.headers)?;
        let proof = self.authenticator.authenticate(&parts.headers);
        let principal = resilience::within(deadline, proof).await??;
        journey.principal = principal.clone();
        journey.mark(Step::Authenticate);
        let permit = target.access.admit(&principal)?;
        journey.mark(Step::Admit);

        let framing = target.binding.framing(&parts.headers)?;
        if framing.as_ref().is_some_and(Framing::is_over) {
            return Ok(transcoding::nothing_more());
        }
        let (framed, ids) = (framing.as_ref(), (&journey.request_id, &journey.trace_parent));
        let metadata = self.transcoding.metadata(&parts.headers, framed, ids)?;
        let read = target.binding.read(&values, &parts, framed, body, deadline).await;
        let (message, spelling) = read?;
        journey.mark(Step::Read);

        let call = Call { rpc: target.rpc.clone(), message, principal, deadline, metadata };
        let reply = self.rpcs.call(permit, call, journey.call(target.rpc.clone())).await;
        let reply = reply.map_err(|error| error.spelled(&spelling));
        journey.mark(Step::Call);

        let reply = resilience::supervise(journey.counting(reply?), self.limits, draining);
        let judge = error::end_of_stream(journey.stream.clone().unwrap_or_default());
        let exchange = (&self.transcoding, &journey.request_id);
        let answer = target.binding.render(reply, framing, exchange, judge);
        let answer = resilience::within(deadline, answer).await??;
        journey.mark(Step::Render);
        Ok(answer)
    }

    fn find<'a>(
        &'a self,
        dialect: Dialect,
        parts: &'a Parts,
    ) -> Result<Destination<'a>, GatewayError> {
        let path = parts.uri.path();
        if dialect == Dialect::Grpc {
            let target = self.methods.get(path).filter(|_| parts.method == Method::POST);
            let target = target.ok_or(GatewayError::UnknownRpc)?;
            return Ok(Destination::Target(target, target.rpc.text(), Vec::new()));
        }
        Ok(match self.routes.find(&parts.method, path)? {
            Found::Options { allow } => Destination::Options(allow),
            Found::Route(found) => {
                Destination::Target(&found.route.target, found.route.template.text(), found.values)
            }
        })
    }
}
