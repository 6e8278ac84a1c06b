//! A JWK Set (RFC 7517, section 5) and which of its keys can verify an issuer's tokens.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};

use super::FetchError;
use crate::authentication::{Algorithm, Error};

/// A public key, bound to the one algorithm it is used with.
#[derive(Debug)]
pub(in crate::authentication) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    /// What makes the key this key.
    material: Vec<u8>,
    decoding: DecodingKey,
}

impl Key {
    /// Whether the signature, in base64url, is this key's for these bytes.
    pub(in crate::authentication) fn verifies(&self, signed: &[u8], signature: &str) -> bool {
        crypto::verify(signature, signed, &self.decoding, self.algorithm.verifier())
            .unwrap_or(false)
    }

    fn is(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.algorithm == other.algorithm
            && self.material == other.material
    }
}

/// The usable keys of a set: at least one, and no two with the same id.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) all: Vec<Arc<Key>>,
    /// How many keys were not usable.
    pub(super) skipped: usize,
}

impl Keys {
    /// Reads a set. Keys that do not fit the algorithm are skipped, because sets also hold keys for other purposes;
    /// different keys with the same id are skipped all, because choosing one would be a guess.
    pub(super) fn parse(body: &[u8], algorithm: Algorithm) -> Result<Self, FetchError> {
        let mut set: Map<String, Value> =
            serde_json::from_slice(body).map_err(FetchError::NotKeys)?;
        let keys = set.remove("keys").unwrap_or_default();
        let keys: Vec<Value> = serde_json::from_value(keys).map_err(FetchError::NotKeys)?;
        let total = keys.len();
        let mut all: Vec<Key> = Vec::new();
        for key in keys.into_iter().filter_map(|key| key_for(algorithm, key)) {
            if !all.iter().any(|known| known.is(&key)) {
                all.push(key);
            }
        }
        let ambiguous = |key: &Key| all.iter().filter(|other| other.kid == key.kid).count() > 1;
        let ambiguous: Vec<bool> = all.iter().map(ambiguous).collect();
        let all: Vec<_> = all
            .into_iter()
            .zip(ambiguous)
            .filter(|(_, ambiguous)| !ambiguous)
            .map(|(key, _)| Arc::new(key))
            .collect();
        if all.is_empty() {
            return Err(FetchError::NoUsableKey(total));
        }
        Ok(Self { skipped: total - all.len(), all })
    }

    /// The key with this id. Without an id it is the only key there is.
    pub(super) fn find(&self, kid: Option<&str>) -> Result<Arc<Key>, Error> {
        match (kid, self.all.as_slice()) {
            (None, [only]) => Ok(Arc::clone(only)),
            (None, _) => Err(Error::UnnamedKey),
            (Some(kid), all) => {
                let named = all.iter().find(|key| key.kid.as_deref() == Some(kid));
                named.map(Arc::clone).ok_or(Error::UnknownKey)
            }
        }
    }

    /// The same keys, where possible as the very ones that were there before: proofs rest on them.
    pub(super) fn reusing(self, before: &Self) -> Self {
        let reuse =
            |key: Arc<Key>| before.all.iter().find(|known| known.is(&key)).map_or(key, Arc::clone);
        Self { all: self.all.into_iter().map(reuse).collect(), skipped: self.skipped }
    }
}

/// The key, if it is made for verifying this algorithm (RFC 7517, sections 4.2 to 4.4; RFC 7518, section 6).
fn key_for(algorithm: Algorithm, key: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let common = &jwk.common;
    let fits = common
        .key_algorithm
        .is_none_or(|named| named == KeyAlgorithm::from(algorithm.verifier()))
        && common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !fits {
        return None;
    }
    let (material, decoding) = match (algorithm, &jwk.algorithm) {
        (Algorithm::Es256, AlgorithmParameters::EllipticCurve(key))
            if key.curve == EllipticCurve::P256 =>
        {
            point(&ECDSA_P256_SHA256_FIXED, 32, &key.x, &key.y)?
        }
        (Algorithm::Es384, AlgorithmParameters::EllipticCurve(key))
            if key.curve == EllipticCurve::P384 =>
        {
            point(&ECDSA_P384_SHA384_FIXED, 48, &key.x, &key.y)?
        }
        (Algorithm::EdDsa, AlgorithmParameters::OctetKeyPair(key))
            if key.curve == EllipticCurve::Ed25519 =>
        {
            let x = decode(&key.x)?;
            ParsedPublicKey::new(&ED25519, &x).ok()?;
            let decoding = DecodingKey::from_ed_der(&x);
            (x, decoding)
        }
        (
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512,
            AlgorithmParameters::RSA(key),
        ) => modulus(&key.n, &key.e)?,
        _ => return None,
    };
    Some(Key { kid: jwk.common.key_id, algorithm, material, decoding })
}

/// A point on the curve, uncompressed.
fn point(
    curve: &'static dyn VerificationAlgorithm,
    size: usize,
    x: &str,
    y: &str,
) -> Option<(Vec<u8>, DecodingKey)> {
    let (x, y) = (decode(x)?, decode(y)?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    ParsedPublicKey::new(curve, &point).ok()?;
    let decoding = DecodingKey::from_ec_der(&point);
    Some((point, decoding))
}

/// An RSA key of 2048 to 8192 bits with a sane exponent.
fn modulus(n: &str, e: &str) -> Option<(Vec<u8>, DecodingKey)> {
    let (n, e) = (decode(n)?, decode(e)?);
    let strip =
        |bytes: &[u8]| bytes.iter().skip_while(|&&byte| byte == 0).copied().collect::<Vec<u8>>();
    let (n, e) = (strip(&n), strip(&e));
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last % 2 == 1);
    if !(256..=1024).contains(&n.len()) || !odd(&n) || !odd(&e) || e.len() > 4 || e == [1] {
        return None;
    }
    let decoding = DecodingKey::from_rsa_raw_components(&n, &e);
    Some(([n.as_slice(), &[0], e.as_slice()].concat(), decoding))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
