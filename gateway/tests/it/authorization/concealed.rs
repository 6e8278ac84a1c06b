//! An object that is not for the client and one that does not exist are the same to it, to the last byte.

use bytes::Bytes;
use serde_json::{Value, json};
use tonic::{Code, Request};

use super::{READER, Shop};
use crate::stand::{Answer, Reply, Seen, Upstream};

/// Answers about `hers`, which is Ada's; about `cursed`, which is no message; and knows nothing else.
async fn kitchen() -> Upstream {
    Upstream::answering(|seen: &Seen| {
        let id = seen.json("GetDishRequest")["id"].clone();
        let answer = match id.as_str().unwrap_or_default() {
            "hers" => Answer::dish(&json!({"id": "hers", "name": "ada", "price": "5"})),
            "cursed" => Answer::wire(b"\x12\x7f"),
            "nobodys" => Answer::dish(&json!({"id": "nobodys"})),
            other => Answer::error(Code::NotFound, &format!("there is no dish {other}"))
                .details(vec![prost_types::Any {
                    type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
                    value: b"\x0a\x04GONE".to_vec(),
                }])
                .trailer("x-cost", "7"),
        };
        answer.header("x-cost", "5")
    })
    .await
}

async fn shop(kitchen: &Upstream) -> Shop {
    Shop::before(kitchen, |config| {
        config
            .rule("reader", READER)
            .access("GetDish", "reader")
            .section("transcoding", "{ response_headers: [x-cost] }")
            .section("resilience", "{ attempts: 1 }")
    })
    .await
}

/// Everything that a client can see, without the id and the time of the exchange.
fn visible(reply: &Reply) -> (u16, Vec<(String, String)>, Value) {
    let mut body = reply.json();
    assert_eq!(body["requestId"], reply.request_id());
    body.as_object_mut().unwrap().remove("requestId");
    let mut headers: Vec<(String, String)> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id" && *name != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (reply.status, headers, body)
}

#[tokio::test]
async fn over_rest() {
    let kitchen = kitchen().await;
    let shop = shop(&kitchen).await;
    let ask = |id: &str, token: &str| {
        // Ids of one length, so that the bodies have one too.
        shop.gate.get(&format!("/v1/dishes/{id}")).token(token).header("x-request-id", "r-1")
    };
    let own = ask("hers", &shop.ada).await.is(200);
    assert_eq!((own.json()["price"].as_str(), own.header("x-cost")), (Some("5"), "5"));
    kitchen.forget();
    let absent = ask("none", &shop.bob).await;
    assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": "none"}));
    let (status, headers, body) = visible(&absent);
    assert_eq!(
        (status, &body),
        (
            404,
            &json!({
                "type": "about:blank", "title": "Not Found", "status": 404, "code": "NOT_FOUND",
                "detail": "there is no such thing, or it is not for this client: check the id and the account",
            })
        )
    );
    assert!(headers.iter().all(|(name, _)| name != "x-cost"), "{headers:?}");
    for id in ["hers", "cursed", "nobodys", "none"] {
        let reply = ask(id, &shop.bob).await;
        assert_eq!(visible(&reply), visible(&absent), "{id}");
        assert_eq!(reply.body, absent.body, "{id}");
        assert_eq!(kitchen.only_call().header("x-principal-id"), Some("bob"), "{id}");
    }
    // Who may see everything learns no more about what does not exist.
    assert_eq!(visible(&ask("none", &shop.cook).await), visible(&absent));
    assert_eq!(ask("nobodys", &shop.cook).await.is(200).json()["id"], "nobodys");
    // Another failure is what it is.
    let head = shop.gate.ask(http::Method::HEAD, "/v1/dishes/hers").token(&shop.bob).await.is(404);
    assert_eq!(head.body, b"");
}

#[tokio::test]
async fn over_grpc() {
    let kitchen = kitchen().await;
    let shop = shop(&kitchen).await;
    let client = shop.gate.grpc().await;
    let ask = async |id: &str, token: &str| {
        let message = crate::stand::encode("GetDishRequest", &json!({"id": id}));
        let mut request = Request::new(Bytes::from(message));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request.metadata_mut().insert("x-request-id", "r-1".parse().unwrap());
        client.call("GetDish", request).await
    };
    assert!(ask("hers", &shop.ada).await.is_ok());
    kitchen.forget();
    let visible = |status: &tonic::Status| {
        let mut metadata = status.metadata().clone().into_headers();
        metadata.remove("date");
        (status.code(), status.message().to_owned(), status.details().to_vec(), metadata)
    };
    let absent = ask("none", &shop.bob).await.unwrap_err();
    assert_eq!((absent.code(), absent.details()), (Code::NotFound, &b""[..]));
    assert_eq!(
        absent.message(),
        "there is no such thing, or it is not for this client: check the id and the account"
    );
    assert!(absent.metadata().get("x-cost").is_none());
    kitchen.only_call();
    for id in ["hers", "cursed", "nobodys", "none"] {
        let denied = ask(id, &shop.bob).await.unwrap_err();
        assert_eq!(visible(&denied), visible(&absent), "{id}");
        kitchen.only_call();
    }
}

#[tokio::test]
async fn what_is_no_matter_of_existence_is_told_as_it_is() {
    let kitchen = Upstream::answering(|seen: &Seen| {
        let code = match seen.json("GetDishRequest")["id"].as_str() {
            Some("invalid") => Code::InvalidArgument,
            Some("down") => Code::Unavailable,
            _ => Code::Internal,
        };
        Answer::error(code, "oh")
    })
    .await;
    let shop = shop(&kitchen).await;
    for (id, status) in [("invalid", 400), ("down", 503), ("bug", 500)] {
        shop.gate.get(&format!("/v1/dishes/{id}")).token(&shop.bob).await.is(status);
        kitchen.only_call();
    }
    // An RPC whose rule does not read the answer conceals nothing: its service says what it says.
    let kitchen = self::kitchen().await;
    let shop = Shop::before(&kitchen, |config| config.access("GetDish", "authenticated")).await;
    let reply = shop.gate.get("/v1/dishes/none").token(&shop.bob).await.is(404).problem();
    assert_eq!(
        (&reply["detail"], &reply["reason"]),
        (&json!("there is no dish none"), &json!("GONE"))
    );
}
