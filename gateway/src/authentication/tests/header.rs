//! What the header of a token may ask for.

use super::*;

#[tokio::test]
async fn refuses_tokens_with_critical_extensions_even_empty_ones() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64"), json!(null), json!({})] {
        let mut header = signer.header();
        header["crit"] = crit.clone();
        header["b64"] = json!(true);
        assert_eq!(refusal(door.ask(&signer.sign(&header, &claims())).await), "Critical", "{crit}");
    }
}

#[tokio::test]
async fn takes_access_tokens_and_no_other_type() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        let mut header = signer.header();
        header["typ"] = json!(typ);
        accepted(door.ask(&signer.sign(&header, &claims())).await);
    }
    for typ in [
        "",
        "ID",
        "id+jwt",
        "refresh+jwt",
        "rt+jwt",
        "JWS",
        "JOSE",
        "logout+jwt",
        "dpop+jwt",
        "jwt ",
    ] {
        let mut header = signer.header();
        header["typ"] = json!(typ);
        assert_eq!(refusal(door.ask(&signer.sign(&header, &claims())).await), "WrongType", "{typ}");
    }
    accepted(door.ask(&signer.sign(&json!({ "alg": "ES256", "kid": "k1" }), &claims())).await);
}

#[tokio::test]
async fn demands_the_key_by_name_when_there_are_several() {
    let (one, two) = (Signer::new("k1", Algorithm::Es256), Signer::new("k2", Algorithm::Es256));
    let unnamed = one.sign(&json!({ "alg": "ES256" }), &claims());
    accepted(Door::trusting(&[&one]).ask(&unnamed).await);
    assert_eq!(refusal(Door::trusting(&[&one, &two]).ask(&unnamed).await), "UnnamedKey");
}

#[tokio::test]
async fn refuses_headers_that_are_not_what_they_should_be() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    for header in [
        "",
        "{}",
        "[]",
        "null",
        "7",
        "\"ES256\"",
        "{",
        "{\"alg\":\"ES256\"} x",
        "{\"alg\":null,\"kid\":\"k1\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"kid\":null}",
        "{\"alg\":\"ES256\",\"kid\":1}",
        "{\"alg\":\"ES256\",\"kid\":[\"k1\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":null}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":7}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"k1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k2\",\"kid\":\"k1\"}",
        "{\"kid\":\"k1\"}",
    ] {
        let token = signer.sign_text(header, &claims().to_string());
        assert_eq!(refusal(door.ask(&token).await), "Malformed", "{header}");
    }
}

#[tokio::test]
async fn finds_the_token_in_the_one_header_and_nowhere_else() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let token = signer.sign(&signer.header(), &claims());
    let mut twice = bearer(&token);
    twice.append(AUTHORIZATION, twice[AUTHORIZATION].clone());
    assert_eq!(refusal(door.authenticator.authenticate(&twice).await), "SeveralCredentials");
    let basic =
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Basic YWRhOnNlY3JldA=="))]);
    assert_eq!(refusal(door.authenticator.authenticate(&basic).await), "NotBearer");
    for name in ["cookie", "x-access-token", "proxy-authorization", "x-authorization"] {
        let mut elsewhere = HeaderMap::new();
        elsewhere.insert(name, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let answer = door.authenticator.authenticate(&elsewhere).await;
        assert!(matches!(answer, Ok(Principal::Anonymous)), "{name}");
    }
}

#[tokio::test]
async fn refuses_a_giant_token_without_reading_it() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    for size in [8 * 1024, 16 * 1024, 64 * 1024] {
        let mut claims = claims();
        claims["padding"] = json!("a".repeat(size));
        assert_eq!(refusal(door.ask(&signer.sign(&signer.header(), &claims)).await), "TooLong");
    }
    assert_eq!(door.script.asked(), 0);
}
