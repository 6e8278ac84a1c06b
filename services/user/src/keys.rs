//! The keys that sign tokens: made once per database, rotated by command, published as a JWK set (RFC 7517).
//!
//! All replicas read them from the database with each login and each fetch of the set, so a rotation needs no restart. A
//! new key is published first and signs later, so that no token is signed with a key that nobody has seen.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use service_kit::{Clock, Failure, Store, Timestamp, clock::later, ids};
use tonic::Status;

use crate::token;

/// Where RFC 8414's world looks for the set.
const PATH: &str = "/.well-known/jwks.json";
/// How long others may keep the set.
const CACHE: &str = "public, max-age=60";
/// How long a new key is published before it signs. A gateway fetches the set again when it meets a key that it doesn't
/// know, but at most every 30 seconds, and others may keep the set for a minute: after that everybody can know the key.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// A login that read the old key just before the new one took over signs just after it.
const SLACK: SignedDuration = SignedDuration::from_mins(1);
/// Both coordinates of a point of P-256, after the byte that says "uncompressed" (SEC 1, 2.3.3).
const COORDINATE: usize = 32;

/// A key that signs.
pub(crate) struct SigningKey {
    /// Its name in the header of the tokens it signed.
    pub(crate) kid: String,
    /// PKCS#8.
    pub(crate) private_key: Vec<u8>,
}

#[derive(Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    r#use: &'static str,
    kid: String,
    x: String,
    y: String,
}

/// The key that signs now: the newest of those that everybody can know, or else the oldest, which is known best.
pub(crate) fn current(db: &Connection, now: Timestamp) -> Result<SigningKey, Failure> {
    let sql = "SELECT kid, private_key FROM signing_keys
               ORDER BY create_time <= ?1 DESC, iif(create_time <= ?1, -sequence, sequence) LIMIT 1";
    let key = db.prepare_cached(sql)?.query_row([later(now, -AHEAD).as_microsecond()], |row| {
        Ok(SigningKey { kid: row.get(0)?, private_key: row.get(1)? })
    });
    Ok(key?)
}

/// Makes the first key of a new database.
pub(crate) fn ensure(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), Failure> {
    let sql = "SELECT 1 FROM signing_keys";
    if transaction.prepare_cached(sql)?.exists([])? { Ok(()) } else { rotate(transaction, now) }
}

/// Makes a new key, which is published at once and signs [later](AHEAD), and deletes those whose tokens have all expired.
pub(crate) fn rotate(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), Failure> {
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pair = pair.map_err(|_| Status::internal("the system has no randomness"))?;
    transaction.execute(
        "INSERT INTO signing_keys (kid, private_key, create_time) VALUES (?1, ?2, ?3)",
        params![ids::fresh(), pair.as_ref(), now.as_microsecond()],
    )?;
    let alive: Vec<i64> =
        alive(transaction, now)?.into_iter().map(|(sequence, _)| sequence).collect();
    let oldest = alive.into_iter().min().unwrap_or_default();
    transaction.execute("DELETE FROM signing_keys WHERE sequence < ?1", [oldest])?;
    Ok(())
}

/// Serves the set over plain HTTP.
pub(crate) fn routes(store: Store, clock: Clock) -> Router {
    Router::new().route(PATH, get(publish)).with_state((store, clock))
}

async fn publish(State((store, clock)): State<(Store, Clock)>) -> Response {
    let now = clock.now();
    let keys = store.read(move |db| alive(db, now)).await;
    let set = keys.and_then(|keys| {
        let keys: Result<_, _> = keys.iter().map(|(_, key)| public(key)).collect();
        serde_json::to_vec(&JwkSet { keys: keys? }).map_err(|_| unreadable())
    });
    match set {
        Ok(set) => (
            [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, CACHE)],
            set,
        )
            .into_response(),
        Err(failure) => {
            tracing::error!(error = %failure, "could not publish the keys");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// The keys whose tokens may still be valid, with their sequence: the latest, and each that signed so lately. A key signs
/// until the next one takes over.
fn alive(db: &Connection, now: Timestamp) -> Result<Vec<(i64, SigningKey)>, Failure> {
    let sql = "SELECT sequence, kid, private_key FROM (
                   SELECT *, lead(create_time) OVER (ORDER BY sequence) AS end_time FROM signing_keys
               ) WHERE end_time IS NULL OR end_time > ?1 ORDER BY sequence DESC";
    let since = [token::LIFE, AHEAD, SLACK].into_iter().fold(now, |time, span| later(time, -span));
    let since = since.as_microsecond();
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([since], |row| {
        Ok((row.get(0)?, SigningKey { kid: row.get(1)?, private_key: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn public(key: &SigningKey) -> Result<Jwk, Failure> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.private_key);
    let pair = pair.map_err(|_| unreadable())?;
    let point = pair.public_key().as_ref();
    let (Some(x), Some(y)) = (point.get(1..=COORDINATE), point.get(COORDINATE + 1..)) else {
        return Err(unreadable());
    };
    Ok(Jwk {
        kty: "EC",
        crv: "P-256",
        alg: "ES256",
        r#use: "sig",
        kid: key.kid.clone(),
        x: URL_SAFE_NO_PAD.encode(x),
        y: URL_SAFE_NO_PAD.encode(y),
    })
}

fn unreadable() -> Failure {
    Status::internal("a signing key can't be read").into()
}
