//! `Debug` for the messages that carry a secret (`debug_redact` in the contract): a log line of one shows that the
//! secret was there, never what it was.

use std::fmt;

use crate::user::v1::{CreateUserRequest, LoginRequest, LoginResponse};

const MASK: &str = "[redacted]";

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest").field("email", &self.email).field("password", &MASK).finish()
    }
}

impl fmt::Debug for LoginResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginResponse")
            .field("access_token", &MASK)
            .field("token_type", &self.token_type)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

impl fmt::Debug for CreateUserRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUserRequest")
            .field("email", &self.email)
            .field("name", &self.name)
            .field("password", &MASK)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_reach_a_debug_print() {
        let printed = [
            format!(
                "{:?}",
                LoginRequest { email: "a@b".to_owned(), password: "hunter22".to_owned() }
            ),
            format!(
                "{:?}",
                LoginResponse { access_token: "hunter22".to_owned(), ..Default::default() }
            ),
            format!(
                "{:?}",
                CreateUserRequest { password: "hunter22".to_owned(), ..Default::default() }
            ),
        ];
        for line in printed {
            assert!(line.contains(MASK) && !line.contains("hunter22"), "{line}");
        }
    }
}
