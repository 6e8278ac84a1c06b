//! A REST request becomes a message: body, then query, then path (google/api/http.proto, "Rules for HTTP mapping").

use std::borrow::Cow;
use std::collections::HashSet;
use std::pin::pin;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time;

use super::query::{self, invalid};
use super::raw;
use super::{Answer, Framing, InvalidField, LAST_EVENT_ID, RequestBody, RestBinding};
use crate::context::{BoxError, Deadline};
use crate::message::{Field, FieldPath, Names, TextPath};
use crate::transcoding::{Error, UnreadableBody};

impl RestBinding {
    /// Whether a body with this head is one that the route takes.
    pub(in crate::transcoding) fn admit_body(&self, headers: &HeaderMap) -> Result<(), Error> {
        match self.body {
            RequestBody::Nothing => Err(Error::UnexpectedBody),
            _ if self.takes_raw => raw::content_type(headers).map(drop),
            _ if is_json(headers) => Ok(()),
            _ => Err(Error::MediaType),
        }
    }

    /// Writes the message as wire bytes, and says which names the client used; the body was admitted, or is empty.
    pub(in crate::transcoding) fn read(
        &self,
        captures: &[Cow<'_, str>],
        parts: &Parts,
        framing: Option<&Framing>,
        body: &[u8],
    ) -> Result<(Bytes, Names), Error> {
        let mut wire = Vec::with_capacity(body.len() + 64);
        let in_body = self.read_body(&parts.headers, body, &mut wire)?;
        let in_query = self.read_query(parts.uri.query().unwrap_or_default(), &mut wire)?;
        self.resume(framing, &mut wire)?;
        for (variable, value) in self.variables.iter().zip(captures) {
            bind(variable, value, &mut wire)?;
        }
        Ok((wire.into(), in_body.and(in_query)))
    }

    /// A client that comes again with the id of the last event it has seen goes on there, whatever its query says: a
    /// browser repeats the query as it was at first.
    fn resume(&self, framing: Option<&Framing>, wire: &mut Vec<u8>) -> Result<(), Error> {
        let Answer::Stream(_, Some(variable)) = &self.answer else { return Ok(()) };
        let Some(last) = framing.and_then(Framing::last_event_id) else { return Ok(()) };
        let refuse = |problem| InvalidField {
            place: "header",
            name: LAST_EVENT_ID.as_str().to_owned(),
            problem,
        };
        let last = std::str::from_utf8(last.as_bytes())
            .map_err(|_| refuse("it is not UTF-8".to_owned()))?;
        variable.encode(last, wire).map_err(|error| refuse(error.reason()))?;
        Ok(())
    }

    fn read_body(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        wire: &mut Vec<u8>,
    ) -> Result<Names, Error> {
        if self.takes_raw {
            let field = match &self.body {
                RequestBody::Field(field) => Some(field.number()),
                _ => None,
            };
            raw::push(field, headers, body, wire)?;
            return Ok(Names::default());
        }
        match &self.body {
            _ if body.is_empty() => Ok(Names::default()),
            RequestBody::Everything => {
                Ok(self.input.json_to_wire(body, &self.options.json_in, wire)?)
            }
            RequestBody::Field(field) => {
                Ok(field.json_to_wire(body, &self.options.json_in, wire)?)
            }
            RequestBody::Nothing => Err(Error::UnexpectedBody),
        }
    }

    fn read_query(&self, query: &str, wire: &mut Vec<u8>) -> Result<Names, Error> {
        let mut names = Names::default();
        let mut seen = HashSet::new();
        for (name, value) in query::pairs(query)? {
            if self.options.ignored_parameters.contains(&name) {
                continue;
            }
            if matches!(self.body, RequestBody::Everything) {
                return Err(invalid(
                    &name,
                    "not allowed, this route takes everything from the body",
                )
                .into());
            }
            let path = FieldPath::parse(&self.input, &name)
                .and_then(TextPath::new)
                .map_err(|error| invalid(&name, &error.reason()))?
                .ignoring_case(self.options.json_in.ignore_case);
            if let RequestBody::Field(field) = &self.body
                && path.path().fields().first().map(Field::number) == Some(field.number())
            {
                return Err(invalid(
                    &name,
                    &format!("not allowed, `{}` is the body", field.json_name()),
                )
                .into());
            }
            let numbers = path.path().fields().iter().map(Field::number).collect::<Vec<_>>();
            if seen.insert(numbers) {
                if let Some(rival) = path.path().rival(wire)? {
                    return Err(invalid(&name, &beside(&rival)).into());
                }
            } else if !path.is_repeated() {
                return Err(invalid(&name, "given twice, but it holds one value").into());
            }
            path.encode(&value, wire).map_err(|error| invalid(&name, &error.reason()))?;
            names = names.and(path.path().names());
        }
        Ok(names)
    }
}

/// Whether a body holds nothing. It is read no further than to its first byte.
pub(in crate::transcoding) async fn is_empty<B>(
    body: B,
    deadline: Deadline,
) -> Result<bool, UnreadableBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > 0 {
        return Ok(false);
    }
    let mut body = pin!(body);
    let first = async {
        while let Some(frame) = body.frame().await {
            if frame?.data_ref().is_some_and(|data| !data.is_empty()) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let first = time::timeout_at(deadline.instant(), first).await;
    let first = first.map_err(|_late| UnreadableBody::TooSlow)?;
    first.map_err(|error: B::Error| UnreadableBody::Broken(error.into()))
}

/// Binds a path variable. Body and query may say the same, but nothing else.
fn bind(variable: &TextPath, value: &str, wire: &mut Vec<u8>) -> Result<(), Error> {
    let field = variable.path();
    let refuse =
        |problem: String| InvalidField { place: "path variable", name: field.to_string(), problem };
    let mut bound = Vec::new();
    variable.encode(value, &mut bound).map_err(|error| refuse(error.reason()))?;
    if let Some(rival) = field.rival(wire)? {
        return Err(refuse(beside(&rival)).into());
    }
    if let Some(present) = field.find(wire)?
        && present != field.read(&bound)?
    {
        let problem =
            "it has another value in the body or the query, leave it out there".to_owned();
        return Err(refuse(problem).into());
    }
    wire.extend_from_slice(&bound);
    Ok(())
}

fn beside(rival: &str) -> String {
    format!("not allowed beside `{rival}`, of these two only one can be set")
}

/// Whether the content type is JSON in UTF-8 (RFC 8259, section 8.1). Exactly one is needed.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| {
            parameter.split_once('=').is_none_or(|(name, value)| {
                !name.eq_ignore_ascii_case("charset")
                    || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
}
