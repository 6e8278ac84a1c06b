//! The life of one client request, one line per responsibility.
//!
//! Each step takes exactly what it decides on and returns what the next one needs: the order is in the types.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::authentication::Authenticator;
use crate::authorization::Denied;
use crate::call::Rpcs;
use crate::context::{Body, Call, Counted, Journey, Standing, Step};
use crate::error::{self, GatewayError};
use crate::rate_limiting::Exceeded;
use crate::resilience;
use crate::target::{Destination, Targets};
use crate::transcoding::{self, Dialect, Framing, Settings};

/// Everything that handles requests; never changed, only replaced as a whole.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// Where requests go.
    pub(crate) targets: Targets,
    pub(crate) authenticator: Authenticator,
    pub(crate) rpcs: Rpcs,
    /// What all translations share.
    pub(crate) transcoding: Arc<Settings>,
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
        let mut answer = match self.run(dialect, request, draining, journey).await {
            Ok(answer) => answer,
            Err(error) => self.refuse(dialect, &error, journey),
        };
        for (name, value) in journey.limits.tightest.iter().flat_map(Standing::headers) {
            // In the place of what the service says of limits of its own.
            answer.headers_mut().insert(name, value);
        }
        answer
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
        let (target, name, values) =
            match self.targets.find(dialect, &parts.method, parts.uri.path())? {
                Destination::Options(allow) => return Ok(transcoding::allow(allow.header())),
                Destination::Target(target, name, values) => (target, name, values),
            };
        journey.route = Some(name);
        journey.mark(Step::Route);

        note(target.limits.before(journey.client), Step::LimitAddress, journey)?;
        let deadline = resilience::deadline(target.waits, &parts.headers)?;
        let proof = self.authenticator.authenticate(&parts.headers);
        let principal = resilience::within(deadline, proof).await??;
        journey.principal = principal.clone();
        journey.mark(Step::Authenticate);
        let counting = target.limits.after(&principal, journey.client);
        note(resilience::within(deadline, counting).await?, Step::LimitPrincipal, journey)?;
        let permit = match target.access.admit(&principal) {
            Err(Denied::NeedsAuthentication) => return Err(self.authenticator.missing().into()),
            admitted => admitted?,
        };
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

        let reply = resilience::supervise(journey.counting(reply?), target.waits, draining);
        let judge = error::end_of_stream(journey.stream.clone().unwrap_or_default());
        let exchange = (&self.transcoding, &journey.request_id);
        let answer = target.binding.render(reply, framing, exchange, judge);
        let answer = resilience::within(deadline, answer).await??;
        journey.mark(Step::Render);
        Ok(answer)
    }
}

/// Writes down what limits have counted, where there are any. The one that refuses is the one to tell the client of.
fn note(
    counted: Result<Counted, Exceeded>,
    step: Step,
    journey: &mut Journey,
) -> Result<(), Exceeded> {
    let (counted, outcome) = match counted {
        Ok(counted) if counted == Counted::default() => return Ok(()),
        Ok(counted) => (counted, Ok(())),
        Err(exceeded) => {
            journey.limits.tightest = None;
            (exceeded.counted(), Err(exceeded))
        }
    };
    journey.limits.add(counted);
    journey.mark(step);
    outcome
}
