//! The REST dialect: what `google.api.http` says about one route, compiled against the types of its RPC.

mod output;
mod query;
mod raw;
mod request;
mod response;
mod spelling;
mod stream;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub(super) use self::request::is_empty;
use self::response::Answer;
pub(crate) use self::stream::Framing;
pub(super) use self::stream::LAST_EVENT_ID;

use super::{HttpRule, Options};
use crate::message::{Field, FieldPath, MessageType, RpcType, Shape, TextPath};

/// A path variable, a query parameter or a header that can't be bound to its field.
#[derive(Debug, Error)]
#[error("the {place} `{name}`: {problem}")]
pub(crate) struct InvalidField {
    /// Where it stands: `path variable`, `query parameter` or `header`.
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
    /// One for each variable of the template, in its order.
    variables: Vec<TextPath>,
    body: RequestBody,
    /// Whether the body is the bytes of a `google.api.HttpBody`.
    takes_raw: bool,
    answer: Answer,
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

impl RequestBody {
    /// Whether it is bytes of a type of their own, and not JSON.
    fn is_raw(&self, input: &MessageType) -> bool {
        match self {
            Self::Everything => output::is_http_body(Some(input.clone())),
            Self::Field(field) => {
                matches!(field.shape(), Shape::Singular { .. })
                    && output::is_http_body(field.message_type())
            }
            Self::Nothing => false,
        }
    }
}

impl RestBinding {
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
        if let Some(last) = &options.last_event_id
            && bound.iter().any(|variable| variable.path().fields() == last.path().fields())
        {
            let field = last.path();
            mistakes.push(format!("last_event_id can't be `{field}`, which is in the path"));
        }
        let body = match rule.body.as_str() {
            "" => Some(RequestBody::Nothing),
            "*" => Some(RequestBody::Everything),
            name => input.field(name).map(RequestBody::Field),
        };
        if body.is_none() {
            mistakes.push(format!("body: {} has no field `{}`", input.full_name(), rule.body));
        }
        let answer = Answer::compile(rpc, &rule.response_body, &options, &mut mistakes);
        match (body, answer) {
            (Some(body), Some(answer)) if mistakes.is_empty() => {
                let takes_raw = body.is_raw(&input);
                Ok(Self { input, variables: bound, body, takes_raw, answer, options })
            }
            _ => Err(mistakes),
        }
    }
}
