//! What is said of an RPC that a setting names in vain, and which one was probably meant.

use std::sync::Arc;

use crate::authorization::corrected;
use crate::config::Config;
use crate::message::{RpcType, Schema, nearest};

/// How many RPCs are offered.
const OFFERED: usize = 5;

/// Why a setting for an RPC would do nothing, and look as if it did: there is no such RPC, or nobody can call it.
pub(super) fn uncallable(
    rpc: &str,
    config: &Config,
    schema: Option<&Arc<Schema>>,
) -> Option<String> {
    if let Some(schema) = schema.filter(|schema| schema.method(rpc).is_none()) {
        return Some(unknown(rpc, schema));
    }
    match config.authorization.access.get(rpc) {
        Some(line) if line.value == "internal" => Some(format!(
            "nobody can call `{rpc}`, it is internal, so this does nothing: say in its access line who may, or leave this out"
        )),
        None if !config.unread("authorization") => Some(format!(
            "nobody can call `{rpc}`, so this does nothing: give it an access line, or leave this out"
        )),
        _ => None,
    }
}

/// Says that there is no such RPC, and what was probably meant; where nothing is near, what its service has.
pub(super) fn unknown(rpc: &str, schema: &Arc<Schema>) -> String {
    let near = near(rpc, schema);
    let hint = if near.is_empty() {
        let service = rpc.split_once('/').map_or("", |(service, _)| service);
        let others: Vec<String> = of_service(service, schema).map(|rpc| rpc.name()).collect();
        if others.is_empty() { String::new() } else { format!("; there are {}", list(&others)) }
    } else {
        format!("; did you mean {}?", list(&near))
    };
    format!("the schema has no RPC `{rpc}`{hint}")
}

/// The RPC that an access line which names none was probably meant for, if only one comes into question.
pub(super) fn meant(line: &str, schema: &Arc<Schema>) -> Option<String> {
    if schema.method(line).is_some() {
        return None;
    }
    corrected(line, schema).or_else(|| {
        let mut near = near(line, schema);
        near.pop().filter(|_| near.is_empty())
    })
}

/// The RPCs of this name elsewhere, or else the one of the service whose name is nearest.
fn near(rpc: &str, schema: &Arc<Schema>) -> Vec<String> {
    let Some((service, method)) = rpc.split_once('/') else { return Vec::new() };
    let namesakes = schema.methods().filter(|rpc| rpc.method() == method);
    let namesakes: Vec<String> = namesakes.map(|rpc| rpc.name()).collect();
    if !namesakes.is_empty() {
        return namesakes;
    }
    let others: Vec<RpcType> = of_service(service, schema).collect();
    let meant = nearest(method, others.iter().map(RpcType::method));
    meant.map(|method| format!("{service}/{method}")).into_iter().collect()
}

fn of_service(service: &str, schema: &Arc<Schema>) -> impl Iterator<Item = RpcType> {
    schema.methods().filter(move |rpc| rpc.service() == service)
}

fn list(rpcs: &[String]) -> String {
    let more = if rpcs.len() > OFFERED { ", …" } else { "" };
    let shown: Vec<&str> = rpcs.iter().take(OFFERED).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}
