//! Decides what a principal may do.
//!
//! Its first floor is the access level of each RPC, decided from the principal alone, before the body is read. The
//! answer is a [`Permit`], which only this room can make and without which no call is made. It never looks at
//! credentials: who the principal is was proven before.
//! Chapter 3: docs/03-authorization.md

mod config;

use std::fmt;

use thiserror::Error;

pub(crate) use self::config::Config;
use crate::context::Principal;

/// Who may call an RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Everybody who is known.
    Authenticated,
    /// Everybody who has the role.
    Role(String),
    /// Nobody from outside.
    Internal,
}

/// The proof that a principal may make a call.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit(());

/// Why a principal may not make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Denied {
    /// Nobody is known to be asking: 401.
    #[error("this needs a signed-in client: sign in and send the token as `Authorization: Bearer`")]
    NeedsAuthentication,
    /// The principal may not: 403.
    #[error("this is not allowed for the signed-in principal: use an account that has the right")]
    Forbidden,
}

impl Access {
    /// Judges the principal alone.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<Permit, Denied> {
        match (self, principal) {
            (Self::Internal, _) => Err(Denied::Forbidden),
            (Self::Public, _) | (Self::Authenticated, Principal::Known(_)) => Ok(Permit(())),
            (Self::Authenticated | Self::Role(_), Principal::Anonymous) => {
                Err(Denied::NeedsAuthentication)
            }
            (Self::Role(role), Principal::Known(identity)) => {
                if identity.roles.contains(role) {
                    Ok(Permit(()))
                } else {
                    Err(Denied::Forbidden)
                }
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
            Self::Internal => f.write_str("internal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::context::Identity;

    fn known(roles: &[&str]) -> Principal {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        Principal::Known(Arc::new(Identity { id: "123".to_owned(), roles, api_key: None }))
    }

    #[test]
    fn admits_exactly_whom_the_access_names() {
        let admin = || Access::Role("admin".to_owned());
        let unsigned = Err(Denied::NeedsAuthentication);
        let forbidden = Err(Denied::Forbidden);
        for (access, principal, expected) in [
            (Access::Public, Principal::Anonymous, Ok(())),
            (Access::Public, known(&[]), Ok(())),
            (Access::Authenticated, Principal::Anonymous, unsigned),
            (Access::Authenticated, known(&[]), Ok(())),
            (admin(), Principal::Anonymous, unsigned),
            (admin(), known(&[]), forbidden),
            (admin(), known(&["user"]), forbidden),
            (admin(), known(&["Admin"]), forbidden),
            (admin(), known(&["admin2"]), forbidden),
            (admin(), known(&["adm"]), forbidden),
            (admin(), known(&["user,admin"]), forbidden),
            (admin(), known(&["role:admin"]), forbidden),
            (admin(), known(&["admin"]), Ok(())),
            (admin(), known(&["user", "admin"]), Ok(())),
            (Access::Internal, Principal::Anonymous, forbidden),
            (Access::Internal, known(&["admin", "internal"]), forbidden),
        ] {
            let answer = access.admit(&principal).map(drop);
            assert_eq!(answer, expected, "{access:?} for {principal:?}");
        }
    }
}
