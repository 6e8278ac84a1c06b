//! The section `authentication`: whose tokens are accepted.

use std::collections::HashSet;

use reqwest::Url;
use serde::Deserialize;

use super::Algorithm;
use super::api_key::Written;
use crate::setting::{Problem, Spanned};

/// The section as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The issuers; without any, no token is accepted.
    #[serde(default)]
    pub(crate) issuers: Vec<Issuer>,
    /// The keys of machine clients.
    pub(crate) api_keys: Option<Written>,
}

/// One issuer as it was written.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "operators know the setting by this name")]
#[serde(deny_unknown_fields)]
pub(crate) struct Issuer {
    /// The exact text of the claim `iss`.
    pub(crate) issuer: Spanned<String>,
    /// What the claim `aud` must name.
    pub(crate) audience: Spanned<String>,
    /// The one algorithm the issuer signs with.
    pub(crate) algorithm: Spanned<String>,
    /// Where the issuer publishes its keys (RFC 7517, section 5).
    pub(crate) jwks: Spanned<String>,
}

/// One issuer whose tokens are accepted, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedIssuer {
    /// The exact text of the claim `iss`.
    pub(crate) name: String,
    /// What the claim `aud` must name.
    pub(crate) audience: String,
    /// The one algorithm the issuer signs with.
    pub(crate) algorithm: Algorithm,
    /// Where the issuer publishes its keys.
    pub(crate) jwks: Url,
}

impl Config {
    /// Whether there is a credential that is accepted.
    pub(crate) fn knows_anybody(&self) -> bool {
        !self.issuers.is_empty() || self.api_keys.is_some()
    }

    /// The issuers that are written right; what is wrong with the others is added to the problems.
    pub(crate) fn read(&self, problems: &mut Vec<Problem>) -> Vec<TrustedIssuer> {
        let mut seen = HashSet::new();
        let mut trusted = Vec::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            let path = format!("authentication.issuers[{index}]");
            if !seen.insert(issuer.issuer.value.as_str()) {
                let message =
                    format!("the issuer `{}` is written twice; keep one", issuer.issuer.value);
                problems.push(Problem::at(&issuer.issuer, format!("{path}.issuer"), message));
            }
            trusted.extend(issuer.read(&path, problems));
        }
        trusted
    }
}

impl Issuer {
    fn read(&self, path: &str, problems: &mut Vec<Problem>) -> Option<TrustedIssuer> {
        let mut checked = |name: &str, value: &Spanned<String>, outcome: Result<(), String>| {
            outcome
                .map_err(|message| {
                    problems.push(Problem::at(value, format!("{path}.{name}"), message));
                })
                .is_ok()
        };
        let (algorithm, jwks) =
            (Algorithm::parse(&self.algorithm.value), key_url(&self.jwks.value));
        let fine = [
            checked(
                "issuer",
                &self.issuer,
                text(&self.issuer.value, "write what the claim `iss` of its tokens says"),
            ),
            checked(
                "audience",
                &self.audience,
                text(&self.audience.value, "write the name by which its tokens mean this gateway"),
            ),
            checked("algorithm", &self.algorithm, algorithm.clone().map(drop)),
            checked("jwks", &self.jwks, jwks.clone().map(drop)),
        ];
        if fine.contains(&false) {
            return None;
        }
        let (name, audience) = (self.issuer.value.clone(), self.audience.value.clone());
        Some(TrustedIssuer { name, audience, algorithm: algorithm.ok()?, jwks: jwks.ok()? })
    }
}

fn text(value: &str, advice: &str) -> Result<(), String> {
    if value.is_empty() {
        Err(format!("it is empty; {advice}"))
    } else if value.trim() != value {
        Err(format!("`{value}` begins or ends with a space; {advice}, exactly"))
    } else {
        Ok(())
    }
}

/// Plain http is allowed, because inside one network it is common; whoever can change that traffic can sign in as
/// anybody.
fn key_url(value: &str) -> Result<Url, String> {
    let url = Url::parse(value).map_err(|error| {
        format!("`{value}` is not a URL ({error}); write one such as https://issuer.example/.well-known/jwks.json")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "the keys cannot be fetched by `{}`; write an http or https URL",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the URL holds a password; published keys need none, write it without".to_owned()
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str) -> (Vec<TrustedIssuer>, Vec<String>) {
        let config: Config = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Vec::new();
        let trusted = config.read(&mut problems);
        (trusted, problems.iter().map(ToString::to_string).collect())
    }

    fn with(line: &str) -> String {
        let mut fields = [
            ("issuer", "issuer: https://shop.example"),
            ("audience", "audience: gateway"),
            ("algorithm", "algorithm: ES256"),
            ("jwks", "jwks: http://127.0.0.1:1/jwks"),
        ];
        for (name, text) in &mut fields {
            if line.starts_with(&format!("{name}:")) {
                *text = line;
            }
        }
        format!("issuers:\n  - {}\n", fields.map(|(_, text)| text).join("\n    "))
    }

    #[test]
    fn reads_an_issuer_with_each_algorithm() {
        for algorithm in Algorithm::ALL {
            let (trusted, problems) = check(&with(&format!("algorithm: {}", algorithm.name())));
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(trusted[0].algorithm, algorithm);
            assert_eq!(trusted[0].name, "https://shop.example");
            assert_eq!(trusted[0].jwks.as_str(), "http://127.0.0.1:1/jwks");
        }
    }

    #[test]
    fn without_issuers_there_is_nothing_to_say() {
        assert_eq!(check("{}"), (Vec::new(), Vec::new()));
        assert_eq!(check("issuers: []"), (Vec::new(), Vec::new()));
    }

    #[test]
    fn points_at_each_wrong_value_and_says_what_to_write() {
        for (line, at, advice) in [
            ("issuer: ''", "2:13: authentication.issuers[0].issuer: it is empty", "`iss`"),
            ("issuer: ' a'", "2:13: authentication.issuers[0].issuer", "exactly"),
            (
                "audience: ''",
                "3:15: authentication.issuers[0].audience: it is empty",
                "mean this gateway",
            ),
            (
                "algorithm: HS256",
                "4:16: authentication.issuers[0].algorithm: `HS256` is symmetric",
                "ES256",
            ),
            (
                "algorithm: none",
                "4:16: authentication.issuers[0].algorithm: `none` means unsigned",
                "ES256",
            ),
            (
                "algorithm: es256",
                "4:16: authentication.issuers[0].algorithm: `es256` is not",
                "ES256",
            ),
            (
                "jwks: keys.json",
                "5:11: authentication.issuers[0].jwks: `keys.json` is not a URL",
                "https://",
            ),
            ("jwks: file:///etc/keys", "5:11: authentication.issuers[0].jwks", "http or https"),
            ("jwks: http://a:b@c/", "5:11: authentication.issuers[0].jwks", "without"),
        ] {
            let (trusted, problems) = check(&with(line));
            assert!(trusted.is_empty(), "{line}");
            assert_eq!(problems.len(), 1, "{line}: {problems:?}");
            assert!(
                problems[0].starts_with(at) && problems[0].contains(advice),
                "{line}: {problems:?}"
            );
        }
    }

    #[test]
    fn refuses_the_same_issuer_twice() {
        let yaml = with("audience: gateway");
        let (_, problems) = check(&(yaml.clone() + yaml.strip_prefix("issuers:\n").unwrap()));
        assert_eq!(
            problems,
            [
                "6:13: authentication.issuers[1].issuer: the issuer `https://shop.example` is written twice; keep one"
            ]
        );
    }

    #[test]
    fn refuses_keys_it_does_not_know_and_keys_that_are_missing() {
        for yaml in [
            "issuer: []",
            "issuers: [{ issuer: a }]",
            "issuers: [{ issuer: a, audience: a, algorithm: a, jwks: a, key: a }]",
        ] {
            assert!(serde_saphyr::from_str::<Config>(yaml).is_err(), "{yaml}");
        }
    }
}
