//! A failure as a REST client reads it: `application/problem+json` (RFC 9457).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response};
use prost::Message as _;
use serde::Serialize;
use serde_json::value::RawValue;
use tonic_types::pb;

use super::Settings;
use crate::context::{RequestId, Verdict, code_name, seconds};
use crate::message::{JsonOut, Schema};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Box<RawValue>>,
}

/// Renders a verdict as an answer.
pub(super) fn render(
    verdict: &Verdict,
    request_id: &RequestId,
    settings: &Settings,
) -> Response<Bytes> {
    let mut response = Response::new(body(verdict, request_id, settings));
    *response.status_mut() = settings.status(verdict);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(wait) = verdict.retry_after {
        headers.insert(RETRY_AFTER, seconds(wait).into());
    }
    headers.extend(verdict.headers.iter().cloned());
    response
}

/// Writes a verdict down, for an answer of its own or within a stream.
pub(super) fn body(verdict: &Verdict, request_id: &RequestId, settings: &Settings) -> Bytes {
    let Settings { schema, problem_base: base, .. } = settings;
    let status = settings.status(verdict);
    let phrase = match status.as_u16() {
        // Not registered; the name is nginx's, which began to use it.
        499 => "Client Closed Request",
        _ => status.canonical_reason().unwrap_or("Unknown"),
    };
    let problem = Problem {
        r#type: verdict.row.map_or_else(|| "about:blank".to_owned(), |row| format!("{base}/{row}")),
        title: verdict.row.map_or_else(|| phrase.to_owned(), title),
        status: status.as_u16(),
        detail: &verdict.detail,
        code: code_name(verdict.code),
        reason: verdict.reason.as_deref(),
        request_id: request_id.as_str(),
        details: details(&verdict.details, schema),
    };
    serde_json::to_vec(&problem).unwrap_or_default().into()
}

/// `token-expired` reads `Token expired`.
fn title(row: &str) -> String {
    let mut title = row.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

/// The details of a `google.rpc.Status` as proto3 JSON; a type that the schema does not know stays readable as base64.
fn details(status: &[u8], schema: &Arc<Schema>) -> Vec<Box<RawValue>> {
    let Ok(status) = pb::Status::decode(status) else { return Vec::new() };
    status.details.iter().filter_map(|any| known(any, schema).or_else(|| unknown(any))).collect()
}

fn known(any: &prost_types::Any, schema: &Arc<Schema>) -> Option<Box<RawValue>> {
    let mut json = Vec::new();
    schema
        .message("google.protobuf.Any")?
        .wire_to_json(&any.encode_to_vec(), &JsonOut::default(), &mut json)
        .ok()?;
    RawValue::from_string(String::from_utf8(json).ok()?).ok()
}

fn unknown(any: &prost_types::Any) -> Option<Box<RawValue>> {
    let readable =
        serde_json::json!({ "@type": any.type_url, "value": STANDARD.encode(&any.value) });
    serde_json::value::to_raw_value(&readable).ok()
}
