//! Query strings: `name=value` pairs, percent-encoded, `+` for a space (application/x-www-form-urlencoded).

use percent_encoding::percent_decode_str;

use super::InvalidField;

/// More parameters than any form has; what comes beyond is an attack.
const LIMIT: usize = 500;

/// The parameters of a query string, names and values decoded.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>, InvalidField> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = decode(name) else {
            return Err(invalid(name, "the name is not UTF-8"));
        };
        let Some(value) = decode(value) else {
            return Err(invalid(&name, "the value is not UTF-8"));
        };
        if pairs.len() == LIMIT {
            return Err(invalid(&name, &format!("one too many, a query has at most {LIMIT}")));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// A mistake in a query parameter. The client's spelling is repeated only as far as a person can read it.
pub(super) fn invalid(name: &str, problem: &str) -> InvalidField {
    let name = name.chars().take(100).collect();
    InvalidField { place: "query parameter", name, problem: problem.to_owned() }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &[(&str, &str)]) {
        let pairs = pairs(query).unwrap();
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, expected, "{query}");
    }

    #[test]
    fn decodes_names_and_values_once() {
        check("", &[]);
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("&a=1&&b&", &[("a", "1"), ("b", "")]);
        check("a=b=c", &[("a", "b=c")]);
        check("a=1+2%2B3&%61=%2526", &[("a", "1 2+3"), ("a", "%26")]);
        check("a=%C3%A9", &[("a", "é")]);
    }

    #[test]
    fn refuses_what_is_not_text_and_what_is_too_much() {
        assert!(pairs("a=%ff").unwrap_err().to_string().contains("not UTF-8"));
        assert!(pairs("%ff=1").unwrap_err().to_string().contains("not UTF-8"));
        assert!(pairs(&"a=1&".repeat(500)).is_ok());
        let error = pairs(&"a=1&".repeat(501)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the query parameter `a`: one too many, a query has at most 500"
        );
    }
}
