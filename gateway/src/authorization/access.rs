//! Access as it is written: one word for each RPC.

use std::fmt;

use crate::message::nearest;

/// Who may call an RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Everybody who is known.
    Authenticated,
    /// Everybody who has the role.
    Role(String),
    /// Whom the rule of this name lets.
    Rule(String),
    /// Nobody from outside.
    Internal,
}

/// The words that mean something else than the name of a rule.
pub(super) const WORDS: [&str; 4] = ["public", "authenticated", "internal", "role"];

impl Access {
    /// Reads `public`, `authenticated`, `role:<name>`, `internal` or the name of one of the rules; the complaint says what
    /// to write instead.
    pub(crate) fn parse<'r>(
        text: &str,
        mut rules: impl Iterator<Item = &'r str> + Clone,
    ) -> Result<Self, String> {
        match text {
            "public" => return Ok(Self::Public),
            "authenticated" => return Ok(Self::Authenticated),
            "internal" => return Ok(Self::Internal),
            _ if rules.clone().any(|rule| rule == text) => return Ok(Self::Rule(text.to_owned())),
            _ => {}
        }
        match text.strip_prefix("role:") {
            Some(role) if is_role(role) => Ok(Self::Role(role.to_owned())),
            Some(role) => Err(format!(
                "`{role}` cannot be a role; a role has 1 to 64 letters, digits, `_`, `.`, `:` or `-`"
            )),
            None => {
                let meant = nearest(text, rules.clone());
                let rule = match (meant, rules.next()) {
                    (Some(meant), _) => format!("; did you mean the rule {meant}?"),
                    (None, Some(_)) => ", or the name of one of authorization.rules".to_owned(),
                    (None, None) => String::new(),
                };
                Err(format!(
                    "`{text}` is not an access; write public, authenticated, role:<name> or internal{rule}"
                ))
            }
        }
    }
}

impl fmt::Display for Access {
    /// As it is written in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Rule(name) => f.write_str(name),
            Self::Internal => f.write_str("internal"),
        }
    }
}

/// What the claim `roles` of a token can hold: a role that is spelled otherwise nobody could ever have.
pub(super) fn is_role(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}
