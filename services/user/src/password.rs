//! Passwords: what a hash costs, and how many are made at once. A hash takes 19 MiB and some milliseconds of a core on
//! purpose, so without a bound a few hundred logins would be an outage.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use service_kit::errors;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};

const AT_ONCE: usize = 2;
/// As many may be hashed or wait for it; the next is refused at once.
const QUEUE: usize = 32;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the password of an unknown email is checked against, so that it costs the same. It opens nothing.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$tG0g8anBZRyv/C94n4tSsA$tlC8sZKqZpiMwjME0Sbb3M62nDVCWzFhLzbT34NIgss";

/// Makes and checks hashes. Clones share the bound.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    free: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(QUEUE)) }
    }

    /// Whether `password` is what `hash` was made from. Without a hash it never is, which takes as long to find out.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Status> {
        let (known, hash) = (hash.is_some(), hash.unwrap_or_else(|| NOBODYS.to_owned()));
        let same = self
            .run(move || cost().verify_password(password.as_bytes(), hash.as_str()).is_ok())
            .await?;
        Ok(same && known)
    }

    /// The hash of a new password, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Status> {
        let hash = self.run(move || cost().hash_password(password.as_bytes())).await?;
        hash.map(|hash| hash.to_string()).map_err(|error| {
            tracing::error!(%error, "could not hash a password");
            Status::internal("internal error")
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let place = Arc::clone(&self.queue).try_acquire_owned();
        let place = place.map_err(|_| {
            errors::retry_later(
                Code::Unavailable,
                "too many logins at once, try again in a moment",
                RETRY_AFTER,
            )
        })?;
        let turn = Arc::clone(&self.free).acquire_owned().await;
        let turn = turn.map_err(|_| Status::unavailable("the service is stopping"))?;
        // The place and the turn belong to the work: a client that goes away does not let in another.
        let held: [OwnedSemaphorePermit; 2] = [place, turn];
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(held);
            done
        });
        work.await.map_err(|error| {
            tracing::error!(%error, "hashing a password was interrupted");
            Status::internal("internal error")
        })
    }
}

/// Argon2id with 19 MiB, two passes, one lane: the first choice of the OWASP password storage cheat sheet.
fn cost() -> Argon2<'static> {
    Argon2::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_hashes_cost_what_new_ones_do() {
        let hash = cost().hash_password(b"correct-horse").unwrap().to_string();
        let cost_of = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(cost_of(&hash), cost_of(NOBODYS));
        assert!(cost().verify_password(b"correct-horse", NOBODYS).is_ok());
    }

    #[tokio::test]
    async fn refuses_at_once_when_too_many_wait() {
        let hasher = Hasher::new();
        let _busy = Arc::clone(&hasher.queue).acquire_many_owned(32).await.unwrap();
        let refused = hasher.hash("correct-horse".to_owned()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct-horse".to_owned()).await.unwrap();
        assert!(hasher.verify("correct-horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("Correct-horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("correct-horse".to_owned(), None).await.unwrap());
    }
}
