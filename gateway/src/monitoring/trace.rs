//! The trace a request belongs to (W3C Trace Context, `traceparent`).

use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

/// The trace of a request, and the header that tells the services about it.
///
/// The client's trace goes on when its header is valid; otherwise one begins here. The id of the parent is always ours.
pub(crate) fn trace_parent(headers: &HeaderMap) -> (String, HeaderValue) {
    let (trace, flags) = headers
        .get("traceparent")
        .and_then(|value| parse(value.to_str().ok()?))
        .unwrap_or_else(|| (Uuid::new_v4().simple().to_string(), "01"));
    let parent = Uuid::new_v4().simple().to_string();
    let parent = parent.get(..16).unwrap_or_default();
    let header = HeaderValue::from_str(&format!("00-{trace}-{parent}-{flags}"));
    (trace, header.unwrap_or_else(|_| HeaderValue::from_static("")))
}

/// Version 00 only: what later versions add is unknown (section 3.2.2.1).
fn parse(value: &str) -> Option<(String, &str)> {
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = value.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let valid = version == "00"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && [trace, parent].iter().all(|id| id.bytes().any(|byte| byte != b'0'))
        && parts.next().is_none();
    valid.then(|| (trace.to_owned(), flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> (String, String) {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(value).unwrap());
        let (trace, header) = trace_parent(&headers);
        (trace, header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_trace_goes_on_under_a_parent_of_ours() {
        let (trace, header) = sent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        assert!(header.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{header}");
        assert!(
            !header.contains("b7ad6b7169203331") && header.ends_with("-00") && header.len() == 55,
            "{header}"
        );
    }

    #[test]
    fn anything_else_begins_a_trace() {
        for wrong in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x",
        ] {
            let (trace, header) = sent(wrong);
            assert_ne!(trace, "0af7651916cd43dd8448eb211c80319c", "{wrong}");
            assert!(parse(&header).is_some(), "{header}");
        }
    }
}
