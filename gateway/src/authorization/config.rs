//! The section `authorization`: who may call what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::access::WORDS;
use super::check::{Reads, check};
use super::expression::Condition;
use super::source::{self, Fault};
use super::{Access, Rule};
use crate::context::RpcId;
use crate::message::{Idempotency, RpcType, Schema};
use crate::setting::{Place, Problem, Spanned};

/// The section as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name to expression (CEL).
    #[serde(default)]
    rules: BTreeMap<String, Spanned<String>>,
    /// RPC (`package.Service/Method`) to access. An RPC without a line is not exposed.
    #[serde(default)]
    pub(crate) access: BTreeMap<String, Spanned<String>>,
    /// RPCs of which the service decides whose the object is.
    #[serde(default)]
    ownership_upstream: Vec<Spanned<String>>,
}

/// One access line that is written right.
#[derive(Debug)]
pub(crate) struct Line {
    /// What is written, and where.
    pub(crate) access: Spanned<Access>,
    /// What it means for its RPC; `None` when that is already known to be wrong.
    pub(crate) rule: Option<Arc<Rule>>,
}

type Checked = Result<(Condition, Reads), Vec<Fault>>;

impl Config {
    /// The lines that are written right; what is wrong with the others is added to the problems. Whether the RPCs
    /// exist is said by whoever exposes them; without a schema, rules are only parsed.
    pub(crate) fn compile(
        &self,
        schema: Option<&Arc<Schema>>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<RpcId, Line> {
        let lines = self.lines(schema, problems);
        let owned = self.ownership_upstream(&lines, schema, problems);
        let mut checked = self.check(&lines, schema, problems);
        let mut compiled = BTreeMap::new();
        for (rpc, access) in lines {
            let by_service = owned.contains(rpc.as_str());
            let rule = match &access.value {
                Access::Rule(_) => checked
                    .remove(&rpc)
                    .map(|checked| Rule::written(access.value.clone(), checked, by_service)),
                other => Some(Rule::of_access(other.clone(), by_service)),
            };
            if let Some(rule) = rule.as_ref().filter(|rule| by_service && rule.conceals()) {
                let message = format!(
                    "`{rpc}` has the rule `{}`, which decides by the answer whose it is: let either the gateway decide or the service",
                    rule.access()
                );
                problems.extend(self.ownership_problem(rpc.as_str(), message));
            }
            compiled.insert(rpc, Line { access, rule: rule.map(Arc::new) });
        }
        compiled
    }

    fn lines(
        &self,
        schema: Option<&Arc<Schema>>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<RpcId, Spanned<Access>> {
        for (name, rule) in &self.rules {
            if let Err(message) = rule_name(name) {
                problems.push(Problem::at(rule, format!("authorization.rules.{name}"), message));
            }
        }
        let mut read = BTreeMap::new();
        for (rpc, line) in &self.access {
            let mut complain = |message| {
                problems.push(Problem::at(line, format!("authorization.access.{rpc}"), message));
            };
            let rules = self.rules.keys().map(String::as_str);
            match (rpc_id(rpc), Access::parse(&line.value, rules)) {
                (Some(rpc), Ok(access)) => {
                    read.insert(rpc, Spanned::new(access, line.referenced, line.defined));
                }
                (None, Ok(_)) => {
                    complain(not_an_rpc(rpc, schema));
                }
                (_, Err(message)) => complain(message),
            }
        }
        read
    }

    /// Which RPCs leave ownership to their service. Said, never assumed: so what is said must make sense.
    fn ownership_upstream(
        &self,
        lines: &BTreeMap<RpcId, Spanned<Access>>,
        schema: Option<&Arc<Schema>>,
        problems: &mut Vec<Problem>,
    ) -> BTreeSet<&str> {
        let mut owned = BTreeSet::new();
        for rpc in &self.ownership_upstream {
            let name = rpc.value.as_str();
            let line = rpc_id(name).and_then(|id| lines.get(&id));
            let known = schema.is_none_or(|schema| schema.method(name).is_some());
            let message = match line.map(|line| &line.value) {
                _ if !known => Some(format!("the schema has no RPC `{name}`")),
                // A line that could not be read was complained of already.
                None if self.access.contains_key(name) => None,
                None => Some(format!("`{name}` has no access line: say who may call it at all")),
                Some(access @ (Access::Public | Access::Internal)) => Some(format!(
                    "`{name}` is {access}, so its service knows no principal to whom an object could belong"
                )),
                Some(_) if !owned.insert(name) => Some(format!("`{name}` is there twice")),
                Some(_) => None,
            };
            if let Some(message) = message {
                problems.push(Problem::at(rpc, "authorization.ownership_upstream", message));
            }
        }
        owned
    }

    fn ownership_problem(&self, rpc: &str, message: String) -> Option<Problem> {
        let written = self.ownership_upstream.iter().find(|written| written.value == rpc)?;
        Some(Problem::at(written, "authorization.ownership_upstream", message))
    }

    /// Checks each rule for each RPC that has it. A rule is parsed once.
    fn check(
        &self,
        lines: &BTreeMap<RpcId, Spanned<Access>>,
        schema: Option<&Arc<Schema>>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<RpcId, (Condition, Reads)> {
        let mut conditions = BTreeMap::new();
        for (name, rule) in &self.rules {
            let users: Vec<(&RpcId, &Spanned<Access>, RpcType)> = lines
                .iter()
                .filter(|(_, line)| matches!(&line.value, Access::Rule(its) if its == name))
                .filter_map(|(id, line)| Some((id, line, schema?.method(id.as_str())?)))
                .collect();
            let path = format!("authorization.rules.{name}");
            let complain = |fault: Fault, of: &str| {
                Place::within(rule, fault.at, format!("{path}{of}")).problem(fault.message)
            };
            let rpcs = users.iter().map(|(_, _, rpc)| rpc);
            let checked = source::parse(&rule.value, |parsed| {
                rpcs.map(|rpc| check(parsed, rpc)).collect::<Vec<Checked>>()
            });
            let checked = match checked {
                Ok(checked) => checked,
                Err(faults) => {
                    problems.extend(faults.into_iter().map(|fault| complain(fault, "")));
                    continue;
                }
            };
            for ((id, line, rpc), checked) in users.into_iter().zip(checked) {
                match checked {
                    Ok((_, reads))
                        if reads.response && rpc.idempotency() != Idempotency::NoSideEffects =>
                    {
                        let message = format!(
                            "the rule `{name}` reads response, and `{id}` does not declare idempotency_level = NO_SIDE_EFFECTS: once it has answered, it is too late for a no; make it authenticated and name it under authorization.ownership_upstream, if its service decides whose the object is"
                        );
                        let path = format!("authorization.access.{id}");
                        problems.push(Problem::at(line, path, message));
                    }
                    Ok(checked) => drop(conditions.insert(id.clone(), checked)),
                    Err(faults) => {
                        let of = format!(" (for {id})");
                        problems.extend(faults.into_iter().map(|fault| complain(fault, &of)));
                    }
                }
            }
        }
        conditions
    }
}

fn rule_name(name: &str) -> Result<(), String> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && name.starts_with(|first: char| first.is_ascii_alphabetic());
    if WORDS.contains(&name) {
        Err(format!(
            "`{name}` means something else in a line of access: give the rule another name"
        ))
    } else if fits {
        Ok(())
    } else {
        Err(format!(
            "`{name}` can't be the name of a rule; it has 1 to 64 letters, digits, `_` or `-`, a letter first"
        ))
    }
}

fn not_an_rpc(text: &str, schema: Option<&Arc<Schema>>) -> String {
    if text.contains('*') {
        return format!(
            "`{text}` is not an RPC, and there are no wildcards: write a line package.Service/Method for each"
        );
    }
    let instead = schema.and_then(|schema| corrected(text, schema));
    let instead = instead.unwrap_or_else(|| "package.Service/Method".to_owned());
    format!("`{text}` is not an RPC; write {instead}")
}

/// The RPC that is named as it is elsewhere: with a dot before the method, or as the path of a request.
pub(crate) fn corrected(text: &str, schema: &Arc<Schema>) -> Option<String> {
    let name = text.trim_matches('/');
    let dotted = || name.rsplit_once('.').map(|(service, method)| format!("{service}/{method}"));
    let name = if name.contains('/') { Some(name.to_owned()) } else { dotted() };
    name.filter(|name| name != text && schema.method(name).is_some())
}

fn rpc_id(text: &str) -> Option<RpcId> {
    let (service, method) = text.split_once('/')?;
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    (service.split('.').all(is_name) && is_name(method)).then(|| RpcId::new(service, method))
}
