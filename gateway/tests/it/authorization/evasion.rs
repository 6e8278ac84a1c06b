//! Other spellings of the same request: none of them is another request to the rule than to the service.

use http::Method;
use serde_json::json;

use super::{SELF, Shop};
use crate::stand::{Upstream, Wire};

async fn shop(kitchen: &Upstream) -> Shop {
    Shop::before(kitchen, |config| {
        config
            .rule("self", SELF)
            .access("GetDish", "self")
            .access("DeleteDish", "role:cook")
            .access("GetPhoto", "role:cook")
    })
    .await
}

#[tokio::test]
async fn a_method_in_a_header_is_no_method() {
    let kitchen = Upstream::content().await;
    let shop = shop(&kitchen).await;
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let ask =
            shop.gate.get("/v1/dishes/ada").token(&shop.ada).header(name, "DELETE").await.is(200);
        assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish", "{ask}");
        shop.gate
            .ask(Method::DELETE, "/v1/dishes/ada")
            .token(&shop.ada)
            .header(name, "GET")
            .await
            .is(403);
        shop.gate.ask(Method::DELETE, "/v1/dishes/ada").header(name, "GET").await.is(401);
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn head_is_judged_like_get_and_options_reaches_nobody() {
    let kitchen = Upstream::content().await;
    let shop = shop(&kitchen).await;
    shop.gate.ask(Method::HEAD, "/v1/dishes/ada").await.is(401);
    shop.gate.ask(Method::HEAD, "/v1/dishes/bob").token(&shop.ada).await.is(403);
    shop.gate.ask(Method::OPTIONS, "/v1/dishes/ada").await.is(204);
    kitchen.saw_nothing();
    shop.gate.ask(Method::HEAD, "/v1/dishes/ada").token(&shop.ada).await.is(200);
    assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": "ada"}));
}

#[tokio::test]
async fn a_path_is_read_once_by_everybody() {
    let kitchen = Upstream::content().await;
    let shop = shop(&kitchen).await;
    for (path, statuses) in [
        ("//v1/dishes/ada/photo", &[400, 404][..]),
        ("/v1//dishes/ada/photo", &[400, 404]),
        ("/./v1/dishes/ada/photo", &[400, 404]),
        ("/v1/dishes/x/../ada/photo", &[400, 404]),
        ("/v1/dishes/ada/..;a=b/photo", &[400, 404]),
        ("/v1/dishes/ada%2Fphoto", &[403]),
        ("/v1/dishes/ada/photo?x", &[400, 403]),
        ("/v1/dishes/ada%2f..%2fbob", &[400, 403]),
        ("/v1/dishes/bob%00", &[400, 403]),
        ("/v1/dishes/bob?id=ada", &[400]),
        ("/v1/dishes/ada?id=bob", &[400]),
        ("/v1/dishes/bob#ada", &[400, 403]),
    ] {
        let authorization = format!("authorization: Bearer {}\r\n", shop.ada);
        let reply = Wire::ask_with(&shop.gate, &format!("GET {path}"), &authorization).await;
        assert!(statuses.contains(&reply.status), "{path}: {reply}");
        kitchen.saw_nothing();
    }
}

#[tokio::test]
async fn what_a_client_says_about_itself_is_nothing() {
    let kitchen = Upstream::content().await;
    let shop = Shop::before(&kitchen, |config| {
        config.rule("self", SELF).access("GetDish", "self").access("GetChef", "public")
    })
    .await;
    let spoofed = [
        ("x-principal-id", "bob"),
        ("X-Principal-Roles", "cook"),
        ("x_principal_id", "bob"),
        ("x.principal.id", "bob"),
        ("grpc-metadata-x-principal-id", "bob"),
        ("grpcgateway-x-principal-roles", "cook"),
        ("x-user-id", "bob"),
        ("x-user-roles", "cook"),
        ("connection", "x-principal-id"),
    ];
    let with = |mut ask: crate::stand::Ask| {
        for (name, value) in spoofed {
            ask = ask.header(name, value);
        }
        ask
    };
    with(shop.gate.get("/v1/dishes/bob").token(&shop.ada)).await.is(403);
    with(shop.gate.get("/v1/dishes/bob")).await.is(401);
    kitchen.saw_nothing();
    with(shop.gate.get("/v1/dishes/ada").token(&shop.ada)).await.is(200);
    let seen = kitchen.only_call();
    assert_eq!(
        (seen.header("x-principal-id"), seen.header("x-principal-roles")),
        (Some("ada"), Some(""))
    );
    with(shop.gate.get("/v1/dishes/ada/chef")).await.is(200);
    let anonymous = kitchen.only_call();
    assert_eq!(anonymous.header("x-principal-id"), None);
    for seen in [seen, anonymous] {
        for (name, _) in &seen.headers {
            let plain = name.as_str().replace(['_', '.'], "-");
            let ours = ["x-principal-id", "x-principal-roles"].contains(&name.as_str());
            assert!(ours || !(plain.contains("principal") || plain.contains("user-id")), "{name}");
        }
    }
}
