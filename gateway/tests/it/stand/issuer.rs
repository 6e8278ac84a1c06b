//! An issuer of tokens whose keys the test holds: it can say anything a real one never would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::Latch;

/// A signing key with a name.
pub(crate) struct Key {
    kid: &'static str,
    pkcs8: Vec<u8>,
    point: Vec<u8>,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let (point, pkcs8) = (pair.public_key().as_ref().to_vec(), pkcs8.as_ref().to_vec());
        Self { kid, pkcs8, point }
    }

    /// A token of `https://issuer.example` for `gateway`, with `change` merged into its claims; null takes one away.
    pub(crate) fn token(&self, change: &Value) -> String {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": "gateway", "sub": "ada", "roles": [],
            "iat": now(), "exp": now() + 600,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }

    /// The public half (RFC 7517).
    fn public(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let (x, y) = self.point[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": text(x), "y": text(y)})
    }
}

/// Publishes keys, until it is dropped, and counts how often it was asked.
pub(crate) struct Issuer {
    /// What its tokens say in `iss`.
    pub(crate) name: String,
    address: SocketAddr,
    asked: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Published {
    status: StatusCode,
    body: String,
    latch: Option<Latch>,
    asked: Arc<watch::Sender<usize>>,
}

impl Issuer {
    /// Publishes a key.
    pub(crate) async fn of(key: &Key) -> Self {
        Self::answering(200, &json!({"keys": [key.public()]}).to_string(), None).await
    }

    /// Publishes a key, but not before the latch is opened.
    pub(crate) async fn slow(key: &Key, latch: &Latch) -> Self {
        Self::answering(200, &json!({"keys": [key.public()]}).to_string(), Some(latch.clone()))
            .await
    }

    /// Answers anything.
    pub(crate) async fn answering(status: u16, body: &str, latch: Option<Latch>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(watch::Sender::new(0));
        let published = Published {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.to_owned(),
            latch,
            asked: Arc::clone(&asked),
        };
        let router = Router::new().route("/keys", get(publish)).with_state(published);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { name: "https://issuer.example".to_owned(), address, asked, task }
    }

    /// Where the keys are.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// How often the keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        *self.asked.borrow()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn publish(State(published): State<Published>) -> (StatusCode, String) {
    published.asked.send_modify(|count| *count += 1);
    if let Some(latch) = &published.latch {
        latch.opened().await;
    }
    (published.status, published.body)
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}
