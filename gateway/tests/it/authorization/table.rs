//! Who is let in, by rules of each kind and by both dialects.

use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Request};

use super::{READER, SELF, Shop};
use crate::stand::{Answer, Gate, Upstream, encode};

fn grpc(token: &str, message: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(message));
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_rule_about_the_request_is_decided_before_the_service_is_asked() {
    let kitchen = Upstream::content().await;
    let shop =
        Shop::before(&kitchen, |config| config.rule("self", SELF).access("GetDish", "self")).await;
    let client = shop.gate.grpc().await;
    for (who, token, id, status) in [
        ("nobody", "", "ada", 401),
        ("ada for herself", &*shop.ada, "ada", 200),
        ("ada for bob", &shop.ada, "bob", 403),
        ("ada for nobody in particular", &shop.ada, "%20", 403),
        ("ada in another case", &shop.ada, "Ada", 403),
        ("bob for himself", &shop.bob, "bob", 200),
        ("the cook for ada", &shop.cook, "ada", 200),
    ] {
        let path = format!("/v1/dishes/{id}");
        let ask = shop.gate.get(&path);
        let reply = if token.is_empty() { ask.await } else { ask.token(token).await };
        assert_eq!(reply.status, status, "{who}: {reply}");
        if status == 200 {
            let seen = kitchen.only_call();
            assert_eq!(seen.json("GetDishRequest"), json!({"id": id}), "{who}");
        } else {
            let problem = reply.problem();
            let code = if status == 401 { "UNAUTHENTICATED" } else { "PERMISSION_DENIED" };
            assert_eq!(problem["code"], code, "{who}: {reply}");
            kitchen.saw_nothing();
        }
        let message = encode("GetDishRequest", &json!({"id": id}));
        let answer = client.call("GetDish", grpc(token, message)).await;
        let expected = match status {
            200 => Code::Ok,
            401 => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        };
        assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), expected, "{who}");
        assert_eq!(kitchen.seen().len(), usize::from(status == 200), "{who}");
        kitchen.forget();
    }
}

#[tokio::test]
async fn a_rule_about_a_field_within_the_body_reads_what_the_service_will_read() {
    let kitchen = Upstream::content().await;
    let shop = Shop::before(&kitchen, |config| {
        config
            .rule("self", "claims.sub == request.dish.id")
            .access("UpdateDish", "self")
            .rule("own", "claims.sub == request.name")
            .access("CreateDish", "own")
    })
    .await;
    let patch = |id: &str, token: &str, body: &str| {
        shop.gate
            .ask(http::Method::PATCH, &format!("/v1/dishes/{id}"))
            .token(token)
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    patch("ada", &shop.ada, r#"{"price": "5"}"#).await.is(200);
    assert_eq!(kitchen.only_call().json("UpdateDishRequest")["dish"]["id"], "ada");
    patch("bob", &shop.ada, r#"{"price": "5"}"#).await.is(403);
    // A body that names another object than the path is refused, whichever of them is one's own.
    patch("ada", &shop.ada, r#"{"id": "bob"}"#).await.is(400);
    patch("bob", &shop.ada, r#"{"id": "ada"}"#).await.is(400);
    for (body, status) in [
        (r#"{"name": "ada"}"#, 200),
        (r#"{"name": "bob"}"#, 403),
        ("{}", 403),
        (r#"{"name": "ada", "name": "bob"}"#, 400),
    ] {
        let ask = shop.gate.ask(http::Method::POST, "/v1/dishes").token(&shop.ada);
        ask.header("content-type", "application/json").body(body).await.is(status);
    }
    let seen = kitchen.only_call();
    assert_eq!(seen.json("Dish"), json!({"name": "ada"}));
}

#[tokio::test]
async fn the_rule_and_the_service_read_the_same_of_a_message_that_says_things_twice() {
    let kitchen = Upstream::content().await;
    let shop =
        Shop::before(&kitchen, |config| config.rule("self", SELF).access("GetDish", "self")).await;
    let client = shop.gate.grpc().await;
    for (wire, code) in [
        (&b"\x0a\x03bob\x0a\x03ada"[..], Code::Ok),
        (b"\x0a\x03ada\x0a\x03bob", Code::PermissionDenied),
        (b"\x0a\x03ada\x0a\x00", Code::PermissionDenied),
        (b"\x0a\x03ada\x0a\x7f", Code::PermissionDenied),
        (b"\x0a\x03ada\x0c", Code::PermissionDenied),
        (b"\x0a\x03ad\xff", Code::PermissionDenied),
        (b"", Code::PermissionDenied),
    ] {
        let answer = client.call("GetDish", grpc(&shop.ada, wire.to_vec())).await;
        assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), code, "{wire:?}");
        if code == Code::Ok {
            assert_eq!(kitchen.only_call().json("GetDishRequest")["id"], "ada", "{wire:?}");
        } else {
            kitchen.saw_nothing();
        }
    }
}

#[tokio::test]
async fn what_can_not_be_decided_is_told_apart_in_the_log() {
    let kitchen = Upstream::answering(|_| Answer::wire(b"\x12\x7f")).await;
    let shop = Shop::before(&kitchen, |config| {
        config
            .rule("self", SELF)
            .access("Whisper", "self")
            .rule("reader", READER)
            .access("GetDish", "reader")
    })
    .await;
    let lines = async |fits: &'static str| {
        let line = shop.gate.lines_that(1, |line| line.contains(fits)).await;
        serde_json::from_str::<serde_json::Value>(&line[0]).unwrap()
    };
    let client = shop.gate.grpc().await;
    let refused = client.call("Whisper", grpc(&shop.ada, b"\x0a\x7f".to_vec())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(refused.message(), "this is not allowed: it can't be decided whether it may be");
    let line = lines("Whisper").await;
    assert_eq!((&line["denied"], &line["tries"]), (&json!("undecided"), &json!(0)), "{line}");
    assert_eq!(
        line["cause"],
        "this is not allowed: it can't be decided whether it may be: the rule can't be decided: \
         the request is malformed: the message ends in the middle of a field"
    );
    kitchen.saw_nothing();

    let reply = shop.gate.get("/v1/dishes/soup").token(&shop.ada).await.is(404);
    let line = shop.gate.line(&reply).await;
    assert_eq!(
        (&line["denied"], &line["code"]),
        (&json!("undecided"), &json!("NOT_FOUND")),
        "{line}"
    );
    assert!(line["cause"].as_str().unwrap().contains("the answer is malformed"), "{line}");
    assert!(!reply.text().contains("malformed"), "{reply}");
    kitchen.only_call();

    let reply = shop.gate.ask(http::Method::GET, "/v1/dishes/soup").await.is(401);
    let line = shop.gate.line(&reply).await;
    assert!(line.get("denied").is_none() && line.get("rpc").is_none(), "{line}");
}

#[tokio::test]
async fn who_may_not_by_the_principal_alone_is_told_before_the_body_is_read() {
    let kitchen = Upstream::content().await;
    let shop = Shop::before(&kitchen, |config| {
        config
            .rule("chef", "'cook' in claims.roles && request.price < 100")
            .access("CreateDish", "chef")
    })
    .await;
    let nonsense = |token: Option<&str>| {
        let ask = shop.gate.ask(http::Method::POST, "/v1/dishes").body("{ this is not JSON");
        let ask = ask.header("content-type", "application/json");
        match token {
            Some(token) => ask.token(token),
            None => ask,
        }
    };
    nonsense(None).await.is(401);
    nonsense(Some(&shop.ada)).await.is(403);
    nonsense(Some(&shop.cook)).await.is(400);
    kitchen.saw_nothing();
    let post =
        |price: &str| shop.gate.post("/v1/dishes", &json!({"price": price})).token(&shop.cook);
    post("99").await.is(200);
    assert_eq!(kitchen.only_call().json("Dish"), json!({"price": "99"}));
    post("100").await.is(403);
    post("9223372036854775807").await.is(403);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn the_table_of_what_is_exposed_says_who_decides() {
    let text = r#"schema: { file: schema.binpb }
listener: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  kitchen: { services: [kitchen.v1.Kitchen], endpoints: ["http://127.0.0.1:1"] }
transcoding: { rules: [] }
authentication:
  issuers: [{ issuer: i, audience: a, algorithm: ES256, jwks: "http://127.0.0.1:1" }]
authorization:
  rules:
    self: claims.sub == request.id
    reader: claims.sub == response.name
    page: request.page_size <= 10
  access:
    kitchen.v1.Kitchen/GetDish: reader
    kitchen.v1.Kitchen/WatchDishes: page
    kitchen.v1.Kitchen/Whisper: self
    kitchen.v1.Kitchen/CookDish: role:cook
    kitchen.v1.Kitchen/CreateDish: public
  ownership_upstream: [kitchen.v1.Kitchen/CookDish]
"#;
    let internal: Vec<String> = [
        "ListDishes",
        "ReplaceDish",
        "UpdateDish",
        "DeleteDish",
        "GetPhoto",
        "GetChef",
        "ReadFile",
        "ReadBook",
        "CountDishes",
        "Taste",
        "WatchTags",
        "Download",
        "Print",
        "PrintAll",
    ]
    .iter()
    .map(|rpc| format!("    kitchen.v1.Kitchen/{rpc}: internal\n"))
    .collect();
    let text =
        text.replace("  ownership_upstream", &format!("{}  ownership_upstream", internal.concat()));
    let exit = crate::mistakes::check_text(&text).await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
    let words =
        |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = exit.out.lines().map(words).collect();
    for expected in [
        "ROUTE RPC ACCESS DECIDED BY",
        "GET /v1/dishes/{id} kitchen.v1.Kitchen/GetDish reader gateway: principal, answer",
        "GET /v1/menus/{menu}/dishes/{id} kitchen.v1.Kitchen/GetDish reader gateway: principal, answer",
        "gRPC /kitchen.v1.Kitchen/GetDish kitchen.v1.Kitchen/GetDish reader gateway: principal, answer",
        "GET /v1/dishes:watch kitchen.v1.Kitchen/WatchDishes page gateway: request (a stream)",
        "gRPC /kitchen.v1.Kitchen/Whisper kitchen.v1.Kitchen/Whisper self gateway: principal, request",
        "POST /v1/dishes/{id}:cook kitchen.v1.Kitchen/CookDish role:cook gateway: principal; service: ownership",
        "POST /v1/dishes kitchen.v1.Kitchen/CreateDish public open to all",
    ] {
        assert!(lines.contains(&expected.to_owned()), "{expected} is not in {}", exit.out);
    }
    assert!(!exit.out.contains("internal"), "{}", exit.out);
}

#[tokio::test]
async fn a_reload_with_a_wrong_rule_changes_nothing() {
    let kitchen = Upstream::content().await;
    let mut shop =
        Shop::before(&kitchen, |config| config.rule("self", SELF).access("GetDish", "self")).await;
    shop.gate.rewrite(|config| config.rule("self", "claims.sub == request.nothing"));
    let said = shop.gate.hang_up().await;
    assert!(
        said.contains("was not taken over")
            && said.contains("GetDishRequest has no field `nothing`"),
        "{said}"
    );
    shop.gate.get("/v1/dishes/bob").token(&shop.ada).await.is(403);
    shop.gate.rewrite(|config| config.rule("self", "claims.sub != request.id"));
    shop.gate.hang_up().await;
    shop.gate.get("/v1/dishes/bob").token(&shop.ada).await.is(200);
    shop.gate.get("/v1/dishes/ada").token(&shop.ada).await.is(403);
    assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": "bob"}));
}

#[tokio::test]
async fn without_anybody_who_is_known_no_rule_about_claims_is_taken() {
    let kitchen = Upstream::content().await;
    // A rule without claims needs nobody.
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).rule("short", "size(request.id) < 5").access("GetDish", "short")
    })
    .await;
    gate.get("/v1/dishes/soup").await.is(200);
    assert_eq!(kitchen.only_call().header("x-principal-id"), None);
    let refused = gate.get("/v1/dishes/goulash").await.is(403).problem();
    assert_eq!(refused["detail"], "this request is not allowed, whoever makes it");
    kitchen.saw_nothing();
}
