//! The REST dialect: what `google.api.http` says about one route, compiled against the types of its RPC.

mod query;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(super) use request::is_empty;
use thiserror::Error;

use super::{HttpRule, Options};
use crate::message::{Field, FieldPath, MessageType, RpcType, TextPath};

/// A path variable or a query parameter that can't be bound to its field.
#[derive(Debug, Error)]
#[error("the {place} `{name}`: {problem}")]
pub(crate) struct InvalidField {
    /// Where it stands: `path variable` or `query parameter`.
    pub(crate) place: &'static str,
    /// The field as the client or the template spells it.
    pub(crate) name: String,
    /// What is wrong and what to do.
    pub(crate) problem: String,
}

/// One REST route, ready to translate.
#[derive(Debug)]
pub(crate) struct RestBinding {
    input: MessageType,
    output: MessageType,
    /// One for each variable of the template, in its order.
    variables: Vec<TextPath>,
    body: RequestBody,
    response_body: Option<Field>,
    streams: bool,
    options: Options,
}

/// What the body of a request holds.
#[derive(Debug)]
enum RequestBody {
    /// Every field that is not in the path.
    Everything,
    /// One top-level field.
    Field(Field),
    /// Nothing.
    Nothing,
}

impl RestBinding {
    /// Whether the RPC answers with a stream, for which REST has no form here.
    pub(crate) fn answers_with_a_stream(&self) -> bool {
        self.streams
    }

    /// Checks a rule against the types of its RPC; `variables` are the field paths of its template.
    ///
    /// Fails with one sentence for each mistake.
    pub(crate) fn compile(
        rule: &HttpRule,
        rpc: &RpcType,
        variables: &[&str],
        options: Options,
    ) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let input = rpc.input().clone();
        let output = rpc.output().clone();
        let streams = rpc.server_streaming();
        let mut bound = Vec::new();
        for name in variables {
            match FieldPath::parse(&input, name).and_then(TextPath::new) {
                Ok(path) if path.is_repeated() => {
                    mistakes.push(format!(
                        "the variable `{name}`: it is a repeated field, which a path can't hold"
                    ));
                }
                Ok(path) => bound.push(path.ignoring_case(options.json_in.ignore_case)),
                Err(error) => mistakes.push(format!("the variable {error}")),
            }
        }
        let mut top_level = |message: &MessageType, name: &str, option: &str| {
            let field = message.field(name);
            if field.is_none() {
                mistakes.push(format!("{option}: {} has no field `{name}`", message.full_name()));
            }
            field
        };
        let body = match rule.body.as_str() {
            "" => Some(RequestBody::Nothing),
            "*" => Some(RequestBody::Everything),
            name => top_level(&input, name, "body").map(RequestBody::Field),
        };
        let response_body = match rule.response_body.as_str() {
            "" => None,
            name => top_level(&output, name, "response_body"),
        };
        match body {
            Some(body) if mistakes.is_empty() => {
                Ok(Self { input, output, variables: bound, body, response_body, streams, options })
            }
            _ => Err(mistakes),
        }
    }
}
