//! Logging in, what a token says, and the keys it can be checked with.

use std::{ffi::OsString, process::ExitCode};

use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::{Bench, fields, login};

/// The head and the body of the service's answer to a plain HTTP/1.1 request.
async fn fetch(bench: &Bench, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(bench.service.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: user\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn published(bench: &Bench) -> (String, JwkSet) {
    let (head, body) = fetch(bench, "/.well-known/jwks.json").await;
    (head, serde_json::from_str(&body).unwrap())
}

/// The claims, if one of the keys fits. Time is not looked at: the bench has its own.
fn verified(token: &str, keys: &JwkSet) -> Option<Value> {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["https://shop.example"]);
    validation.set_audience(&["gateway"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(keys.find(&kid(token))?).unwrap();
    Some(decode::<Value>(token, &key, &validation).unwrap().claims)
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

fn rotate(bench: &Bench) {
    let database = bench.folder.path().join("user.db").into_os_string();
    let arguments = ["user".into(), "--rotate-key".into(), OsString::from("--database"), database];
    let code = std::thread::spawn(|| user::main(arguments)).join().unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
}

#[test]
fn rotating_makes_no_database_and_is_no_probe() {
    let folder = tempfile::TempDir::new().unwrap();
    let database = folder.path().join("none.db");
    let words = |flags: &[&str]| {
        let flags = flags.iter().map(OsString::from).collect::<Vec<_>>();
        let database = ["--database".into(), database.clone().into_os_string()];
        user::main([OsString::from("user")].into_iter().chain(flags).chain(database))
    };
    assert_eq!(words(&["--rotate-key"]), ExitCode::FAILURE);
    assert!(!database.exists());
    assert_eq!(words(&["--rotate-key", "--probe"]), ExitCode::from(64));
}

#[tokio::test]
async fn a_token_says_who_and_for_how_long() {
    let bench = Bench::start().await;
    let answer = bench.login("root@example.com", "correct-horse").await.unwrap();
    let claims = verified(&answer.access_token, &published(&bench).await.1).unwrap();
    let now = bench.clock.now().as_second();
    assert_eq!(claims["sub"], "1");
    assert_eq!(claims["roles"], serde_json::json!(["admin"]));
    assert_eq!((claims["iat"].as_i64(), claims["nbf"].as_i64()), (Some(now), Some(now)));
    assert_eq!(claims["exp"].as_i64(), Some(now + 900));
    assert!(claims["jti"].is_string());
    assert_eq!(answer.token_type, "Bearer");
    assert_eq!(answer.expires_at.unwrap().seconds, now + 900);
}

#[tokio::test]
async fn every_seeded_user_can_log_in() {
    let bench = Bench::start().await;
    for email in ["root@example.com", "ada@example.com", "bob@example.com", "ADA@EXAMPLE.COM"] {
        bench.login(email, "correct-horse").await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_email_and_a_wrong_password_look_the_same() {
    let bench = Bench::start().await;
    let password = bench.login("ada@example.com", "wrong-horse").await.unwrap_err();
    let email = bench.login("nobody@example.com", "correct-horse").await.unwrap_err();
    assert_eq!(password.code(), Code::Unauthenticated);
    assert_eq!((password.code(), password.message()), (email.code(), email.message()));
    assert_eq!(password.details(), email.details());
}

#[tokio::test]
async fn refuses_a_login_without_email_or_password() {
    let bench = Bench::start().await;
    assert_eq!(fields(&bench.login("", "").await.unwrap_err()), ["email", "password"]);
    let long = "x".repeat(257);
    assert_eq!(fields(&bench.login("ada@example.com", &long).await.unwrap_err()), ["password"]);
}

#[tokio::test]
async fn many_logins_at_once_wait_for_their_turn() {
    let bench = Bench::start().await;
    let logins: Vec<_> = (0..8)
        .map(|_| {
            let channel = bench.channel.clone();
            tokio::spawn(async move { login(&channel, "ada@example.com", "correct-horse").await })
        })
        .collect();
    for one in logins {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_keys_are_published_over_http_1_and_may_be_cached() {
    let bench = Bench::start().await;
    let (head, keys) = published(&bench).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("cache-control: public, max-age=60"), "{head}");
    assert_eq!(keys.keys.len(), 1);
    let private = serde_json::to_value(&keys).unwrap();
    assert!(private["keys"][0].get("d").is_none());
    let (head, _) = fetch(&bench, "/anything-else").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

#[tokio::test]
async fn replicas_sign_with_the_same_key() {
    let bench = Bench::start().await;
    let (_replica, there) = bench.replica().await;
    let token = login(&there, "ada@example.com", "correct-horse").await.unwrap().access_token;
    assert_eq!(verified(&token, &published(&bench).await.1).unwrap()["sub"], "123");
}

#[tokio::test]
async fn a_new_key_is_published_first_and_signs_later_and_the_old_stays_until_its_tokens_expire() {
    let bench = Bench::start().await;
    let before = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    rotate(&bench);
    let at_once = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    let (_, keys) = published(&bench).await;
    assert_eq!((kid(&at_once), keys.keys.len()), (kid(&before), 2));

    bench.clock.advance(SignedDuration::from_mins(2));
    let after = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    // It was published before it signed.
    assert_ne!(kid(&after), kid(&before));
    assert!(verified(&before, &keys).is_some() && verified(&after, &keys).is_some());

    for (minutes, known) in [(14, true), (2, false)] {
        bench.clock.advance(SignedDuration::from_mins(minutes));
        let (_, keys) = published(&bench).await;
        assert_eq!(verified(&before, &keys).is_some(), known);
        assert!(verified(&after, &keys).is_some());
    }
}

#[tokio::test]
async fn keys_that_are_all_new_leave_the_signing_to_the_oldest() {
    let bench = Bench::start().await;
    let first = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    rotate(&bench);
    rotate(&bench);
    let again = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    assert_eq!(kid(&again), kid(&first));
    bench.clock.advance(SignedDuration::from_mins(2));
    let last = bench.login("ada@example.com", "correct-horse").await.unwrap().access_token;
    assert_eq!(kid(&last), published(&bench).await.1.keys[0].common.key_id.clone().unwrap());
}
