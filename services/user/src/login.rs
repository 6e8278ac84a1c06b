//! `AuthService`: a token for an email and a password. A wrong one of either gets the same answer after the same time.

use proto::user::v1::{LoginRequest, LoginResponse, auth_service_server::AuthService};
use service_kit::{Clock, Store, Violations, clock};
use tonic::{Request, Response, Status};

use crate::{accounts, keys, password::Hasher, token};

/// RFC 6750.
const TOKEN_TYPE: &str = "Bearer";
/// Longer than any email or password that a user can have.
const LONGEST: usize = 256;

#[derive(Debug)]
pub(crate) struct Auth {
    pub(crate) store: Store,
    pub(crate) hasher: Hasher,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl AuthService for Auth {
    async fn login(
        &self,
        request: Request<LoginRequest>,
    ) -> Result<Response<LoginResponse>, Status> {
        let LoginRequest { email, password } = request.into_inner();
        let mut violations = Violations::new();
        for (field, value) in [("email", &email), ("password", &password)] {
            violations.required(field, !value.is_empty());
            if value.chars().count() > LONGEST {
                violations.add(field, format!("must have at most {LONGEST} characters"));
            }
        }
        violations.check()?;

        let email = email.to_ascii_lowercase();
        let account = self.store.read(move |db| accounts::by_email(db, &email)).await?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.hasher.verify(password, hash).await?;
        let account = account
            .filter(|_| fits)
            .ok_or_else(|| Status::unauthenticated("wrong email or password"))?;

        let now = self.clock.now();
        let key = self.store.read(move |db| keys::current(db, now)).await?;
        let signed = token::sign(&key, &account.id, &account.roles, now);
        let (access_token, expires_at) = signed.map_err(|error| {
            tracing::error!(%error, "could not sign a token");
            Status::internal("internal error")
        })?;
        let expires_at = Some(clock::to_proto(expires_at.as_microsecond()));
        Ok(Response::new(LoginResponse {
            access_token,
            token_type: TOKEN_TYPE.to_owned(),
            expires_at,
        }))
    }
}
