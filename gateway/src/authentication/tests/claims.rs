//! What a signed token may say.

use super::*;

/// Asks with the claims of a good token, of which some are replaced; `Value::Null` takes one away.
async fn with(changes: Value) -> Result<Principal, Error> {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    with_text(&claims.to_string()).await
}

async fn with_text(claims: &str) -> Result<Principal, Error> {
    let signer = Signer::new("k1", Algorithm::EdDsa);
    Door::trusting(&[&signer]).ask(&signer.sign_text(&signer.header().to_string(), claims)).await
}

#[tokio::test]
async fn refuses_an_expired_token() {
    for exp in [
        json!(NOW - 5),
        json!(NOW - 900),
        json!(0),
        json!(-1),
        json!(-1e9),
        json!(NOW - 6),
        json!(1.5),
    ] {
        assert_eq!(refusal(with(json!({ "exp": exp })).await), "Expired", "{exp}");
    }
    for exp in [
        json!(NOW - 4),
        json!(NOW),
        json!(NOW + 1),
        json!(1_767_225_595.5),
        json!(253_402_207_199_i64),
    ] {
        accepted(with(json!({ "exp": exp })).await);
    }
}

#[tokio::test]
async fn refuses_a_token_that_is_not_valid_yet() {
    for changes in [
        json!({ "nbf": NOW + 6 }),
        json!({ "nbf": NOW + 900 }),
        json!({ "nbf": 1_767_225_605.5 }),
        json!({ "iat": NOW + 301 }),
        json!({ "iat": NOW + 1_000_000, "nbf": NOW - 1 }),
        json!({ "nbf": NOW + 6, "iat": NOW - 1 }),
    ] {
        assert_eq!(refusal(with(changes.clone()).await), "NotYetValid", "{changes}");
    }
    for changes in [
        json!({ "nbf": NOW + 5 }),
        json!({ "nbf": NOW }),
        json!({ "nbf": 0 }),
        json!({ "iat": NOW + 300 }),
    ] {
        accepted(with(changes).await);
    }
}

#[tokio::test]
async fn refuses_a_token_for_somebody_else() {
    for aud in [
        json!("other"),
        json!(""),
        json!("Gateway"),
        json!("gateway "),
        json!("gateway,other"),
        json!([]),
        json!(["other"]),
        json!(["gate", "way"]),
    ] {
        assert_eq!(refusal(with(json!({ "aud": aud })).await), "WrongAudience", "{aud}");
    }
    for aud in [json!("gateway"), json!(["gateway"]), json!(["other", "gateway"])] {
        accepted(with(json!({ "aud": aud })).await);
    }
}

#[tokio::test]
async fn refuses_a_token_from_somebody_else() {
    for iss in [
        "https://shop.example/",
        "https://SHOP.example",
        "https://shop.example.evil",
        "",
        "http://shop.example",
        "*",
    ] {
        assert_eq!(refusal(with(json!({ "iss": iss })).await), "UnknownIssuer", "{iss}");
    }
}

#[tokio::test]
async fn refuses_a_token_that_lacks_a_claim() {
    for name in ["exp", "iss", "aud", "sub"] {
        let mut changes = json!({});
        changes[name] = Value::Null;
        let error = with(changes).await.unwrap_err();
        assert!(
            matches!(error, Error::MissingClaim(missing) if missing == name),
            "{name}: {error:?}"
        );
    }
    accepted(with(json!({ "roles": null })).await);
    assert_eq!(refusal(with_text("{}").await), "MissingClaim");
}

#[tokio::test]
async fn refuses_claims_of_another_type_instead_of_passing_over_them() {
    let later = (NOW + 900).to_string();
    for (name, values) in [
        (
            "exp",
            json!([
                later,
                true,
                false,
                [],
                [NOW + 900],
                {},
                "",
                1e19,
                1e300,
                -1e300,
                (NOW + 900) * 1000,
                253_402_300_800_i64
            ]),
        ),
        ("nbf", json!(["0", true, [], {}, "", 1e300, -1e300])),
        ("iat", json!(["0", true, [], {}, 1e300])),
        ("iss", json!([[ISSUER], 7, true, {}])),
        ("aud", json!([7, true, {}, [7], ["gateway", 7], [["gateway"]]])),
        ("sub", json!([123, true, ["123"], {}])),
        ("roles", json!(["admin", 7, true, {}, [7], ["admin", null], [["admin"]]])),
    ] {
        for value in values.as_array().unwrap() {
            let mut changes = json!({});
            changes[name] = value.clone();
            let error = with(changes).await.unwrap_err();
            assert!(
                matches!(error, Error::InvalidClaim(wrong) if wrong == name),
                "{name} {value}: {error:?}"
            );
        }
        let mut claims = claims().to_string();
        claims.truncate(claims.len() - 1);
        let null = match name {
            "nbf" | "iat" => format!("{claims},\"{name}\":null}}"),
            _ => {
                claims.replace(&format!("\"{name}\":"), &format!("\"{name}\":null,\"old\":")) + "}"
            }
        };
        let error = with_text(&null).await.unwrap_err();
        assert!(
            matches!(error, Error::InvalidClaim(wrong) if wrong == name),
            "{name} null: {error:?}"
        );
    }
}

#[tokio::test]
async fn refuses_claims_that_occur_twice_and_texts_that_are_no_claims() {
    let good = claims().to_string();
    for (name, second) in [
        ("sub", "\"1\""),
        ("exp", "9999999999"),
        ("roles", "[]"),
        ("aud", "\"gateway\""),
        ("iss", "\"a\""),
    ] {
        let twice = format!("{{\"{name}\":{second},{}", &good[1..]);
        assert_eq!(refusal(with_text(&twice).await), "Malformed", "{name}");
    }
    for text in [
        "",
        "[]",
        "null",
        "\"sub\"",
        "{",
        &format!("{good}{good}"),
        &format!("{good} x"),
        &good.replace("123", "\\ud800"),
    ] {
        assert_eq!(refusal(with_text(text).await), "Malformed", "{text}");
    }
}

#[tokio::test]
async fn refuses_a_subject_that_could_not_travel_as_metadata() {
    for sub in [
        "",
        " ",
        "a b",
        "a,b",
        "a\nb",
        "a\r\nx-principal-roles: admin",
        "a\0",
        "a\u{7f}",
        "é",
        "１",
        &"a".repeat(256),
    ] {
        let error = with(json!({ "sub": sub })).await.unwrap_err();
        assert!(matches!(error, Error::InvalidClaim("sub")), "{sub:?}: {error:?}");
    }
    for sub in
        ["1", "auth0|123", "ada@example.com", "urn:user:123", "018f-\"'\\;=", &"a".repeat(255)]
    {
        assert_eq!(accepted(with(json!({ "sub": sub })).await).id, sub);
    }
}

#[tokio::test]
async fn refuses_roles_that_could_not_travel_as_metadata() {
    for role in ["", " ", "a b", "user,admin", "admin\n", "é", "a/b", &"a".repeat(65)] {
        let error = with(json!({ "roles": ["user", role] })).await.unwrap_err();
        assert!(matches!(error, Error::InvalidClaim("roles")), "{role:?}: {error:?}");
    }
    let roles = |count: usize| json!({ "roles": vec!["a"; count] });
    assert_eq!(refusal(with(roles(65)).await), "InvalidClaim");
    assert_eq!(accepted(with(roles(64)).await).roles.len(), 64);
    let role = "aZ9_.:-".to_owned() + &"a".repeat(57);
    assert_eq!(accepted(with(json!({ "roles": [role] })).await).roles, [role]);
}

#[tokio::test]
async fn passes_over_what_it_does_not_know_however_deep() {
    let deep = |depth: usize| {
        format!("{{\"a\":{}{},{}", "[".repeat(depth), "]".repeat(depth), &claims().to_string()[1..])
    };
    accepted(with_text(&deep(2_500)).await);
    assert_eq!(refusal(with_text(&deep(10_000)).await), "TooLong");
    let signer = Signer::new("k1", Algorithm::EdDsa);
    let header = format!(
        "{{\"a\":{}{},{}",
        "[".repeat(2_500),
        "]".repeat(2_500),
        &signer.header().to_string()[1..]
    );
    accepted(
        Door::trusting(&[&signer]).ask(&signer.sign_text(&header, &claims().to_string())).await,
    );
    for name in ["roles", "aud", "exp"] {
        let deep = format!("{{\"{name}\":{}{}}}", "[".repeat(2_500), "]".repeat(2_500));
        assert_eq!(refusal(with_text(&deep).await), "Malformed", "{name}");
    }
}
