//! Which keys of a set count.

use proptest::prelude::*;

use super::*;

fn check(algorithm: Algorithm, keys: impl IntoIterator<Item = Value>) -> Option<(usize, usize)> {
    let Answer::Body(body) = Answer::keys(keys) else { unreachable!() };
    Keys::parse(body.as_bytes(), algorithm).ok().map(|keys| (keys.all.len(), keys.skipped))
}

/// The key with some members replaced; `Value::Null` takes one away.
fn with(mut key: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[test]
fn takes_a_key_for_the_algorithm_it_is_made_for() {
    for algorithm in Algorithm::ALL {
        let key = Signer::new("k1", algorithm).jwk();
        assert_eq!(check(algorithm, [key.clone()]), Some((1, 0)), "{algorithm:?}");
        for other in Algorithm::ALL.into_iter().filter(|&other| other != algorithm) {
            assert_eq!(check(other, [key.clone()]), None, "{algorithm:?} for {other:?}");
        }
        for changes in [
            json!({ "alg": null }),
            json!({ "use": null }),
            json!({ "use": null, "key_ops": ["verify"] }),
            json!({ "key_ops": ["sign", "verify"] }),
            json!({ "kid": null }),
            json!({ "x5c": ["MIIB"], "x5t": "AAAA", "unknown": { "a": [1] } }),
        ] {
            assert_eq!(
                check(algorithm, [with(key.clone(), &changes)]),
                Some((1, 0)),
                "{algorithm:?} {changes}"
            );
        }
        for changes in [
            json!({ "alg": "HS256" }),
            json!({ "alg": "RSA-OAEP" }),
            json!({ "alg": "unheard-of" }),
            json!({ "alg": 7 }),
            json!({ "use": "enc" }),
            json!({ "use": "other" }),
            json!({ "key_ops": ["sign"] }),
            json!({ "key_ops": [] }),
            json!({ "kid": 7 }),
            json!({ "kty": null }),
            json!({ "kty": "oct" }),
            json!({ "kty": "EC2" }),
        ] {
            assert_eq!(
                check(algorithm, [with(key.clone(), &changes)]),
                None,
                "{algorithm:?} {changes}"
            );
        }
    }
}

#[test]
fn refuses_an_rsa_key_without_alg_for_no_rsa_algorithm_and_for_no_other() {
    let key = with(Signer::new("k1", Algorithm::Rs256).jwk(), &json!({ "alg": null }));
    for algorithm in Algorithm::ALL {
        let is_rsa = algorithm.name().starts_with("RS") || algorithm.name().starts_with("PS");
        assert_eq!(check(algorithm, [key.clone()]).is_some(), is_rsa, "{algorithm:?}");
    }
}

#[test]
fn refuses_broken_keys() {
    let zeros = |size: usize| json!(crate::authentication::tests::encode(&vec![0; size]));
    let ones = |size: usize| json!(crate::authentication::tests::encode(&vec![0xff; size]));
    for (algorithm, changes) in [
        (Algorithm::Es256, json!({ "crv": "P-384" })),
        (Algorithm::Es256, json!({ "crv": "secp256k1" })),
        (Algorithm::Es256, json!({ "x": zeros(32), "y": zeros(32) })),
        (Algorithm::Es256, json!({ "x": ones(32), "y": ones(32) })),
        (Algorithm::Es256, json!({ "x": zeros(32) })),
        (Algorithm::Es256, json!({ "x": zeros(31) })),
        (Algorithm::Es256, json!({ "x": "" })),
        (Algorithm::Es256, json!({ "x": "=" })),
        (Algorithm::Es256, json!({ "y": null })),
        (Algorithm::EdDsa, json!({ "crv": "Ed448" })),
        (Algorithm::EdDsa, json!({ "x": zeros(31) })),
        (Algorithm::EdDsa, json!({ "x": zeros(33) })),
        (Algorithm::Rs256, json!({ "n": "" })),
        (Algorithm::Rs256, json!({ "n": ones(128) })),
        (Algorithm::Rs256, json!({ "n": ones(1025) })),
        (Algorithm::Rs256, json!({ "n": zeros(256) })),
        (Algorithm::Rs256, json!({ "e": "" })),
        (Algorithm::Rs256, json!({ "e": "AQ" })),
        (Algorithm::Rs256, json!({ "e": "AA" })),
        (Algorithm::Rs256, json!({ "e": "Ag" })),
        (Algorithm::Rs256, json!({ "e": ones(5) })),
        (Algorithm::Rs256, json!({ "e": null })),
    ] {
        let key = with(Signer::new("k1", algorithm).jwk(), &changes);
        assert_eq!(check(algorithm, [key]), None, "{algorithm:?} {changes}");
    }
}

#[test]
fn skips_and_counts_what_it_cannot_use() {
    let usable = [signer("k1").jwk(), signer("k2").jwk()];
    let other =
        [Signer::new("k1", Algorithm::Es384).jwk(), json!(7), json!({ "kty": "AKP", "kid": "k3" })];
    assert_eq!(check(Algorithm::Es256, usable.into_iter().chain(other)), Some((2, 3)));
}

#[test]
fn an_id_that_several_keys_share_names_none() {
    let (one, two, other) = (signer("k1").jwk(), signer("k1").jwk(), signer("k2").jwk());
    assert_eq!(check(Algorithm::Es256, [one.clone(), two.clone(), other.clone()]), Some((1, 2)));
    assert_eq!(check(Algorithm::Es256, [one.clone(), two]), None);
    assert_eq!(
        check(Algorithm::Es256, [one.clone(), one.clone()]),
        Some((1, 1)),
        "the same key twice is one key"
    );
    let nameless = |kid| with(signer(kid).jwk(), &json!({ "kid": null }));
    assert_eq!(check(Algorithm::Es256, [nameless("k3"), nameless("k4"), other]), Some((1, 2)));
    let other_kind = with(Signer::new("k1", Algorithm::Es384).jwk(), &json!({ "kid": "k1" }));
    assert_eq!(
        check(Algorithm::Es256, [one, other_kind]),
        Some((1, 1)),
        "keys of another kind do not count"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("EC".to_owned()),
        Just("P-256".to_owned()),
        Just("sig".to_owned()),
        Just("ES256".to_owned()),
        Just("RSA".to_owned()),
        ".{0,8}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("keys".to_owned()),
            Just("kty".to_owned()),
            Just("crv".to_owned()),
            Just("x".to_owned()),
            Just("y".to_owned()),
            Just("alg".to_owned()),
            Just("use".to_owned()),
            Just("key_ops".to_owned()),
            Just("kid".to_owned()),
            ".{0,4}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn one_good_key_is_found_among_whatever_else(others in prop::collection::vec(any_json(), 0..4)) {
        let good = Signer::new("the good one", Algorithm::EdDsa).jwk();
        let total = others.len() + 1;
        let counted = check(Algorithm::EdDsa, others.into_iter().chain([good]));
        prop_assert_eq!(counted, Some((1, total - 1)));
    }

    #[test]
    fn no_answer_makes_it_panic(answer in any_json()) {
        prop_assert!(Keys::parse(answer.to_string().as_bytes(), Algorithm::Es256).is_err());
    }
}
