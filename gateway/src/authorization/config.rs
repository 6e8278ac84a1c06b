//! The section `authorization`: who may call what.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Access;
use crate::context::RpcId;
use crate::setting::{Problem, Spanned};

/// The section as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// RPC (`package.Service/Method`) to access. An RPC without a line is not exposed.
    #[serde(default)]
    pub(crate) access: BTreeMap<String, Spanned<String>>,
}

impl Config {
    /// The lines that are written right; what is wrong with the others is added to the problems. Whether the RPCs
    /// exist is not known here.
    pub(crate) fn read(&self, problems: &mut Vec<Problem>) -> BTreeMap<RpcId, Spanned<Access>> {
        let mut read = BTreeMap::new();
        for (rpc, line) in &self.access {
            let mut complain = |message| {
                problems.push(Problem::at(line, format!("authorization.access.{rpc}"), message));
            };
            match (rpc_id(rpc), Access::parse(&line.value)) {
                (Some(rpc), Ok(access)) => {
                    read.insert(rpc, Spanned::new(access, line.referenced, line.defined));
                }
                (None, Ok(_)) => {
                    complain(format!("`{rpc}` is not an RPC; write package.Service/Method"));
                }
                (_, Err(message)) => complain(message),
            }
        }
        read
    }
}

impl Access {
    /// Reads `public`, `authenticated`, `role:<name>` or `internal`; the complaint says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "public" => return Ok(Self::Public),
            "authenticated" => return Ok(Self::Authenticated),
            "internal" => return Ok(Self::Internal),
            _ => {}
        }
        match text.strip_prefix("role:") {
            Some(role) if is_role(role) => Ok(Self::Role(role.to_owned())),
            Some(role) => Err(format!(
                "`{role}` cannot be a role; a role has 1 to 64 letters, digits, `_`, `.`, `:` or `-`"
            )),
            None => Err(format!(
                "`{text}` is not an access; write public, authenticated, role:<name> or internal"
            )),
        }
    }
}

fn rpc_id(text: &str) -> Option<RpcId> {
    let (service, method) = text.split_once('/')?;
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    (service.split('.').all(is_name) && is_name(method)).then(|| RpcId::new(service, method))
}

/// What the claim `roles` of a token can hold: a role that is spelled otherwise nobody could ever have.
fn is_role(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str) -> (Vec<(String, Access)>, Vec<String>) {
        let config: Config = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Vec::new();
        let read = config.read(&mut problems);
        let read =
            read.into_iter().map(|(rpc, access)| (rpc.as_str().to_owned(), access.value)).collect();
        (read, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_each_access() {
        for (text, access) in [
            ("public", Access::Public),
            ("authenticated", Access::Authenticated),
            ("internal", Access::Internal),
            ("role:admin", Access::Role("admin".to_owned())),
            ("role:a.b:c_d-1", Access::Role("a.b:c_d-1".to_owned())),
        ] {
            let (read, problems) =
                check(&format!("access:\n  user.v1.UserService/GetUser: {text}\n"));
            assert_eq!(access.to_string(), text);
            assert_eq!(read, [("user.v1.UserService/GetUser".to_owned(), access)]);
            assert_eq!(problems, Vec::<String>::new());
        }
    }

    #[test]
    fn never_takes_an_unknown_word_for_an_access() {
        let long = format!("role:{}", "a".repeat(65));
        for text in [
            "''",
            "' '",
            "Public",
            "PUBLIC",
            "public ",
            "'public '",
            "everyone",
            "'*'",
            "true",
            "null",
            "~",
            "none",
            "self",
            "admin",
            "role",
            "'role:'",
            "'role: admin'",
            "'Role:admin'",
            "'role:a,b'",
            "'role:a b'",
            "role:é",
            &long,
            "authenticated:admin",
        ] {
            let yaml = format!("access:\n  a.B/C: {text}\n");
            match serde_saphyr::from_str::<Config>(&yaml) {
                // YAML itself drops the blank behind a plain word.
                Ok(_) if text == "public " => assert_eq!(check(&yaml).0.len(), 1),
                Ok(_) => {
                    let (read, problems) = check(&yaml);
                    assert!(read.is_empty(), "{text}");
                    assert_eq!(problems.len(), 1, "{text}");
                    assert!(
                        problems[0].starts_with("2:10: authorization.access.a.B/C: "),
                        "{problems:?}"
                    );
                }
                Err(_) => assert!(matches!(text, "null" | "~" | "true"), "{text}"),
            }
        }
    }

    #[test]
    fn says_what_can_be_written_instead_of_a_rule() {
        let (_, problems) = check("access: { a.B/C: self }");
        assert_eq!(
            problems,
            [
                "1:18: authorization.access.a.B/C: `self` is not an access; write public, authenticated, role:<name> or internal"
            ]
        );
    }

    #[test]
    fn refuses_what_cannot_be_an_rpc() {
        for rpc in ["a.B", "a.B/", "/C", "a.B/C/D", "a..B/C", "a.B/*", "'*'", "a.B /C", "/a.B/C"] {
            let (read, problems) = check(&format!("access:\n  {rpc}: public\n"));
            assert!(read.is_empty(), "{rpc}");
            assert!(problems[0].contains("package.Service/Method"), "{problems:?}");
        }
    }

    #[test]
    fn refuses_an_rpc_that_is_written_twice_and_unknown_settings() {
        for yaml in ["access:\n  a.B/C: public\n  a.B/C: internal\n", "accesses: {}", "rules: {}"] {
            assert!(serde_saphyr::from_str::<Config>(yaml).is_err(), "{yaml}");
        }
    }
}
