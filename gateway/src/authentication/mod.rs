//! Decides who is asking: reads the one credential of a request and proves it.
//!
//! A request without a credential is anonymous. A credential that cannot be proven, for whatever reason, is a
//! failure and never anonymity: otherwise a broken token would be worth as much as none where a route is public,
//! and nobody would notice. What the principal may do is decided by `authorization`.
//! Chapter 2: docs/02-authentication.md

mod algorithm;
mod api_key;
mod cache;
mod claims;
mod clock;
mod config;
mod credential;
mod error;
mod jwks;
mod token;

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;

pub(crate) use self::algorithm::Algorithm;
pub(crate) use self::api_key::ApiKeys;
pub(crate) use self::cache::TokenCache;
pub(crate) use self::clock::Clock;
pub(crate) use self::config::{Config, TrustedIssuer};
pub(crate) use self::error::{CHALLENGE, Error};
pub(crate) use self::jwks::{ClientError, KeySet};
use self::token::Token;
use crate::context::{Identity, Principal};

/// Proves credentials against the issuers of one configuration.
#[derive(Debug)]
pub(crate) struct Authenticator {
    issuers: Vec<(Arc<TrustedIssuer>, Arc<KeySet>)>,
    cache: Arc<TokenCache>,
    clock: Clock,
    api_keys: Option<ApiKeys>,
}

impl Authenticator {
    /// Trusts these issuers, each with the keys behind its `jwks`. Key sets and cache may be shared with the
    /// authenticator of an earlier configuration: what one configuration accepted, another does not inherit.
    pub(crate) fn new(
        issuers: Vec<(TrustedIssuer, Arc<KeySet>)>,
        cache: Arc<TokenCache>,
        clock: Clock,
    ) -> Self {
        let issuers = issuers.into_iter().map(|(issuer, keys)| (Arc::new(issuer), keys)).collect();
        Self { issuers, cache, clock, api_keys: None }
    }

    /// Takes these API keys beside tokens.
    pub(crate) fn with_api_keys(self, api_keys: Option<ApiKeys>) -> Self {
        Self { api_keys, ..self }
    }

    /// What is to be told to whoever came without a credential where one is needed.
    pub(crate) fn missing(&self) -> Error {
        let token = "sign in and send the token as `Authorization: Bearer`".to_owned();
        let token = (!self.issuers.is_empty()).then_some(token);
        let key = self.api_keys.as_ref().map(ApiKeys::header);
        let key = key.map(|header| format!("send an API key as `{header}`"));
        Error::Missing(token.into_iter().chain(key).collect::<Vec<_>>().join(", or "))
    }

    /// Says who is asking. Waits at most three seconds, and only when the issuer's keys are being fetched.
    ///
    /// # Errors
    ///
    /// When the request carries a credential that is not one valid Bearer token (RFC 6750, section 2.1) or one API key,
    /// or when the issuer's keys cannot be had.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Error> {
        if let Some(keys) = &self.api_keys
            && let Some(identity) = keys.identify(headers, self.clock.now())?
        {
            return Ok(Principal::Known(identity));
        }
        let Some(presented) = credential::bearer(headers)? else { return Ok(Principal::Anonymous) };
        let digest = cache::digest(presented);
        if let Some(identity) = self.remembered(&digest, self.clock.now()) {
            return Ok(Principal::Known(identity));
        }
        let token = Token::parse(credential::text(presented)?)?;
        let name = token.claims.issuer()?;
        let (issuer, keys) = self
            .issuers
            .iter()
            .find(|(issuer, _)| issuer.name == name)
            .ok_or(Error::UnknownIssuer)?;
        token.header.check(issuer.algorithm)?;
        let key = keys.key(token.header.kid.as_deref()).await?;
        if !key.verifies(token.signed, token.signature) {
            return Err(Error::BadSignature);
        }
        let (identity, validity) = token.claims.accept(&issuer.audience, self.clock.now())?;
        let identity = Arc::new(identity);
        let entry = cache::Entry {
            identity: Arc::clone(&identity),
            validity,
            key,
            issuer: Arc::clone(issuer),
        };
        self.cache.insert(digest, entry);
        Ok(Principal::Known(identity))
    }

    /// An earlier proof counts as long as everything it rested on still holds: the issuer is trusted on the same
    /// terms, the key is still in its set, and the time is right.
    fn remembered(&self, digest: &cache::Digest, now: Timestamp) -> Option<Arc<Identity>> {
        let entry = self.cache.find(digest)?;
        let holds = entry.validity.check(now).is_ok()
            && self
                .issuers
                .iter()
                .any(|(issuer, keys)| *issuer == entry.issuer && keys.holds(&entry.key));
        if !holds {
            self.cache.forget(digest);
            return None;
        }
        Some(Arc::clone(&entry.identity))
    }
}

#[cfg(test)]
mod tests;
