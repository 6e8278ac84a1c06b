//! An issuer that signs whatever it is told to, and a gateway that trusts it.

mod cache;
mod claims;
mod forged;
mod header;
mod undecided;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Value, json};

use super::jwks::tests::{Answer, Script};
use super::*;

/// The time at which all tests begin: 2026-01-01.
pub(super) const NOW: i64 = 1_767_225_600;
pub(super) const ISSUER: &str = "https://shop.example";

/// A key pair that signs anything.
pub(super) struct Signer {
    pub(super) kid: &'static str,
    pub(super) algorithm: Algorithm,
    private: EncodingKey,
}

impl Signer {
    pub(super) fn new(kid: &'static str, algorithm: Algorithm) -> Self {
        let private = match algorithm {
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => EncodingKey::from_ed_der(
                Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap().as_ref(),
            ),
            _ => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
                EncodingKey::from_rsa_pem(
                    pem("PRIVATE KEY", pair.as_der().unwrap().as_ref()).as_bytes(),
                )
                .unwrap()
            }
        };
        Self { kid, algorithm, private }
    }

    /// The public key, as an issuer publishes it.
    pub(super) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm.verifier()).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.name(), "typ": "JWT", "kid": self.kid })
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub(super) fn sign_text(&self, header: &str, claims: &str) -> String {
        self.sign_with(self.algorithm.verifier(), header, claims)
    }

    pub(super) fn sign_with(
        &self,
        algorithm: jsonwebtoken::Algorithm,
        header: &str,
        claims: &str,
    ) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = crypto::sign(signed.as_bytes(), &self.private, algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> EncodingKey {
    EncodingKey::from_ec_der(
        EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap().as_ref(),
    )
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "gateway", "sub": "123", "exp": NOW + 900, "roles": ["user", "admin"] })
}

/// An authenticator that trusts one issuer, whose answers and whose time a test can change.
pub(super) struct Door {
    pub(super) authenticator: Authenticator,
    pub(super) script: Arc<Script>,
    pub(super) keys: Arc<KeySet>,
    pub(super) cache: Arc<TokenCache>,
    pub(super) now: Arc<AtomicI64>,
}

impl Door {
    pub(super) fn trusting(signers: &[&Signer]) -> Self {
        let algorithm = signers[0].algorithm;
        let script = Script::new(Answer::keys(signers.iter().map(|signer| signer.jwk())));
        let keys = Arc::new(script.key_set(algorithm));
        Self { script, ..Self::over(algorithm, keys) }
    }

    /// The same over other keys; its script is not theirs.
    pub(super) fn over(algorithm: Algorithm, keys: Arc<KeySet>) -> Self {
        let script = Script::new(Answer::keys([]));
        let cache = Arc::new(TokenCache::new(1_000));
        let now = Arc::new(AtomicI64::new(NOW));
        let authenticator = door(algorithm, "gateway", &keys, &cache, &now);
        Self { authenticator, script, keys, cache, now }
    }

    /// The authenticator of another configuration over the same memory.
    pub(super) fn reconfigured(&self, algorithm: Algorithm, audience: &str) -> Authenticator {
        door(algorithm, audience, &self.keys, &self.cache, &self.now)
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Who the holder of this token is.
    pub(super) async fn ask(&self, token: &str) -> Result<Principal, Error> {
        self.authenticator.authenticate(&bearer(token)).await
    }
}

fn door(
    algorithm: Algorithm,
    audience: &str,
    keys: &Arc<KeySet>,
    cache: &Arc<TokenCache>,
    now: &Arc<AtomicI64>,
) -> Authenticator {
    let issuer = TrustedIssuer {
        name: ISSUER.to_owned(),
        audience: audience.to_owned(),
        algorithm,
        jwks: "http://127.0.0.1:1/jwks".parse().unwrap(),
    };
    let now = Arc::clone(now);
    let clock = Clock::new(move || Timestamp::from_second(now.load(Ordering::Relaxed)).unwrap());
    Authenticator::new(vec![(issuer, Arc::clone(keys))], Arc::clone(cache), clock)
}

pub(super) fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

/// The name of the refusal; a principal of any kind is none.
pub(super) fn refusal(answer: Result<Principal, Error>) -> String {
    match answer {
        Ok(principal) => panic!("accepted as {principal:?}"),
        Err(error) => {
            let text = format!("{error:?}");
            text.split(['(', ' ']).next().unwrap().to_owned()
        }
    }
}

pub(super) fn accepted(answer: Result<Principal, Error>) -> Arc<Identity> {
    match answer {
        Ok(Principal::Known(identity)) => identity,
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn proves_a_good_token_of_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new("k1", algorithm);
        let door = Door::trusting(&[&signer]);
        let identity = accepted(door.ask(&signer.sign(&signer.header(), &claims())).await);
        assert_eq!(identity.id, "123");
        assert_eq!(identity.roles, ["user", "admin"]);
    }
}

#[tokio::test]
async fn a_request_without_a_credential_is_anonymous_and_needs_no_keys() {
    let door = Door::trusting(&[&Signer::new("k1", Algorithm::Es256)]);
    let answer = door.authenticator.authenticate(&HeaderMap::new()).await;
    assert!(matches!(answer, Ok(Principal::Anonymous)));
    assert_eq!(door.script.asked(), 0);
}
