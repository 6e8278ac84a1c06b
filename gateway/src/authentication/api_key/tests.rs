use http::HeaderValue;

use super::super::{Authenticator, Clock, TokenCache};
use super::*;
use crate::context::Principal;

const KEY: &str = "k-7f3a9c51e2d84b06a1";
/// The SHA-256 of some key.
const HASH: &str = "d44c3dbe8df7c6a67ea4e5f1e1a3a7b8c2b9a5b9b9b4f1a7e3d5c1f0a9b8c7d6";

fn hash(key: &str) -> String {
    let bytes: Vec<String> =
        cache::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

fn keys(text: &str) -> Result<ApiKeys, Vec<String>> {
    ApiKeys::read(HeaderName::from_static(DEFAULT_HEADER), text)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn file() -> String {
    format!(
        "keys:\n  - name: nightly\n    sha256: {}\n    principal: batch-1\n    roles: [staff, admin]\n    expires: 2026-01-02T00:00:00Z\n  - {{ name: hourly, sha256: \"{}\", principal: \"7\" }}\n",
        hash(KEY),
        hash("another").to_uppercase(),
    )
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

async fn ask(now: &str, pairs: &[(&'static str, &str)]) -> Result<Principal, String> {
    let now: Timestamp = now.parse().unwrap();
    let authenticator =
        Authenticator::new(Vec::new(), Arc::new(TokenCache::new(1)), Clock::new(move || now))
            .with_api_keys(Some(keys(&file()).unwrap()));
    authenticator.authenticate(&headers(pairs)).await.map_err(|error| format!("{error:?}"))
}

const EARLY: &str = "2026-01-01T23:59:59Z";

#[tokio::test]
async fn a_key_says_who_its_holder_is_and_that_it_was_a_key() {
    let principal = ask(EARLY, &[("x-api-key", KEY)]).await.unwrap();
    assert_eq!(principal.id(), Some("batch-1"));
    assert_eq!(principal.roles(), ["staff", "admin"]);
    assert_eq!(principal.api_key(), Some("nightly"));
    let principal = ask("2100-01-01T00:00:00Z", &[("x-api-key", "another")]).await.unwrap();
    assert_eq!((principal.id(), principal.api_key()), (Some("7"), Some("hourly")));
    assert_eq!(principal.roles(), [""; 0]);
    assert!(matches!(ask(EARLY, &[]).await, Ok(Principal::Anonymous)));
}

/// Every way in which a key can fail to be known. None of the answers is yes, and none is "anonymous".
#[tokio::test]
async fn a_key_that_is_not_known_is_refused() {
    let long = "k".repeat(LONGEST + 1);
    for wrong in ["", "k", "K-7F3A9C51E2D84B06A1", &KEY[1..], &format!("{KEY}a"), &hash(KEY), &long]
    {
        let answer = ask(EARLY, &[("x-api-key", wrong)]).await;
        assert_eq!(answer.unwrap_err(), "UnknownApiKey", "{wrong}");
    }
    for late in ["2026-01-02T00:00:00Z", "2026-06-01T00:00:00Z"] {
        assert_eq!(ask(late, &[("x-api-key", KEY)]).await.unwrap_err(), "ExpiredApiKey");
    }
}

#[tokio::test]
async fn which_of_two_credentials_counts_is_not_guessed() {
    for pairs in [
        &[("x-api-key", KEY), ("x-api-key", KEY)][..],
        &[("x-api-key", KEY), ("authorization", "Bearer a.b.c")],
        &[("x-api-key", KEY), ("authorization", "")],
        &[("x-api-key", "unknown"), ("authorization", "Basic YTpi")],
    ] {
        assert_eq!(ask(EARLY, pairs).await.unwrap_err(), "SeveralCredentials", "{pairs:?}");
    }
}

#[tokio::test]
async fn without_a_file_of_keys_the_header_means_nothing() {
    let authenticator =
        Authenticator::new(Vec::new(), Arc::new(TokenCache::new(1)), Clock::system());
    let answer = authenticator.authenticate(&headers(&[("x-api-key", KEY)])).await;
    assert!(matches!(answer, Ok(Principal::Anonymous)));
}

#[test]
fn every_mistake_in_a_file_is_told_with_its_line() {
    let text = "keys:
  - { name: a b, sha256: 12, principal: 'a,b', roles: ['a b'], expires: tomorrow }
  - { name: twice, sha256: HASH, principal: a }
  - { name: twice, sha256: HASH, principal: a }
  - { name: empty, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, principal: a }
"
    .replace("HASH", HASH);
    assert_eq!(
        keys(&text).unwrap_err(),
        [
            "2:13: keys[0].name: a name has 1 to 64 visible ASCII characters",
            "2:41: keys[0].principal: a principal has 1 to 255 visible ASCII characters, and no comma",
            "2:56: keys[0].roles: a role has 1 to 64 letters, digits, `_`, `.`, `:` or `-`",
            "2:73: keys[0].expires: write a time such as 2027-01-31T00:00:00Z (RFC 3339)",
            "2:26: keys[0].sha256: write the 64 hexadecimal digits that `printf %s KEY | sha256sum` prints",
            "4:13: keys[2].name: this name is there twice: give each key its own",
            "4:28: keys[2].sha256: this key is there twice: a key has one holder",
            "5:28: keys[3].sha256: this is the hash of nothing, and no key is empty",
        ]
    );
}

#[test]
fn a_file_that_is_none_is_refused_with_its_line() {
    for (text, line) in [
        ("", ""),
        ("keys: 7", "1:"),
        ("- a", "1:"),
        ("keys:\n  - { name: a, sha256: b, principal: c, key: d }", "2:"),
        ("keys:\n  - { name: a, principal: c }", "2:"),
        ("keys:\n  - { name: a, sha256: HASH, principal: c, expires: }", "2:"),
        ("keys:\n  - { name: a, sha256: HASH, principal: c, expires: ~ }", "2:"),
        ("keys:\n  - name: a\n    sha256: HASH\n    principal: c\n    expires:\n", "5:"),
        ("keys: []\nothers: []", "2:"),
        ("keys: [", "1:"),
    ] {
        let mistakes = keys(&text.replace("HASH", HASH)).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(line), "{text}: {mistakes:?}");
    }
    assert!(keys("keys: []").is_ok());
}

#[test]
fn no_key_and_no_hash_is_shown_anywhere() {
    let keys = keys(&file()).unwrap();
    assert_eq!(format!("{keys:?}"), "ApiKeys(2 in x-api-key)");
    for error in [Error::UnknownApiKey, Error::ExpiredApiKey] {
        assert!(!error.to_string().contains(KEY));
    }
}
