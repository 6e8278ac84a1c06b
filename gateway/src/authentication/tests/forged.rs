//! Tokens that somebody other than the issuer made. None is worth anything.

use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn refuses_every_changed_letter() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let token = signer.sign(&signer.header(), &claims());
    accepted(door.ask(&token).await);
    for at in 0..token.len() {
        for letter in ["A", "B", "-", ".", "="] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, letter);
            if changed != token {
                refusal(door.ask(&changed).await);
            }
        }
    }
}

#[tokio::test]
async fn refuses_every_flipped_bit_of_the_signature() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let signer = Signer::new("k1", algorithm);
        let door = Door::trusting(&[&signer]);
        let token = signer.sign(&signer.header(), &claims());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = decode(signature);
        for bit in (0..signature.len() * 8).step_by(signature.len() * 8 / 256) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let answer = door.ask(&format!("{signed}.{}", encode(&flipped))).await;
            assert_eq!(refusal(answer), "BadSignature", "bit {bit}");
        }
    }
}

#[tokio::test]
async fn refuses_signatures_that_are_no_numbers_of_the_curve() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let token = signer.sign(&signer.header(), &claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let good = decode(signature);
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    for wrong in [
        vec![0; 64],
        [&[0; 32], &good[32..]].concat(),
        [&good[..32], &[0; 32]].concat(),
        [order, order].concat(),
        vec![0xff; 64],
        good[..63].to_vec(),
        [good.as_slice(), &[0]].concat(),
        vec![0; 1],
        vec![0; 128],
    ] {
        let answer = door.ask(&format!("{signed}.{}", encode(&wrong))).await;
        assert_eq!(refusal(answer), "BadSignature", "{wrong:?}");
    }
}

#[tokio::test]
async fn refuses_rsa_signatures_of_another_length_or_value() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps384] {
        let signer = Signer::new("k1", algorithm);
        let door = Door::trusting(&[&signer]);
        let token = signer.sign(&signer.header(), &claims());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let good = decode(signature);
        for wrong in [
            good[..255].to_vec(),
            good[1..].to_vec(),
            [&[0], good.as_slice()].concat(),
            [good.as_slice(), &[0]].concat(),
            vec![0; 256],
            vec![0xff; 256],
            [&[0; 255][..], &[1]].concat(),
            decode(signer.jwk()["n"].as_str().unwrap()),
        ] {
            let answer = door.ask(&format!("{signed}.{}", encode(&wrong))).await;
            assert_eq!(refusal(answer), "BadSignature", "{wrong:?}");
        }
    }
}

#[tokio::test]
async fn refuses_unsigned_tokens_in_every_spelling() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "kid": "k1" }).to_string();
        let signed =
            format!("{}.{}", encode(header.as_bytes()), encode(claims().to_string().as_bytes()));
        assert_eq!(refusal(door.ask(&format!("{signed}.")).await), "Malformed", "{alg}");
        assert_eq!(refusal(door.ask(&signed).await), "Malformed", "{alg}");
        assert_eq!(refusal(door.ask(&format!("{signed}.AAAA")).await), "WrongAlgorithm", "{alg}");
    }
}

#[tokio::test]
async fn refuses_the_public_key_as_a_password() {
    let signer = Signer::new("k1", Algorithm::Rs256);
    let door = Door::trusting(&[&signer]);
    let jwk = signer.jwk();
    let (n, e) = (decode(jwk["n"].as_str().unwrap()), decode(jwk["e"].as_str().unwrap()));
    let body = [n.as_slice(), e.as_slice()].concat();
    let passwords: [Vec<u8>; 8] = [
        pem("PUBLIC KEY", &body).into_bytes(),
        pem("RSA PUBLIC KEY", &body).into_bytes(),
        pem("PUBLIC KEY", &body).trim_end().as_bytes().to_vec(),
        body,
        n,
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        Vec::new(),
    ];
    for (alg, algorithm) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for password in &passwords {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": "k1" }).to_string();
            let signed = format!(
                "{}.{}",
                encode(header.as_bytes()),
                encode(claims().to_string().as_bytes())
            );
            let tag = hmac::sign(&hmac::Key::new(algorithm, password), signed.as_bytes());
            let answer = door.ask(&format!("{signed}.{}", encode(tag.as_ref()))).await;
            assert_eq!(refusal(answer), "WrongAlgorithm");
        }
    }
}

#[tokio::test]
async fn refuses_the_right_key_with_another_algorithm_of_its_family() {
    use jsonwebtoken::Algorithm as Jwt;
    let signer = Signer::new("k1", Algorithm::Rs256);
    let door = Door::trusting(&[&signer]);
    let others = [
        ("RS384", Jwt::RS384),
        ("RS512", Jwt::RS512),
        ("PS256", Jwt::PS256),
        ("PS512", Jwt::PS512),
    ];
    for (alg, algorithm) in others {
        let header = json!({ "alg": alg, "kid": "k1" }).to_string();
        let honest = signer.sign_with(algorithm, &header, &claims().to_string());
        assert_eq!(refusal(door.ask(&honest).await), "WrongAlgorithm", "{alg}");
        let lying =
            signer.sign_with(algorithm, &signer.header().to_string(), &claims().to_string());
        assert_eq!(refusal(door.ask(&lying).await), "BadSignature", "{alg}");
    }
    for alg in ["rs256", "RS256 ", "ES256", "ES256K", "ES512", "EdDSA", "dir", "RSA-OAEP"] {
        let header = json!({ "alg": alg, "kid": "k1" });
        assert_eq!(
            refusal(door.ask(&signer.sign(&header, &claims())).await),
            "WrongAlgorithm",
            "{alg}"
        );
    }
}

#[tokio::test]
async fn refuses_the_key_of_somebody_else() {
    let (issuer, thief) =
        (Signer::new("k1", Algorithm::Es256), Signer::new("k1", Algorithm::Es256));
    let door = Door::trusting(&[&issuer]);
    assert_eq!(refusal(door.ask(&thief.sign(&thief.header(), &claims())).await), "BadSignature");
}

#[tokio::test]
async fn never_looks_at_a_key_that_the_token_brings_along() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let (issuer, thief) =
        (Signer::new("k1", Algorithm::Es256), Signer::new("k2", Algorithm::Es256));
    let door = Door::trusting(&[&issuer]);
    for (name, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("jwk", json!(7)),
    ] {
        for kid in [Some("k1"), Some("k2"), None] {
            let mut header = json!({ "alg": "ES256", "typ": "JWT" });
            header[name] = value.clone();
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            let expected = if kid == Some("k2") { "UnknownKey" } else { "BadSignature" };
            assert_eq!(
                refusal(door.ask(&thief.sign(&header, &claims())).await),
                expected,
                "{name}"
            );
            if kid == Some("k1") {
                accepted(door.ask(&issuer.sign(&header, &claims())).await);
            }
        }
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn refuses_a_second_spelling_of_a_good_token() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let door = Door::trusting(&[&signer]);
    let token = signer.sign(&signer.header(), &claims());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let respelled = |part: &str| {
        // The last letter of 64 bytes in base64 carries four bits that mean nothing.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (rest, last) = part.split_at(part.len() - 1);
        let next = alphabet.find(last).unwrap() + 1;
        format!("{rest}{}", &alphabet[next..=next])
    };
    for wrong in [
        format!("{token}="),
        format!("{token}=="),
        format!("{token}."),
        format!("{token}.."),
        format!(".{token}"),
        format!("{token}.AAAA"),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}==.{signature}"),
        format!("{header}.{payload}.{}", respelled(signature)),
        format!("{header}.{payload}.+{}", &signature[1..]),
        format!("{header}.{payload}./{}", &signature[1..]),
        format!("{header}.{payload}.~{}", &signature[1..]),
        format!("{header}.{payload}.{signature}AAA"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "...".to_owned(),
    ] {
        assert_eq!(refusal(door.ask(&wrong).await), "Malformed", "{wrong}");
    }
    accepted(door.ask(&token).await);
}

proptest! {
    #[test]
    fn nothing_but_the_token_itself_is_accepted(text in ".{0,40}", at in 0_usize..400, cut in 0_usize..40) {
        let signer = Signer::new("k1", Algorithm::EdDsa);
        let door = Door::trusting(&[&signer]);
        let token = signer.sign(&signer.header(), &claims());
        let at = at.min(token.len());
        let changed = format!("{}{text}{}", &token[..at], &token[(at + cut).min(token.len())..]);
        prop_assume!(changed.trim_ascii() != token);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let Ok(value) = HeaderValue::from_str(&format!("Bearer {changed}")) else { return Ok(()) };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        prop_assert!(runtime.block_on(door.authenticator.authenticate(&headers)).is_err());
    }
}
