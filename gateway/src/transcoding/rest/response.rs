//! A message becomes a REST answer: JSON, or the raw bytes of a `google.api.HttpBody`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Response};
use prost::Message as _;

use super::RestBinding;
use crate::message::WireError;

/// `google.api.HttpBody` (google/api/httpbody.proto), of which the extensions are of no use to a client.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

impl RestBinding {
    /// Renders a reply's message; `headers` are those that the client may see.
    pub(in crate::transcoding) fn render(
        &self,
        wire: &Bytes,
        headers: HeaderMap,
    ) -> Result<Response<Bytes>, WireError> {
        let (content_type, body) = if self.answers_raw() {
            raw(wire.clone())?
        } else {
            let mut json = Vec::with_capacity(wire.len() * 2 + 64);
            match &self.response_body {
                Some(field) => field.wire_to_json(wire, &self.options.json_out, &mut json)?,
                None => self.output.wire_to_json(wire, &self.options.json_out, &mut json)?,
            }
            (HeaderValue::from_static("application/json"), json.into())
        };
        let mut response = Response::new(body);
        *response.headers_mut() = headers;
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok(response)
    }

    fn answers_raw(&self) -> bool {
        self.response_body.is_none() && self.output.full_name() == "google.api.HttpBody"
    }
}

fn raw(wire: Bytes) -> Result<(HeaderValue, Bytes), WireError> {
    let body =
        HttpBody::decode(wire).map_err(|_| WireError::from("it is not a google.api.HttpBody"))?;
    let content_type = HeaderValue::from_str(&body.content_type)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok((content_type, body.data))
}
