//! The section `transcoding`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rules::WrittenRule;
use crate::setting::{Period, Spanned};

/// Declares the section: its own keys, and the options, which stand in it as defaults and once more in each of its layers.
///
/// Serde's `flatten` would do without a macro, but forgets on which line a value stands.
macro_rules! section {
    (
        own: { $($(#[$own_doc:meta])* $own:ident: $own_type:ty,)* }
        options: { $($(#[$doc:meta])* $option:ident: $type:ty,)* }
    ) => {
        /// How REST becomes gRPC and back.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Config {
            $($(#[$own_doc])* pub(crate) $own: $own_type,)*
            $($(#[$doc])* pub(super) $option: Option<$type>,)*
        }

        /// Options as one layer states them: what it leaves out, a wider one says.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct Layer {
            $($(#[$doc])* pub(super) $option: Option<$type>,)*
        }

        impl Config {
            /// The options as they stand in the section itself.
            fn defaults(&self) -> Layer {
                Layer { $($option: self.$option.clone(),)* }
            }
        }

        impl Layer {
            /// What this layer says, and a wider one where this says nothing.
            fn or(self, wider: &Self) -> Self {
                Self { $($option: self.$option.or_else(|| wider.$option.clone()),)* }
            }
        }
    };
}

section! {
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
        /// Options for all RPCs of an upstream, by its name.
        upstreams: BTreeMap<String, Spanned<Layer>>,
        /// Options for one RPC, by `package.Service/Method`.
        rpcs: BTreeMap<String, Spanned<Layer>>,
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

    /// The options of an RPC behind an upstream: the nearest layer wins.
    pub(super) fn layers(&self, rpc: &str, upstream: &str) -> Layer {
        let nearest = self.rpcs.get(rpc).into_iter().chain(self.upstreams.get(upstream));
        nearest.fold(Layer::default(), |layer, wider| layer.or(&wider.value)).or(&self.defaults())
    }
}
