//! An issuer of tokens whose key the test holds: it can say anything a real one never would.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use e2e::bed::Setup;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The issuer that `gateway.yaml` trusts.
pub(crate) const ISSUER: &str = "https://shop.example";

/// A signing key with a name.
pub(crate) struct Key {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
        Self { kid, pair }
    }

    /// The public half (RFC 7517).
    pub(crate) fn public(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": text(x), "y": text(y)})
    }

    /// Signs any header and claims, whatever the header says of the algorithm.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A token like those of the user service, but with `change` merged into its claims; null takes a claim away.
    pub(crate) fn token(&self, change: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": "gateway", "sub": "123", "roles": [], "iat": now(), "exp": now() + 600,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(&json!({"alg": "ES256", "typ": "JWT", "kid": self.kid}), &claims)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

/// Serves a key set and counts how often it was asked.
pub(crate) struct Issuer {
    address: SocketAddr,
    fetches: Arc<AtomicUsize>,
    body: Arc<Mutex<(StatusCode, String)>>,
    task: JoinHandle<()>,
}

impl Issuer {
    pub(crate) async fn serving(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fetches = Arc::new(AtomicUsize::new(0));
        let body = Arc::new(Mutex::new((StatusCode::OK, key_set(keys))));
        let (counter, content) = (Arc::clone(&fetches), Arc::clone(&body));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (counter, content) = (Arc::clone(&counter), Arc::clone(&content));
                tokio::spawn(async move {
                    let answer = hyper::service::service_fn(move |_| {
                        counter.fetch_add(1, Relaxed);
                        let (status, text) = content.lock().unwrap().clone();
                        let answer = Response::builder()
                            .status(status)
                            .header("content-type", "application/json");
                        let answer = answer.body(Full::new(Bytes::from(text))).unwrap();
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        Self { address, fetches, body, task }
    }

    /// Answers something else from now on.
    pub(crate) fn answer(&self, status: StatusCode, text: &str) {
        *self.body.lock().unwrap() = (status, text.to_owned());
    }

    /// How often the keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Relaxed)
    }

    /// Makes a shop trust this issuer instead of its user service.
    pub(crate) fn trusted_by(&self, setup: Setup) -> Setup {
        setup.config(
            "http://${USER_ADDR:-127.0.0.1:50051}/.well-known/jwks.json",
            &format!("http://{}/keys", self.address),
        )
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A key set (RFC 7517, section 5).
pub(crate) fn key_set(keys: &[&Key]) -> String {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()}).to_string()
}
