//! The section `transcoding`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::setting::Spanned;

/// How REST becomes gRPC and back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// HTTP statuses (400 to 599) by the reason of a `google.rpc.ErrorInfo`; they replace the status of the gRPC code.
    pub(crate) status_by_reason: BTreeMap<String, Spanned<u16>>,
    /// Request headers that are passed on to services as metadata.
    pub(crate) request_headers: Vec<Spanned<String>>,
    /// Metadata of an answer that is passed on to the client as headers.
    pub(crate) response_headers: Vec<Spanned<String>>,
    /// What the `type` of a problem begins with (RFC 9457); without it, a path on this gateway.
    pub(crate) problem_base: Option<Spanned<String>>,
}
