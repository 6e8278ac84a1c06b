//! How one route translates where `google.api.http` and the JSON mapping leave a choice.

use std::time::Duration;

use super::Config;
use super::config::Layer;
use crate::message::{FieldPath, JsonIn, JsonOut, Kind, RpcType, Shape, TextPath};
use crate::setting::{Period, Problem, Spanned};

/// Many proxies close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What holds for one route, whichever layer of the configuration said it.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How its requests' JSON is read; enums in path and query obey it too.
    pub(super) json_in: JsonIn,
    /// How its answers' JSON is written.
    pub(super) json_out: JsonOut,
    /// Query parameters that are passed over.
    pub(super) ignored_parameters: Box<[String]>,
    /// What becomes of `%2F` in variables of several segments. The router decodes them, before this room sees a value.
    pub(crate) decode_slashes: bool,
    /// The field of each message of a stream that is the id of its event.
    pub(super) event_id: Option<FieldPath>,
    /// The field of the request that takes the id of the last event which the client has seen.
    pub(super) last_event_id: Option<TextPath>,
    /// How long a stream of events may be silent.
    pub(super) heartbeat: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self::of(Layer::default())
    }
}

impl Options {
    /// The options of an RPC behind an upstream; notes what is wrong with them.
    pub(crate) fn compile(
        config: &Config,
        rpc: &RpcType,
        upstream: &str,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let name = rpc.name();
        let path = |key: &str| format!("transcoding.{key} ({name})");
        let layer = config.layers(&name, upstream);
        if !rpc.server_streaming() {
            for (key, value) in config.of_stream(&name) {
                let message = "it answers with one message, and this is for streams";
                problems.push(Problem::at(value, path(key), message));
            }
            return Self::of(layer);
        }
        let mut noted = |key, written: &Spanned<String>, mistake: String| {
            problems.push(Problem::at(written, path(key), mistake));
        };
        let event_id = layer.event_id.as_ref().and_then(|written| {
            event_id(rpc, &written.value).map_err(|m| noted("event_id", written, m)).ok()
        });
        let last_event_id = layer.last_event_id.as_ref().and_then(|written| {
            last_event_id(rpc, &written.value).map_err(|m| noted("last_event_id", written, m)).ok()
        });
        Self { event_id, last_event_id, ..Self::of(layer) }
    }

    fn of(layer: Layer) -> Self {
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
            event_id: None,
            last_event_id: None,
            heartbeat: layer.heartbeat.map_or(HEARTBEAT, Period::duration),
        }
    }
}

fn event_id(rpc: &RpcType, name: &str) -> Result<FieldPath, String> {
    let path = FieldPath::parse(rpc.output(), name).map_err(|error| error.to_string())?;
    if can_be_id(&path) {
        Ok(path)
    } else {
        Err(format!("`{name}` can't be the id of an event: it must be one string or integer"))
    }
}

fn can_be_id(field: &FieldPath) -> bool {
    let number = matches!(
        field.leaf().kind(),
        Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
    );
    let one = matches!(field.leaf().shape(), Shape::Singular { .. }) && !field.is_repeated();
    one && (number || field.leaf().kind() == Kind::String)
}

fn last_event_id(rpc: &RpcType, name: &str) -> Result<TextPath, String> {
    let path = FieldPath::parse(rpc.input(), name).and_then(TextPath::new);
    match path {
        Ok(path) if path.is_repeated() => {
            Err(format!("`{name}` can't take an id: it is a repeated field"))
        }
        path => path.map_err(|error| error.to_string()),
    }
}
