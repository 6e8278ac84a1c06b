//! The setting `authentication.api_keys`: where the keys are, and in which header they come.

use std::path::PathBuf;

use http::HeaderName;
use serde::Deserialize;

use super::DEFAULT_HEADER;
use crate::setting::{Problem, Spanned, header};

/// The setting as it was written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// The file that names them, by their hashes.
    pub(crate) file: Spanned<PathBuf>,
    header: Option<Spanned<String>>,
}

/// Headers that mean something else to the gateway, to HTTP or to what stands before the gateway, beside those that are
/// reserved: a key in them would be lost, told, or missing where it is not meant.
const TAKEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "age",
    "allow",
    "baggage",
    "cache-control",
    "content-disposition",
    "date",
    "expect",
    "forwarded",
    "from",
    "http2-settings",
    "last-event-id",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "retry-after",
    "server",
    "via",
    "x-http-method",
    "x-method-override",
    "x-real-ip",
];

/// How the names of such headers begin.
const TAKEN_PREFIXES: &[&str] =
    &["if-", "proxy-", "ratelimit", "sec-", "x-forwarded-", "x-http-method-"];

impl Written {
    /// The header's name as it is written, or the one that is meant without.
    pub(crate) fn header_name(&self) -> &str {
        self.header.as_ref().map_or(DEFAULT_HEADER, |written| &written.value)
    }

    /// The header, if it can be one for keys.
    pub(crate) fn header(&self, problems: &mut Vec<Problem>) -> Option<HeaderName> {
        let Some(written) = &self.header else {
            return Some(HeaderName::from_static(DEFAULT_HEADER));
        };
        let name = written.value.parse::<HeaderName>().ok().filter(|name| !is_taken(name));
        if name.is_none() {
            let message = format!(
                "`{}` can't be the header of API keys: write the name of one that means nothing else, such as x-api-key",
                written.value
            );
            problems.push(Problem::at(written, "authentication.api_keys.header", message));
        }
        name
    }
}

fn is_taken(name: &HeaderName) -> bool {
    header::is_reserved(name) || header::is_among(name, TAKEN, TAKEN_PREFIXES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> (Option<HeaderName>, Vec<String>) {
        let text = format!("file: keys.yaml\nheader: \"{name}\"\n");
        let written: Written = serde_saphyr::from_str(&text).unwrap();
        let mut problems = Vec::new();
        let header = written.header(&mut problems);
        (header, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_come_in_a_header_that_means_nothing_else() {
        for name in ["x-api-key", "X-Machine", "api_key", "x.key"] {
            let (header, problems) = header(name);
            assert_eq!(header.unwrap().as_str(), name.to_ascii_lowercase());
            assert_eq!(problems, Vec::<String>::new());
        }
    }

    #[test]
    fn a_header_that_means_something_is_refused_in_every_spelling() {
        for name in [
            "",
            "no spaces",
            "Authorization",
            "x_principal_id",
            "x-principal.roles",
            "X.Principal.Id",
            "x_request_id",
            "Forwarded",
            "X_Forwarded_For",
            "x-forwarded-proto",
            "expect",
            "Expect",
            "tracestate",
            "last_event_id",
            "grpc.timeout",
            "grpc_metadata_a",
            "proxy-authorization",
            "sec-websocket-key",
            "access_control_request_method",
            "if-none-match",
            "origin",
            "ratelimit",
            "ratelimit-policy",
            "x-http-method-override",
            "retry_after",
        ] {
            let (header, problems) = header(name);
            assert_eq!(header, None, "{name}");
            let place = "2:9: authentication.api_keys.header: ";
            assert!(problems.len() == 1 && problems[0].starts_with(place), "{problems:?}");
        }
    }
}
