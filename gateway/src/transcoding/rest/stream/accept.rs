//! Which form of a stream a client takes (RFC 9110, section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// The forms of a stream, the one for clients that don't care first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON array.
    Array,
    /// Lines of JSON.
    Lines,
    /// Server-sent events.
    Events,
}

const FORMS: [(Form, &str); 4] = [
    (Form::Array, "application/json"),
    (Form::Lines, "application/x-ndjson"),
    (Form::Lines, "application/jsonl"),
    (Form::Events, "text/event-stream"),
];

/// The form that the client likes best: by its weights, then by how exactly it named the type. `None` when it takes none.
pub(super) fn preferred(headers: &HeaderMap) -> Option<Form> {
    let values = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default());
    let text = values.collect::<Vec<_>>().join(",");
    let ranges: Vec<Range<'_>> = text.split(',').filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return Some(Form::Array);
    }
    let weigh = |media_type| ranges.iter().filter_map(|range| range.weigh(media_type)).max();
    let liked = FORMS.iter().filter_map(|(form, media_type)| {
        let (exactness, weight) = weigh(media_type)?;
        (weight > 0).then_some((*form, (weight, exactness)))
    });
    // Of equals the first: `max_by_key` would take the last.
    liked.rev().max_by_key(|(_, liking)| *liking).map(|(form, _)| form)
}

/// One of the client's media ranges.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    /// Anything that is no media range says nothing.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut weight = 1000;
        for parameter in parts {
            if let Some(("q" | "Q", value)) = parameter.split_once('=') {
                weight = thousandths(value)?;
            }
        }
        Some(Self { kind, subtype, weight })
    }

    /// How exactly it names the type, and the weight it gives it.
    fn weigh(&self, media_type: &str) -> Option<(u8, u16)> {
        let (kind, subtype) = media_type.split_once('/')?;
        let exactness = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (own, "*") if own.eq_ignore_ascii_case(kind) => 1,
            (own, other)
                if own.eq_ignore_ascii_case(kind) && other.eq_ignore_ascii_case(subtype) =>
            {
                2
            }
            _ => return None,
        };
        Some((exactness, self.weight))
    }
}

/// A weight: 0 to 1 with at most three decimals (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let fits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = format!("{decimals:0<3}").parse().ok().filter(|_| fits)?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(values: &[&'static str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, http::HeaderValue::from_static(value));
        }
        preferred(&headers)
    }

    #[test]
    fn who_does_not_care_gets_an_array() {
        for any in
            ["", "*/*", "application/*", "application/json", "nonsense", "a;b, ,", "*/*;q=0.1"]
        {
            assert_eq!(accepting(&[any]), Some(Form::Array), "{any}");
        }
        assert_eq!(accepting(&[]), Some(Form::Array));
    }

    #[test]
    fn who_cares_gets_what_was_asked_for() {
        for (asked, form) in [
            ("text/event-stream", Form::Events),
            ("Text/Event-Stream;charset=utf-8", Form::Events),
            ("text/*", Form::Events),
            ("application/x-ndjson", Form::Lines),
            ("application/jsonl", Form::Lines),
            ("text/event-stream, */*", Form::Events),
            ("*/*, application/x-ndjson", Form::Lines),
            ("application/json, text/event-stream", Form::Array),
            ("application/json;q=0.5, text/event-stream", Form::Events),
            ("text/event-stream;q=0.2, application/x-ndjson;q=0.3", Form::Lines),
            ("application/json;q=0, */*", Form::Lines),
            ("text/html, application/xhtml+xml, */*;q=0.8", Form::Array),
        ] {
            assert_eq!(accepting(&[asked]), Some(form), "{asked}");
        }
        assert_eq!(accepting(&["text/html", "text/event-stream"]), Some(Form::Events));
    }

    #[test]
    fn who_takes_none_of_them_gets_none() {
        for none in ["text/html", "application/grpc", "*/*;q=0", "text/event-stream;q=0.000"] {
            assert_eq!(accepting(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_weight_that_is_none_takes_its_range_with_it() {
        for wrong in ["1.001", "2", "0.1234", "-1", ".5", "x"] {
            let asked = format!("text/event-stream;q={wrong}, application/x-ndjson;q=0.001");
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, asked.parse().unwrap());
            assert_eq!(preferred(&headers), Some(Form::Lines), "{asked}");
        }
    }
}
