//! Rules of `google.api.http` that stand in the configuration instead of the descriptors: the list `rules` of a service
//! configuration (google/api/http.proto, `Http`), so that services whose protos say nothing of HTTP can be served too.

use std::collections::HashMap;
use std::iter;

use serde::Deserialize;

use super::http_rule::{HttpRule, NESTED, NO_PATTERN};
use crate::setting::{Place, Problem, Spanned};

/// A `google.api.HttpRule` as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WrittenRule {
    selector: Option<Spanned<String>>,
    get: Option<String>,
    put: Option<String>,
    post: Option<String>,
    delete: Option<String>,
    patch: Option<String>,
    custom: Option<Custom>,
    body: String,
    #[serde(alias = "responseBody")]
    response_body: String,
    #[serde(alias = "additionalBindings")]
    additional_bindings: Vec<Spanned<Self>>,
}

/// A `google.api.CustomHttpPattern`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Custom {
    kind: String,
    path: String,
}

/// The rules of the configuration, each the last of its RPC.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_rpc: HashMap<String, (Place, Vec<HttpRule>)>,
}

impl Rules {
    /// Reads the list, noting what is wrong with it. Whether the RPCs exist is not known here.
    pub(crate) fn compile(written: &[Spanned<WrittenRule>], problems: &mut Vec<Problem>) -> Self {
        let mut rules = Self::default();
        for (index, rule) in written.iter().enumerate() {
            let path = format!("transcoding.rules[{index}]");
            let Some(selector) = &rule.value.selector else {
                let message = "a rule needs a selector: write `selector: package.Service.Method`";
                problems.push(Problem::at(rule, path, message));
                continue;
            };
            if selector.value.contains('/') && !selector.value.contains('*') {
                let dotted = selector.value.trim_matches('/').replace('/', ".");
                let message = format!("write a dot before the method: {dotted}");
                problems.push(Problem::at(selector, format!("{path}.selector"), message));
                continue;
            }
            let Some((service, method)) = selector.value.rsplit_once('.') else {
                let message =
                    format!("`{}` selects no RPC; write package.Service.Method", selector.value);
                problems.push(Problem::at(selector, format!("{path}.selector"), message));
                continue;
            };
            if method.ends_with('*') {
                let message =
                    "a rule is for one RPC: write package.Service.Method, without a wildcard";
                problems.push(Problem::at(selector, format!("{path}.selector"), message));
                continue;
            }
            let place = Place::of(selector, format!("{path} ({})", selector.value));
            let bindings = bindings(&rule.value, &place, problems);
            // The last one wins, so that a file of rules can be put behind another (http.proto, `Http.rules`).
            rules.by_rpc.insert(format!("{service}/{method}"), (place, bindings));
        }
        rules
    }

    /// Where the rule of an RPC stands, and its bindings.
    pub(crate) fn of(&self, rpc: &str) -> Option<&(Place, Vec<HttpRule>)> {
        self.by_rpc.get(rpc)
    }

    /// Every RPC that has a rule, and where that stands.
    pub(crate) fn rpcs(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.by_rpc.iter().map(|(rpc, (place, _))| (rpc.as_str(), place))
    }
}

/// The rule's own binding and its additional ones; what is wrong with one is noted at its own place.
fn bindings(rule: &WrittenRule, place: &Place, problems: &mut Vec<Problem>) -> Vec<HttpRule> {
    let additional = rule.additional_bindings.iter().enumerate().map(|(index, additional)| {
        let path = format!("{}.additional_bindings[{index}]", place.path());
        (Place::of(additional, path), additional.value.read_additional())
    });
    let all = iter::once((place.clone(), rule.read())).chain(additional);
    let mut bindings = Vec::new();
    for (place, binding) in all {
        match binding {
            Ok(binding) => bindings.push(binding),
            Err(message) => problems.push(place.problem(message)),
        }
    }
    bindings
}

impl WrittenRule {
    fn read_additional(&self) -> Result<HttpRule, &'static str> {
        if self.selector.is_some() {
            return Err("an additional binding is for the RPC of its rule: leave the selector out");
        }
        if !self.additional_bindings.is_empty() {
            return Err(NESTED);
        }
        self.read()
    }

    fn read(&self) -> Result<HttpRule, &'static str> {
        let kinds = [
            ("GET", &self.get),
            ("PUT", &self.put),
            ("POST", &self.post),
            ("DELETE", &self.delete),
            ("PATCH", &self.patch),
        ];
        let kinds = kinds.into_iter().filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
        let custom = self.custom.iter().map(|custom| (custom.kind.as_str(), &custom.path));
        let mut patterns = kinds.chain(custom);
        match (patterns.next(), patterns.next()) {
            (Some((method, template)), None) => Ok(HttpRule {
                method: method.to_owned(),
                template: template.clone(),
                body: self.body.clone(),
                response_body: self.response_body.clone(),
            }),
            (None, _) => Err(NO_PATTERN),
            (Some(_), Some(_)) => {
                Err("one binding has one pattern: put the others into additional_bindings")
            }
        }
    }
}
