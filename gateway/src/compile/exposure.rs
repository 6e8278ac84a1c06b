//! Compiles what is exposed: an RPC that has an access line, by every http rule it has and by gRPC.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::uri::PathAndQuery;

use super::upstreams::Upstreams;
use crate::authorization::Access;
use crate::call::Rpcs;
use crate::config::Config;
use crate::context::RpcId;
use crate::message::{RpcType, Schema};
use crate::pipeline::Target;
use crate::routing::{MethodPattern, Route, RouteTable, Template, Variable};
use crate::setting::{Problem, Spanned};
use crate::transcoding::{Binding, HttpRule, Options, RestBinding, http_rules};
use crate::upstream::Method;

/// The routes and what stands behind them.
pub(super) struct Exposure {
    pub(super) routes: RouteTable<Target>,
    pub(super) methods: HashMap<String, Target>,
    pub(super) rpcs: Rpcs,
    pub(super) exposed: Vec<Exposed>,
}

/// One line of the table of what is exposed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exposed {
    /// Method and template, or the path of the RPC for gRPC.
    pub(crate) route: String,
    /// The RPC it leads to.
    pub(crate) rpc: String,
    /// Who may call it, as written, and what is special about the route.
    pub(crate) access: String,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<48} {:<44} {}", self.route, self.rpc, self.access)
    }
}

/// Checks every access line and every http rule, and makes routes of them.
pub(super) fn compile(
    config: &Config,
    schema: Option<&Arc<Schema>>,
    upstreams: &Upstreams,
    problems: &mut Vec<Problem>,
) -> Option<Exposure> {
    let access = config.authorization.read(problems);
    let schema = schema?;
    refuse_forgotten(config, schema, upstreams, problems);

    let mut compiler = Compiler {
        config,
        no_issuer: config.authentication.issuers.is_empty() && !config.unread("authentication"),
        upstreams_unread: config.unread("upstreams"),
        upstreams,
        problems,
        routes: Vec::new(),
        methods: HashMap::new(),
        rpcs: Rpcs::default(),
        exposed: Vec::new(),
    };
    for (rpc, access) in &access {
        compiler.expose(rpc, access, schema);
    }
    let Compiler { routes, methods, rpcs, exposed, .. } = compiler;

    let lines: Vec<RpcId> = routes.iter().map(|route| route.target.rpc.clone()).collect();
    match RouteTable::new(routes) {
        Ok(routes) => Some(Exposure { routes, methods, rpcs, exposed }),
        Err(conflicts) => {
            for conflict in conflicts {
                let (first, second) = conflict.positions;
                let rpcs = lines.get(first).zip(lines.get(second));
                let found = rpcs.and_then(|rpcs| Some((rpcs, access.get(rpcs.1)?)));
                if let Some(((first, second), line)) = found {
                    let message =
                        format!("its http rule and that of {first} are the same: {conflict}");
                    problems.push(Problem::at(
                        line,
                        format!("authorization.access.{second}"),
                        message,
                    ));
                }
            }
            None
        }
    }
}

/// An http rule without an access line may be a forgotten decision; nothing is exposed by accident.
fn refuse_forgotten(
    config: &Config,
    schema: &Arc<Schema>,
    upstreams: &Upstreams,
    problems: &mut Vec<Problem>,
) {
    for rpc in schema.methods() {
        let forgotten = !config.unread("authorization")
            && upstreams.of(rpc.service()).is_some()
            && !config.authorization.access.contains_key(&rpc.name())
            && !http_rules(rpc.descriptor()).is_empty();
        if forgotten {
            let message = format!(
                "`{}` has an http rule but no access line: add one (public, authenticated, role:<name>), or `internal` to hide it",
                rpc.name()
            );
            problems.push(Problem::nowhere("authorization.access", message));
        }
    }
}

struct Compiler<'a> {
    config: &'a Config,
    no_issuer: bool,
    upstreams_unread: bool,
    upstreams: &'a Upstreams,
    problems: &'a mut Vec<Problem>,
    routes: Vec<Route<Target>>,
    methods: HashMap<String, Target>,
    rpcs: Rpcs,
    exposed: Vec<Exposed>,
}

impl Compiler<'_> {
    fn expose(&mut self, id: &RpcId, line: &Spanned<Access>, schema: &Arc<Schema>) {
        let Some(rpc) = schema.method(id.as_str()) else {
            return self.refuse(id, line, unknown(id.as_str(), schema));
        };
        if line.value == Access::Internal {
            return;
        }
        let Some(upstream) = self.upstreams.of(rpc.service()) else {
            if self.upstreams_unread {
                return;
            }
            return self.refuse(
                id,
                line,
                format!("no upstream serves `{}`: add it to the services of one", rpc.service()),
            );
        };
        if rpc.client_streaming() {
            return self.refuse(
                id,
                line,
                "an RPC whose requests are a stream can't be exposed: make it internal".to_owned(),
            );
        }
        if line.value != Access::Public && self.no_issuer {
            let message =
                "nobody could be admitted: no issuer is trusted, add one to authentication.issuers";
            return self.refuse(id, line, message.to_owned());
        }
        let path = format!("/{id}");
        let Ok(path_and_query) = path.parse::<PathAndQuery>() else {
            return self.refuse(id, line, "its name is not a path".to_owned());
        };
        let method = Method { path: path_and_query, streams: rpc.server_streaming() };
        self.rpcs.insert(id.clone(), Arc::clone(upstream), method);
        let options =
            Options::compile(&self.config.transcoding, &rpc, upstream.name(), self.problems);
        for rule in http_rules(rpc.descriptor()) {
            self.route(id, line, &rpc, &rule, &options);
        }
        self.list(format!("gRPC {path}"), id, line, "");
        self.methods.insert(path, target(id, line, Binding::Untouched));
    }

    fn route(
        &mut self,
        id: &RpcId,
        line: &Spanned<Access>,
        rpc: &RpcType,
        rule: &HttpRule,
        options: &Options,
    ) {
        let template = match Template::parse(&rule.template) {
            Ok(template) if options.decode_slashes => template.decoding_slashes(),
            Ok(template) => template,
            Err(error) => {
                return self.refuse(
                    id,
                    line,
                    format!("its http rule `{}`: {error}", rule.template),
                );
            }
        };
        let method: MethodPattern = match rule.method.parse() {
            Ok(method) => method,
            Err(error) => {
                return self.refuse(
                    id,
                    line,
                    format!("its http rule `{}`: {error}", rule.template),
                );
            }
        };
        let variables: Vec<&str> = template.variables().iter().map(Variable::field_path).collect();
        match RestBinding::compile(rule, rpc, &variables, options.clone()) {
            Ok(binding) => {
                let note = if rpc.server_streaming() { " (a stream)" } else { "" };
                self.list(format!("{method} {template}"), id, line, note);
                self.routes.push(Route {
                    method,
                    template,
                    target: target(id, line, Binding::Rest(Box::new(binding))),
                });
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    self.refuse(id, line, format!("its http rule `{}`: {mistake}", rule.template));
                }
            }
        }
    }

    fn list(&mut self, route: String, id: &RpcId, line: &Spanned<Access>, note: &str) {
        let access = format!("{}{note}", line.value);
        self.exposed.push(Exposed { route, rpc: id.to_string(), access });
    }

    fn refuse(&mut self, id: &RpcId, line: &Spanned<Access>, message: String) {
        self.problems.push(Problem::at(line, format!("authorization.access.{id}"), message));
    }
}

fn target(id: &RpcId, line: &Spanned<Access>, binding: Binding) -> Target {
    Target { rpc: id.clone(), access: line.value.clone(), binding }
}

/// Says that there is no such RPC, and what was probably meant: the RPCs of this name elsewhere, or else the others of
/// the service.
pub(super) fn unknown(rpc: &str, schema: &Arc<Schema>) -> String {
    let (service, method) = rpc.split_once('/').unwrap_or_default();
    let names = |matches: &dyn Fn(&RpcType) -> bool| {
        schema.methods().filter(matches).map(|rpc| rpc.name()).collect::<Vec<_>>().join(", ")
    };
    let same_name = names(&|rpc| rpc.method() == method);
    let meant =
        if same_name.is_empty() { names(&|rpc| rpc.service() == service) } else { same_name };
    let meant = if meant.is_empty() { meant } else { format!("; did you mean {meant}?") };
    format!("the schema has no RPC `{rpc}`{meant}")
}
