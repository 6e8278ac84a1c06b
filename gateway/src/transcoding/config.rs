//! The section `transcoding`.

use std::collections::BTreeMap;

use super::rules::WrittenRule;
use crate::setting::{Period, Spanned, layered};

layered! {
    /// How REST becomes gRPC and back.
    own: {
        /// HTTP statuses (400 to 599) by the reason of a `google.rpc.ErrorInfo`; they replace the status of the gRPC code.
        status_by_reason: BTreeMap<String, Spanned<String>>,
        /// Request headers that are passed on to services as metadata.
        request_headers: Vec<Spanned<String>>,
        /// Metadata of an answer that is passed on to the client as headers.
        response_headers: Vec<Spanned<String>>,
        /// What the `type` of a problem begins with (RFC 9457); without it, a path on this gateway.
        problem_base: Option<Spanned<String>>,
        /// Rules of `google.api.http`, in place of those in the descriptors; of several for one RPC the last.
        rules: Vec<Spanned<WrittenRule>>,
    }
    options: {
        /// Write fields that hold their default.
        emit_defaults: bool,
        /// Write enums as numbers.
        enum_numbers: bool,
        /// Pass over fields and enum names of a body that the schema does not know, instead of refusing them.
        ignore_unknown_fields: bool,
        /// Names of query parameters that are passed over, whatever they mean.
        ignore_query_parameters: Vec<String>,
        /// Read the names of enum values in any case: in body, query and path.
        case_insensitive_enums: bool,
        /// Decode `%2F` in path variables of several segments too, where it can't be told from a separator any more.
        decode_slashes: bool,
        /// The field of each message of a stream that is the id of its event: one string or integer, as a path of names.
        event_id: Spanned<String>,
        /// The field of the request that takes the id of the last event which the client has seen.
        last_event_id: Spanned<String>,
        /// How long a stream of events may be silent until a comment shows that it is alive.
        heartbeat: Period,
    }
}

impl Config {
    /// What is said of this one RPC, where that is about streams.
    pub(super) fn of_stream(&self, rpc: &str) -> impl Iterator<Item = (&str, &Spanned<String>)> {
        self.rpcs.get(rpc).into_iter().flat_map(|layer| {
            let layer = &layer.value;
            let named = [("event_id", &layer.event_id), ("last_event_id", &layer.last_event_id)];
            named.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)))
        })
    }

    /// What holds for an RPC behind an upstream, whichever layer says it.
    pub(super) fn layers(&self, rpc: &str, upstream: &str) -> Layer {
        self.of_rpc(rpc, upstream)
    }
}
