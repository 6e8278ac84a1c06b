//! Rules against the kitchen sink, in which every kind of field stands in every place.

mod admitted;
mod checked;
mod decided;
mod section;
mod undecided;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::context::{Identity, Principal, RpcId};
use crate::message::kitchen_sink::{sink, wire};
use crate::setting::Problem;

/// A section with one rule for `Sink/Read`, whose request and answer are both an `All`.
fn compile(rule: &str) -> Result<Arc<Rule>, Vec<String>> {
    let rule = rule.replace('\'', "''");
    let yaml = format!("rules:\n  r: '{rule}'\naccess:\n  sink.v1.Sink/Read: r\n");
    let (rule, problems) = section(&yaml, "sink.v1.Sink/Read");
    if problems.is_empty() { Ok(rule.unwrap()) } else { Err(problems) }
}

/// What a section says of one RPC, and what is wrong with it.
fn section(yaml: &str, rpc: &str) -> (Option<Arc<Rule>>, Vec<String>) {
    let config: Config = serde_saphyr::from_str(yaml).unwrap();
    let mut problems = Vec::new();
    let lines = config.compile(Some(&sink()), &mut problems);
    problems.sort_by_key(Problem::place);
    let (service, method) = rpc.split_once('/').unwrap();
    let rule = lines.get(&RpcId::new(service, method)).and_then(|line| line.rule.clone());
    (rule, problems.iter().map(ToString::to_string).collect())
}

fn known(id: &str, roles: &[&str]) -> Principal {
    let roles = roles.iter().map(|&role| role.to_owned()).collect();
    Principal::Known(Arc::new(Identity::new(id.to_owned(), roles, None).unwrap()))
}

/// An `All` as wire bytes.
fn all(json: &str) -> Bytes {
    wire("sink.v1.All", json).into()
}

/// What becomes of a call whose principal, request and answer are these, and how far it came.
fn judge(
    rule: &Arc<Rule>,
    principal: &Principal,
    request: &[u8],
    answer: &[u8],
) -> Result<(), (Step, Denied)> {
    let permit = rule.admit(principal).map_err(|denied| (Step::Admit, denied))?;
    let rest = rule.allow(permit, principal, &Bytes::copy_from_slice(request));
    match rest.map_err(|denied| (Step::Allow, denied))? {
        None => Ok(()),
        Some(rest) => rest.allow_answer(answer).map_err(|denied| (Step::Answer, denied)),
    }
}

/// Where a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Admit,
    Allow,
    Answer,
}
