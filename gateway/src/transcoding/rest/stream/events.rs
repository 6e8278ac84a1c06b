//! Server-sent events (WHATWG HTML, section 9.2 "Server-sent events").

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::message::{FieldPath, Value};
use crate::transcoding::InvalidField;

/// What a client sends that comes again: the id of the last event it has seen.
pub(in crate::transcoding) const LAST_EVENT_ID: HeaderName =
    HeaderName::from_static("last-event-id");

/// The id of the end. A browser can't be told that a stream is over: it opens it again, with this id, and a 204 makes
/// it stop. No message has this id.
const END: &str = ":end";

/// The longest id, in bytes: clients send it back in a header.
const LONGEST: usize = 1024;

/// A comment, which no client sees. It keeps proxies from closing what is silent, and tells us that the client has gone.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// The last event that the client has seen, by exactly one header. What is too long for an id was never one, and might
/// be more than a service takes as metadata.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<HeaderValue>, InvalidField> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() > LONGEST => Err(InvalidField {
            place: "header",
            name: LAST_EVENT_ID.as_str().to_owned(),
            problem: format!("it is longer than {LONGEST} bytes, which no event's id is"),
        }),
        (Some(value), None) if !value.is_empty() => Ok(Some(value.clone())),
        _ => Ok(None),
    }
}

/// Whether that was the end.
pub(super) fn is_end(id: &HeaderValue) -> bool {
    id == END
}

/// Appends a message.
pub(super) fn message(id: Option<&str>, json: &[u8], out: &mut Vec<u8>) {
    event("message", id, json, out);
}

/// Appends the end of all that there was to say. Without data it would not be seen.
pub(super) fn end(out: &mut Vec<u8>) {
    event("end", Some(END), b"{}", out);
}

/// Appends a failure. It has no id: the client goes on where it was when it comes again.
pub(super) fn failure(problem: &[u8], out: &mut Vec<u8>) {
    event("error", None, problem, out);
}

/// The data is JSON, in which no line ends.
fn event(name: &str, id: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// The id of a message: what the field holds, when that can stand in one line and come back in one header.
pub(super) fn id<'a>(field: &'a FieldPath, wire: &'a [u8]) -> Option<Cow<'a, str>> {
    let text = match field.find(wire).ok()?? {
        Value::Str(text) => text,
        Value::I64(number) => number.to_string().into(),
        Value::U64(number) => number.to_string().into(),
        _ => return None,
    };
    let fits = text.len() <= LONGEST && text != END && !text.contains(char::is_control);
    (fits && text.trim() == text && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{JsonIn, Schema};

    #[test]
    fn an_id_is_what_can_come_back_in_one_line() {
        let schema = Schema::load(proto::DESCRIPTORS).unwrap();
        let product = schema.message("product.v1.Product").unwrap();
        let (text, number) = (
            FieldPath::parse(&product, "id").unwrap(),
            FieldPath::parse(&product, "stock").unwrap(),
        );
        let wire = |json: String| {
            let mut wire = Vec::new();
            product.json_to_wire(json.as_bytes(), &JsonIn::default(), &mut wire).unwrap();
            wire
        };
        let given = |given: &str| {
            let wire = wire(serde_json::json!({ "id": given }).to_string());
            id(&text, &wire).map(Cow::into_owned)
        };
        for good in ["p-1", "é", "two words", &"x".repeat(1024)] {
            assert_eq!(given(good).as_deref(), Some(good));
        }
        for bad in ["", ":end", "a\nid: b", "a\rb", "a\0", "\u{85}", " a", &"x".repeat(1025)] {
            assert_eq!(given(bad), None, "{bad:?}");
        }
        assert_eq!(id(&number, &wire(r#"{"stock": "-7"}"#.to_owned())).unwrap(), "-7");
        assert_eq!(id(&number, b""), None);
        assert_eq!(id(&number, b"\xff"), None);
    }
}
