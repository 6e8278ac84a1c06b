//! Asks an issuer for its keys over HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::ACCEPT;
use reqwest::{Client, Url, redirect};
use thiserror::Error;

use super::keys::Keys;
use crate::authentication::Algorithm;

/// How long an attempt takes at most, from looking up the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest answer that is read; real ones have a few KiB.
const MAX_BODY: usize = 256 * 1024;

/// Why no client for the keys could be made.
#[derive(Clone, Debug, Error)]
#[error(
    "no https client can be made: install the system's certificates (the package ca-certificates)"
)]
pub(crate) struct ClientError(#[source] Arc<reqwest::Error>);

/// Why an attempt to fetch the keys failed.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    /// No answer, or not a whole one.
    #[error("the keys could not be fetched: check that the issuer runs and the URL is right")]
    Request(#[source] reqwest::Error),
    /// An answer other than 200. Redirects are not followed: they could lead anywhere.
    #[error("the keys were not answered with 200 but with {0}: check the URL")]
    Status(StatusCode),
    /// An answer that no set of keys needs.
    #[error("the answer is longer than {MAX_BODY} bytes: check the URL")]
    TooLarge,
    /// An answer that is not a JWK Set (RFC 7517, section 5).
    #[error("the answer is not a JSON Web Key Set: check the URL")]
    NotKeys(#[source] serde_json::Error),
    /// A JWK Set without a key for the issuer's algorithm.
    #[error(
        "none of the {0} keys in the answer fits the configured algorithm: check which one the issuer signs with"
    )]
    NoUsableKey(usize),
}

/// A client that does nothing it was not told to: no redirects, no proxy from the environment.
pub(super) fn client(url: &Url) -> Result<Client, ClientError> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(0);
    // The system's certificates are read when the client is made, and not every machine has some: plain http must
    // not fail for want of them.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| ClientError(Arc::new(error)))
}

pub(super) async fn fetch(
    client: Client,
    url: Url,
    algorithm: Algorithm,
) -> Result<Keys, FetchError> {
    let request = client.get(url).header(ACCEPT, "application/jwk-set+json, application/json");
    let mut answer = request.send().await.map_err(FetchError::Request)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(FetchError::Request)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Keys::parse(&body, algorithm)
}
