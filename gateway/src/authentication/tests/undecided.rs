//! Every way in which nothing can be said about a token. None of the answers is yes, and none is "anonymous".

use std::time::Duration;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_decided_is_refused() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let stranger = Signer::new("k9", Algorithm::Es256);
    let good = signer.sign(&signer.header(), &claims());
    let mut broken = signer.jwk();
    broken["x"] = broken["y"].clone();
    let mut other_use = signer.jwk();
    other_use["use"] = json!("enc");
    for (why, answer, expected) in [
        ("the issuer is down", Answer::Status(503), "KeysUnavailable"),
        ("the issuer moved", Answer::Status(302), "KeysUnavailable"),
        ("the issuer hangs", Answer::Hang(Duration::from_hours(1)), "KeysUnavailable"),
        ("the set is empty", Answer::Body("{\"keys\":[]}".to_owned()), "KeysUnavailable"),
        ("the set is no set", Answer::Body("{}".to_owned()), "KeysUnavailable"),
        ("the set is no JSON", Answer::Body("<html>".to_owned()), "KeysUnavailable"),
        ("the answer is empty", Answer::Body(String::new()), "KeysUnavailable"),
        ("the key is broken", Answer::keys([broken]), "KeysUnavailable"),
        ("the key is for encryption", Answer::keys([other_use]), "KeysUnavailable"),
        (
            "the key is for another algorithm",
            Answer::keys([Signer::new("k1", Algorithm::Es384).jwk()]),
            "KeysUnavailable",
        ),
        (
            "the key is secret",
            Answer::keys([json!({ "kty": "oct", "kid": "k1", "k": "AAAA" })]),
            "KeysUnavailable",
        ),
        (
            "two keys have its id",
            Answer::keys([signer.jwk(), Signer::new("k1", Algorithm::Es256).jwk()]),
            "KeysUnavailable",
        ),
        ("its key is not there", Answer::keys([stranger.jwk()]), "UnknownKey"),
        (
            "its key id means another key",
            Answer::keys([Signer::new("k1", Algorithm::Es256).jwk()]),
            "BadSignature",
        ),
    ] {
        let door = Door::trusting(&[&signer]);
        door.script.answer(answer);
        for _ in 0..3 {
            let answer = door.ask(&good).await;
            assert_eq!(refusal(answer), expected, "{why}");
        }
        assert_eq!(door.cache.len(), 0, "{why}");
        let anonymous = door.authenticator.authenticate(&HeaderMap::new()).await;
        assert!(matches!(anonymous, Ok(Principal::Anonymous)), "{why}");
    }
}

#[tokio::test]
async fn without_issuers_no_token_is_accepted() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let nobody = Authenticator::new(Vec::new(), Arc::new(TokenCache::new(10)), Clock::system());
    let answer = nobody.authenticate(&bearer(&signer.sign(&signer.header(), &claims()))).await;
    assert_eq!(refusal(answer), "UnknownIssuer");
}

#[tokio::test]
async fn each_issuer_speaks_for_itself_only() {
    let (one, two) = (Signer::new("k", Algorithm::Es256), Signer::new("k", Algorithm::Es256));
    let issuers =
        [(&one, "https://one.example"), (&two, "https://two.example")].map(|(signer, name)| {
            let issuer = TrustedIssuer {
                name: name.to_owned(),
                audience: "gateway".to_owned(),
                algorithm: Algorithm::Es256,
                jwks: "http://127.0.0.1:1/".parse().unwrap(),
            };
            (issuer, Arc::new(Script::new(Answer::keys([signer.jwk()])).key_set(Algorithm::Es256)))
        });
    let clock = Clock::new(|| Timestamp::from_second(NOW).unwrap());
    let authenticator = Authenticator::new(issuers.to_vec(), Arc::new(TokenCache::new(10)), clock);
    let mut as_one = claims();
    as_one["iss"] = json!("https://one.example");
    accepted(authenticator.authenticate(&bearer(&one.sign(&one.header(), &as_one))).await);
    let forged = authenticator.authenticate(&bearer(&two.sign(&two.header(), &as_one))).await;
    assert_eq!(refusal(forged), "BadSignature");
}

#[tokio::test]
async fn no_refusal_repeats_the_token() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let mut secret = claims();
    secret["sub"] = json!("SECRET,SECRET");
    for token in [
        signer.sign(&signer.header(), &secret),
        signer.sign(&json!({ "alg": "SECRET", "kid": "SECRET" }), &claims()),
        signer.sign(&json!({ "alg": "ES256", "kid": "SECRET" }), &claims()),
        signer.sign_text("SECRET", "SECRET"),
        "SECRET.SECRET.SECRET".to_owned(),
    ] {
        let error = door.ask(&token).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.challenge());
        assert!(!shown.contains("SECRET") && !shown.contains(&token), "{shown}");
    }
}
