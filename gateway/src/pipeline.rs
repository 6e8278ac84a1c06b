//! The life of one client request, one line per responsibility.
//!
//! Each step takes exactly what it decides on and returns what the next one needs: the order is in the types.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};

use crate::authentication::Authenticator;
use crate::authorization::Access;
use crate::call::Rpcs;
use crate::context::{Body, BoxError, Call, Deadline, Journey, RpcId, Step};
use crate::error::GatewayError;
use crate::resilience;
use crate::routing::{Allow, Found, RouteTable};
use crate::transcoding::{Binding, Dialect, Settings};

/// What a route leads to.
#[derive(Debug)]
pub(crate) struct Target {
    /// The RPC.
    pub(crate) rpc: RpcId,
    /// Who may call it.
    pub(crate) access: Access,
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
    /// Room 2.
    pub(crate) authenticator: Authenticator,
    /// Everything that can be called.
    pub(crate) rpcs: Rpcs,
    /// The longest a client waits.
    pub(crate) deadline: Duration,
    /// What all translations share.
    pub(crate) transcoding: Settings,
}

/// Where a request goes.
enum Destination<'a> {
    Options(Allow),
    Target { target: &'a Target, name: std::sync::Arc<str>, values: Vec<Cow<'a, str>> },
}

impl Pipeline {
    /// Answers a request. Failures are answers too.
    pub(crate) async fn handle<B>(
        &self,
        request: Request<B>,
        journey: &mut Journey,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let dialect = Dialect::of(request.headers());
        match self.run(dialect, request, journey).await {
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

    async fn run<B>(
        &self,
        dialect: Dialect,
        request: Request<B>,
        journey: &mut Journey,
    ) -> Result<Response<Body>, GatewayError>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let (target, values) = match self.find(dialect, &parts)? {
            Destination::Options(allow) => return Ok(options(&allow)),
            Destination::Target { target, name, values } => {
                journey.route = Some(name);
                (target, values)
            }
        };
        journey.mark(Step::Route);

        let principal = self.authenticator.authenticate(&parts.headers).await?;
        journey.principal = principal.clone();
        journey.mark(Step::Authenticate);

        let permit = target.access.admit(&principal)?;
        journey.mark(Step::Admit);

        let deadline = self.deadline(&parts.headers)?;
        let metadata = self.metadata(&parts.headers, journey)?;
        let message = target.binding.read(&values, &parts, body, deadline).await?;
        journey.mark(Step::Read);

        let call = Call { rpc: target.rpc.clone(), message, principal, deadline, metadata };
        let reply = self.rpcs.call(permit, call, journey.call(target.rpc.clone())).await;
        journey.mark(Step::Call);

        let answer = target.binding.render(reply?, &self.transcoding)?;
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
            let target = self.methods.get(path).ok_or(GatewayError::UnknownRpc)?;
            return Ok(Destination::Target { target, name: target.rpc.text(), values: Vec::new() });
        }
        Ok(match self.routes.find(&parts.method, path)? {
            Found::Options { allow } => Destination::Options(allow),
            Found::Route(found) => Destination::Target {
                target: &found.route.target,
                name: found.route.template.text(),
                values: found.values,
            },
        })
    }

    fn deadline(&self, headers: &HeaderMap) -> Result<Deadline, GatewayError> {
        let asked = resilience::client_timeout(headers)?.unwrap_or(Duration::MAX);
        Ok(Deadline::after(self.deadline.min(asked)))
    }

    fn metadata(&self, headers: &HeaderMap, journey: &Journey) -> Result<HeaderMap, GatewayError> {
        let allowed = self.transcoding.headers.request_metadata(headers);
        let mut metadata = allowed.map_err(crate::transcoding::Error::from)?;
        metadata.insert("x-request-id", journey.request_id.header());
        metadata.insert("traceparent", journey.trace_parent.clone());
        Ok(metadata)
    }
}

fn options(allow: &Allow) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow.header());
    response
}
