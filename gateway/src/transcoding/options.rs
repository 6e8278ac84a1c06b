//! How one route translates where `google.api.http` and the JSON mapping leave a choice.

use super::Config;
use crate::message::{JsonIn, JsonOut};

/// What holds for one route, whichever layer of the configuration said it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// How its requests' JSON is read; enums in path and query obey it too.
    pub(super) json_in: JsonIn,
    /// How its answers' JSON is written.
    pub(super) json_out: JsonOut,
    /// Query parameters that are passed over.
    pub(super) ignored_parameters: Box<[String]>,
    /// What becomes of `%2F` in variables of several segments. The router decodes them, before this room sees a value.
    pub(crate) decode_slashes: bool,
}

impl Options {
    /// The options of an RPC behind an upstream.
    pub(crate) fn compile(config: &Config, rpc: &str, upstream: &str) -> Self {
        let layer = config.layers(rpc, upstream);
        Self {
            json_in: JsonIn {
                ignore_unknown: layer.ignore_unknown_fields.unwrap_or_default(),
                ignore_case: layer.case_insensitive_enums.unwrap_or_default(),
            },
            json_out: JsonOut {
                defaults: layer.emit_defaults.unwrap_or_default(),
                enum_numbers: layer.enum_numbers.unwrap_or_default(),
            },
            ignored_parameters: layer.ignore_query_parameters.unwrap_or_default().into(),
            decode_slashes: layer.decode_slashes.unwrap_or_default(),
        }
    }
}
