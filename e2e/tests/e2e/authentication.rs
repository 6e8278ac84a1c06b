//! Responsibility 2: who is asking.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::bed::Bed;
use e2e::role::Role;
use e2e::scripted::Scripted;
use http::StatusCode;
use serde_json::{Value, json};

use crate::issuer::{ISSUER, Issuer, Key, key_set, now};
use crate::stand::{Witness as _, setup};

mod any_shop {
    use serde_json::json;

    use crate::stand::any_shop;

    #[tokio::test]
    async fn a_request_without_a_token_is_told_how_to_bring_one() {
        let shop = any_shop().await;
        let answer = shop.get("/api/users/123").await.expect_problem(401, "UNAUTHENTICATED");
        assert!(
            answer.header("www-authenticate").unwrap().starts_with("Bearer"),
            "{:?}",
            answer.headers
        );
        shop.no_service_saw(&answer).await;
    }

    #[tokio::test]
    async fn a_token_from_login_makes_somebody_known() {
        let shop = any_shop().await;
        let ada = shop.newcomer().await;
        let answer =
            shop.get(&format!("/api/users/{}", ada.id)).token(&ada.token).await.expect_status(200);
        assert_eq!(answer.json["id"], ada.id);
        shop.service_saw(&answer, "user.v1.UserService/GetUser", &ada.id, "OK").await;
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_email_are_the_same() {
        let shop = any_shop().await;
        let mut bodies = Vec::new();
        for (email, password) in
            [("ada@example.com", "wrong-horse"), ("nobody@example.com", "correct-horse")]
        {
            let body = json!({"email": email, "password": password});
            let answer = shop
                .post("/api/auth/login")
                .json(&body)
                .await
                .expect_problem(401, "UNAUTHENTICATED");
            shop.service_saw(&answer, "user.v1.AuthService/Login", "", "UNAUTHENTICATED").await;
            let mut json = answer.json;
            json.as_object_mut().unwrap().remove("requestId");
            bodies.push(json);
        }
        assert_eq!(bodies[0], bodies[1]);
    }

    #[tokio::test]
    async fn every_bent_token_is_refused() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        for credential in [
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer x".to_owned(),
            "Bearer a.b.c".to_owned(),
            "Basic YWRhOmNvcnJlY3QtaG9yc2U=".to_owned(),
            format!("Bearer {signed}"),
            format!("Bearer {signed}."),
            format!("Bearer {signed}.AAAA"),
            format!("Bearer {claims}.{header}.{signature}"),
            format!("Bearer {token}."),
            format!("Bearer {token}="),
            format!("Bearer {token}A"),
            format!("Bearer {token}.{signature}"),
            format!("Bearer {token} {token}"),
            format!("Bearer {token}, Bearer {token}"),
            format!("Bearer eyJhbGciOiJub25lIn0.{claims}."),
            format!("Bearer eyJhbGciOiJub25lIn0.{claims}.{signature}"),
            format!("Bearer {}", "x".repeat(20_000)),
        ] {
            let answer = shop.get("/api/users/123").header("authorization", &credential).await;
            let answer = answer.expect_problem(401, "UNAUTHENTICATED");
            assert!(!answer.text.contains(signature), "a token is never repeated: {}", answer.text);
            shop.no_service_saw(&answer).await;
        }
    }

    #[tokio::test]
    async fn a_token_counts_nowhere_but_in_one_authorization_header() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        let query = shop.get(&format!("/api/users/123?access_token={token}")).await;
        assert!(matches!(query.status, 400 | 401), "{}", query.text);
        let twice = shop.get("/api/users/123").token(&token).token(&token).await;
        assert!(matches!(twice.status, 400 | 401), "{}", twice.text);
        let cookie =
            shop.get("/api/users/123").header("cookie", &format!("access_token={token}")).await;
        assert_eq!(cookie.status, 401, "{}", cookie.text);
    }

    #[tokio::test]
    async fn the_scheme_may_be_spelled_in_lower_case() {
        let shop = any_shop().await;
        let token = shop.login("ada@example.com").await;
        let answer =
            shop.get("/api/users/123").header("authorization", &format!("bearer {token}")).await;
        let _ = answer.expect_status(200);
    }
}

async fn trusting(issuer: &Issuer) -> Bed {
    issuer.trusted_by(setup()).start().await
}

async fn ask(bed: &Bed, token: &str) -> u16 {
    bed.shop().get("/api/users/123").token(token).await.status
}

#[tokio::test]
async fn accepts_what_the_trusted_issuer_signed() {
    let key = Key::new("k1");
    let bed = trusting(&Issuer::serving(&[&key]).await).await;
    for claims in [
        json!({}),
        json!({"aud": ["other", "gateway"]}),
        json!({"nbf": now() - 60}),
        json!({"exp": now() - 1}), // within the leeway of 5 s
        json!({"sub": "7", "roles": ["admin"]}),
    ] {
        let answer =
            bed.shop().get("/api/users/123").token(&key.token(&claims)).await.expect_status(200);
        let sub = claims["sub"].as_str().unwrap_or("123");
        bed.service_saw(&answer, "user.v1.UserService/GetUser", sub, "OK").await;
    }
}

#[tokio::test]
async fn refuses_an_expired_token_and_every_other_wrong_claim() {
    let key = Key::new("k1");
    let bed = trusting(&Issuer::serving(&[&key]).await).await;
    for claims in [
        json!({"exp": now() - 60}),
        json!({"exp": null}),
        json!({"exp": "tomorrow"}),
        json!({"nbf": now() + 60}),
        json!({"nbf": "tomorrow"}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"aud": "somebody-else"}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 123}),
    ] {
        let answer = bed.shop().get("/api/users/123").token(&key.token(&claims)).await;
        let status = answer.status;
        assert_eq!(status, 401, "{claims}: {}", answer.text);
        let answer = answer.expect_problem(401, "UNAUTHENTICATED");
        bed.no_service_saw(&answer).await;
    }
}

#[tokio::test]
async fn refuses_a_token_that_somebody_else_signed() {
    let (key, forged) = (Key::new("k1"), Key::new("k1"));
    let bed = trusting(&Issuer::serving(&[&key]).await).await;
    assert_eq!(ask(&bed, &key.token(&json!({}))).await, 200);

    let claims = json!({"iss": ISSUER, "aud": "gateway", "sub": "123", "roles": ["admin"], "exp": now() + 600});
    let jwk = forged.public();
    let hmac = |secret: &[u8]| {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("k1".to_owned());
        jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(secret))
            .unwrap()
    };
    let public = key.public();
    let point = [public["x"].as_str().unwrap(), public["y"].as_str().unwrap()]
        .map(|half| URL_SAFE_NO_PAD.decode(half).unwrap())
        .concat();
    for (what, token) in [
        ("another key of the same name", forged.token(&json!({}))),
        (
            "a key that the token brings along",
            forged.sign(&json!({"alg": "ES256", "kid": "k1", "jwk": jwk}), &claims),
        ),
        ("no name of a key, another key", forged.sign(&json!({"alg": "ES256"}), &claims)),
        ("the public key as a shared secret", hmac(&point)),
        ("the public key's JSON as a shared secret", hmac(public.to_string().as_bytes())),
        (
            "another algorithm in the header",
            key.sign(&json!({"alg": "ES384", "kid": "k1"}), &claims),
        ),
        ("no algorithm in the header", key.sign(&json!({"kid": "k1"}), &claims)),
        (
            "a header that must be understood",
            key.sign(&json!({"alg": "ES256", "kid": "k1", "crit": ["exp2"], "exp2": 1}), &claims),
        ),
    ] {
        assert_eq!(ask(&bed, &token).await, 401, "{what}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_however_many_ask_and_a_made_up_key_name_fetches_nothing_more() {
    let key = Key::new("k1");
    let issuer = Issuer::serving(&[&key]).await;
    let bed = trusting(&issuer).await;
    for number in 0..20 {
        assert_eq!(ask(&bed, &key.token(&json!({"jti": number}))).await, 200);
    }
    let before = issuer.fetches();
    assert!(before <= 2, "{before} fetches for one key set");
    let claims: Value = json!({"iss": ISSUER, "aud": "gateway", "sub": "123", "exp": now() + 600});
    for number in 0..20 {
        let token = key.sign(&json!({"alg": "ES256", "kid": format!("made-up-{number}")}), &claims);
        assert_eq!(ask(&bed, &token).await, 401);
    }
    let after = issuer.fetches();
    assert!(after <= before + 1, "{} fetches for made-up key names", after - before);
    assert_eq!(ask(&bed, &key.token(&json!({}))).await, 200);
}

#[tokio::test]
async fn an_issuer_that_answers_nonsense_takes_no_good_key_away() {
    let key = Key::new("k1");
    let issuer = Issuer::serving(&[&key]).await;
    let bed = trusting(&issuer).await;
    assert_eq!(ask(&bed, &key.token(&json!({}))).await, 200);
    let other = Key::new("k2");
    for (status, text) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "no"),
        (StatusCode::OK, r#"{"keys": []}"#),
        (StatusCode::OK, "<html>"),
        (StatusCode::FOUND, ""),
    ] {
        issuer.answer(status, text);
        assert_eq!(ask(&bed, &other.token(&json!({}))).await, 401, "an unknown key: {text}");
        assert_eq!(ask(&bed, &key.token(&json!({"jti": text}))).await, 200, "a known key: {text}");
    }
}

#[tokio::test]
async fn keys_that_could_not_be_fetched_at_the_start_are_fetched_later() {
    let key = Key::new("k1");
    let issuer = Issuer::serving(&[]).await;
    issuer.answer(StatusCode::SERVICE_UNAVAILABLE, "later");
    let bed = trusting(&issuer).await;
    let answer = bed.shop().get("/api/users/123").token(&key.token(&json!({}))).await;
    assert!(matches!(answer.status, 401 | 503), "without keys nobody is let in: {}", answer.text);
    bed.no_service_saw(&answer).await;
    let _ = bed.shop().get("/api/products").await.expect_status(200);

    issuer.answer(StatusCode::OK, &key_set(&[&key]));
    let token = key.token(&json!({}));
    let accepted = async || (ask(&bed, &token).await == 200).then_some(());
    e2e::wait::eventually("the keys are there", Duration::from_secs(40), accepted).await;
}

#[tokio::test]
async fn a_valid_token_works_while_the_user_service_is_down() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let orders = format!("/api/users/{}/orders", ada.id);
    let _ = shop.get(&orders).token(&ada.token).await.expect_status(200);
    bed.part(Role::User).kill_9();
    let answer = shop.get(&orders).token(&ada.token).await.expect_status(200);
    bed.service_saw(&answer, "order.v1.OrderService/ListOrders", &ada.id, "OK").await;
}

#[tokio::test]
async fn a_new_signing_key_is_published_first_and_every_token_stays_good() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let old = shop.login("ada@example.com").await;
    let database = bed.folder().join("user.db");
    let mut rotate = std::process::Command::new(env!("CARGO_BIN_EXE_demo"));
    rotate.args(["part", "user", "--rotate-key", "--database"]).arg(database);
    assert!(rotate.status().unwrap().success());

    // It signs a minute later, when the gateway can know it: the unit tests of the service turn that clock.
    let new = shop.login("ada@example.com").await;
    let key_of = |token: &str| {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    let url = format!("http://{}/.well-known/jwks.json", bed.ports().address(Role::User));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let set: Value = serde_json::from_str(&text).unwrap();
    let published: Vec<_> =
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(published.len(), 2, "{text}");
    assert!(published.contains(&key_of(&old)) && published.contains(&key_of(&new)), "{text}");
    assert_eq!(ask(&bed, &new).await, 200);
    assert_eq!(ask(&bed, &old).await, 200);
}

#[tokio::test]
async fn what_a_client_says_about_itself_never_reaches_a_service() {
    let bed = setup().start().await;
    let window = Scripted::before(bed.ports().address(Role::Order)).await;
    let through = setup()
        .empty()
        .config("${ORDER_ADDR:-127.0.0.1:50053}", &window.address().to_string())
        .config("${USER_ADDR:-127.0.0.1:50051}", &bed.ports().address(Role::User).to_string())
        .start()
        .await;
    through.start(Role::Gateway).await;
    let ada = bed.shop().newcomer().await;

    let mut request =
        through.shop().get(&format!("/api/users/{}/orders", ada.id)).token(&ada.token);
    for (name, value) in [
        ("x-principal-id", "124"),
        ("X-Principal-Roles", "admin"),
        ("x_principal_id", "124"),
        ("x.principal.id", "124"),
        ("grpc-metadata-x-principal-id", "124"),
        ("Grpc-Metadata-X-Principal-Roles", "admin"),
        ("grpcgateway-x-principal-id", "124"),
        ("x-user-id", "124"),
        ("x-forwarded-user", "124"),
        ("connection", "x-principal-id"),
        ("cookie", "session=1"),
        ("x-secret-of-mine", "1"),
    ] {
        request = request.header(name, value);
    }
    let _ = request.await.expect_status(200);

    let exchanges = window.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("one call expected: {exchanges:?}") };
    let ids: Vec<_> = exchange.headers.get_all("x-principal-id").iter().collect();
    assert_eq!(ids, [&ada.id], "{:?}", exchange.headers);
    assert!(!exchange.header("x-principal-roles").unwrap_or_default().contains("admin"));
    let known = [
        "content-type",
        "te",
        "user-agent",
        "grpc-timeout",
        "grpc-accept-encoding",
        "x-request-id",
        "x-principal-id",
        "x-principal-roles",
        "traceparent",
    ];
    let strangers: Vec<_> =
        exchange.headers.keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}
