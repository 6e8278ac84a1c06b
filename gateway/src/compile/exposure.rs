//! Compiles what is exposed: an RPC that has an access line, by every http rule it has and by gRPC.

use std::collections::HashMap;
use std::sync::Arc;

use http::uri::PathAndQuery;

use super::exposed::Exposed;
use super::limits::RateLimiting;
use super::slip;
use super::split::Splits;
use super::upstreams::Upstreams;
use crate::authorization::{Access, Line, Rule};
use crate::call::{Behind, Rpcs, Served};
use crate::config::Config;
use crate::context::RpcId;
use crate::load_balancing::Split;
use crate::message::{RpcType, Schema};
use crate::routing::{InvalidKind, MethodPattern, Route, RouteTable, Template, Variable};
use crate::setting::{Place, Problem, Spanned};
use crate::target::{Target, Targets};
use crate::transcoding::{Binding, HttpRule, Options, RestBinding, Rules, http_rules};
use crate::upstream::{Method, Upstream};

/// The routes and what stands behind them.
pub(super) struct Exposure {
    pub(super) targets: Targets,
    pub(super) rpcs: Rpcs,
    pub(super) exposed: Vec<Exposed>,
}

/// Checks every access line and every http rule, and makes routes of them.
pub(super) fn compile(
    config: &Config,
    schema: Option<&Arc<Schema>>,
    upstreams: &Upstreams,
    splits: Splits,
    limits: &RateLimiting,
    problems: &mut Vec<Problem>,
) -> Option<Exposure> {
    let access = config.authorization.compile(schema, problems);
    let rules = Rules::compile(&config.transcoding.rules, problems);
    let schema = schema?;
    refuse_forgotten(config, schema, &rules, upstreams, problems);

    let mut compiler = Compiler {
        config,
        rules: &rules,
        nobody: !config.authentication.knows_anybody() && !config.unread("authentication"),
        upstreams_unread: config.unread("upstreams"),
        upstreams,
        splits,
        limits,
        problems,
        routes: Vec::new(),
        places: Vec::new(),
        methods: HashMap::new(),
        rpcs: Rpcs::default(),
        exposed: Vec::new(),
    };
    for (rpc, Line { access, rule }) in &access {
        if let Some(rule) = rule {
            compiler.expose(rpc, access, rule, schema);
        }
    }
    let Compiler { routes, places, methods, rpcs, exposed, .. } = compiler;

    match RouteTable::new(routes) {
        Ok(routes) => Some(Exposure { targets: Targets { routes, methods }, rpcs, exposed }),
        Err(conflicts) => {
            for conflict in conflicts {
                let (first, second) = conflict.positions;
                if let Some(((first, _), (_, place))) = places.get(first).zip(places.get(second)) {
                    let message =
                        format!("its http rule and that of {first} are the same: {conflict}");
                    problems.push(place.problem(message));
                }
            }
            None
        }
    }
}

/// A rule of the configuration for an RPC that is none, or that nobody can call, may be a slip. An http rule of the schema
/// without an access line may be a forgotten decision; nothing is exposed by accident.
fn refuse_forgotten(
    config: &Config,
    schema: &Arc<Schema>,
    rules: &Rules,
    upstreams: &Upstreams,
    problems: &mut Vec<Problem>,
) {
    // Who wrote a line for it and slipped has forgotten nothing, and is told of the slip.
    let lines = config.authorization.access.keys();
    let slips: Vec<String> = lines.filter_map(|line| slip::meant(line, schema)).collect();
    for (rpc, place) in rules.rpcs().filter(|(rpc, _)| !slips.iter().any(|slip| slip == rpc)) {
        if let Some(message) = slip::uncallable(rpc, config, Some(schema)) {
            problems.push(place.problem(message));
        }
    }
    if config.unread("authorization") {
        return;
    }
    for rpc in schema.methods() {
        let name = rpc.name();
        let is_forgotten = upstreams.of(rpc.service()).is_some()
            && rules.of(&name).is_none()
            && http_rules(rpc.descriptor()).map_or(true, |rules| !rules.is_empty())
            && !config.authorization.access.contains_key(&name)
            && !slips.contains(&name);
        if is_forgotten {
            let message = format!(
                "`{name}` has an http rule but no access line: add one (public, authenticated, role:<name>), or `internal` to hide it"
            );
            problems.push(Problem::nowhere("authorization.access", message));
        }
    }
}

struct Compiler<'a> {
    config: &'a Config,
    /// Whether no credential is accepted.
    nobody: bool,
    upstreams_unread: bool,
    upstreams: &'a Upstreams,
    splits: Splits,
    limits: &'a RateLimiting,
    problems: &'a mut Vec<Problem>,
    rules: &'a Rules,
    routes: Vec<Route<Target>>,
    /// Of each route the RPC, and where its rule stands.
    places: Vec<(RpcId, Place)>,
    methods: HashMap<String, Target>,
    rpcs: Rpcs,
    exposed: Vec<Exposed>,
}

/// One binding of an RPC, and where it comes from.
struct Written<'a> {
    rule: &'a HttpRule,
    place: &'a Place,
    /// What the table of what is exposed says of it.
    note: &'static str,
}

impl Compiler<'_> {
    fn expose(
        &mut self,
        id: &RpcId,
        line: &Spanned<Access>,
        access: &Arc<Rule>,
        schema: &Arc<Schema>,
    ) {
        let Some(rpc) = schema.method(id.as_str()) else {
            return self.refuse(id, line, slip::unknown(id.as_str(), schema));
        };
        if line.value == Access::Internal {
            return;
        }
        let Some(upstream) = self.upstreams.of(rpc.service()) else {
            if self.upstreams_unread || self.upstreams.lack_services() {
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
        if access.needs_principal() && self.nobody {
            let message = "nobody could be admitted: no issuer is trusted and no API key known, add one to authentication.issuers or authentication.api_keys";
            return self.refuse(id, line, message.to_owned());
        }
        let path = format!("/{id}");
        let Ok(path_and_query) = path.parse::<PathAndQuery>() else {
            return self.refuse(id, line, "its name is not a path".to_owned());
        };
        let method = Method { path: path_and_query, streams: rpc.server_streaming() };
        let resilience = &self.config.resilience;
        let behind = |upstream: &Arc<Upstream>| Behind {
            upstream: Arc::clone(upstream),
            retries: resilience.retries(id.as_str(), upstream.name(), rpc.idempotency()),
        };
        let parts = self.splits.remove(id.as_str()).unwrap_or_default();
        let parts = parts.iter().map(|(upstream, part)| (behind(upstream), *part)).collect();
        let behind = Split::new(behind(upstream), parts);
        let served = Served { behind, method, rule: Arc::clone(access) };
        self.rpcs.insert(id.clone(), served);
        let options =
            Options::compile(&self.config.transcoding, &rpc, upstream.name(), self.problems);
        if let Some((place, bindings)) = self.rules.of(id.as_str()) {
            for rule in bindings {
                let written = Written { rule, place, note: " (by transcoding.rules)" };
                self.route(id, access, &rpc, &written, &options);
            }
        } else {
            let place = Place::of(line, format!("authorization.access.{id}"));
            match http_rules(rpc.descriptor()) {
                Ok(rules) => {
                    for rule in &rules {
                        let written = Written { rule, place: &place, note: "" };
                        self.route(id, access, &rpc, &written, &options);
                    }
                }
                Err(mistakes) => {
                    for mistake in mistakes {
                        self.refuse(id, line, format!("its http rule: {mistake}"));
                    }
                }
            }
        }
        self.list(format!("gRPC {path}"), id, access, "");
        self.methods.insert(path, self.target(id, access, Binding::Untouched));
    }

    fn route(
        &mut self,
        id: &RpcId,
        access: &Arc<Rule>,
        rpc: &RpcType,
        written: &Written<'_>,
        options: &Options,
    ) {
        let Written { rule, place, note } = written;
        match bind(rpc, rule, options) {
            Ok((method, template, binding)) => {
                let stream = if rpc.server_streaming() { " (a stream)" } else { "" };
                self.list(format!("{method} {template}"), id, access, &format!("{stream}{note}"));
                let target = self.target(id, access, Binding::Rest(Box::new(binding)));
                self.routes.push(Route { method, template, target });
                self.places.push((id.clone(), (*place).clone()));
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    let message = format!("its http rule `{}`: {mistake}", rule.template);
                    self.problems.push(place.problem(message));
                }
            }
        }
    }

    fn target(&self, id: &RpcId, access: &Arc<Rule>, binding: Binding) -> Target {
        let limits = self.limits.of(id);
        let upstream = self.upstreams.of_rpc(id.as_str()).unwrap_or_default();
        let waits = self.config.resilience.limits(id.as_str(), upstream);
        Target { rpc: id.clone(), access: Arc::clone(access), limits, waits, binding }
    }

    fn list(&mut self, route: String, id: &RpcId, rule: &Rule, note: &str) {
        let (access, decides) = (rule.access().to_string(), format!("{rule}{note}"));
        self.exposed.push(Exposed { route, rpc: id.to_string(), access, decides });
    }

    fn refuse(&mut self, id: &RpcId, line: &Spanned<Access>, message: String) {
        self.problems.push(Problem::at(line, format!("authorization.access.{id}"), message));
    }
}

/// Checks one binding. Fails with one sentence for each mistake.
fn bind(
    rpc: &RpcType,
    rule: &HttpRule,
    options: &Options,
) -> Result<(MethodPattern, Template, RestBinding), Vec<String>> {
    let mut template = Template::parse(&rule.template).map_err(|error| vec![error.to_string()])?;
    if options.decode_slashes {
        template = template.decoding_slashes();
    }
    let method = rule.method.parse().map_err(|error: InvalidKind| vec![error.to_string()])?;
    let variables: Vec<&str> = template.variables().iter().map(Variable::field_path).collect();
    let binding = RestBinding::compile(rule, rpc, &variables, options.clone())?;
    Ok((method, template, binding))
}
