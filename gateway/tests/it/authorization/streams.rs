//! Streams are judged message by message.

use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Request};

use super::{READER, Shop};
use crate::stand::{Answer, Feed, Upstream, encode};

const LINES: &str = "application/x-ndjson";

async fn shop(kitchen: &Upstream) -> Shop {
    Shop::before(kitchen, |config| config.rule("reader", READER).access("WatchDishes", "reader"))
        .await
}

fn dish(owner: &str) -> Vec<u8> {
    encode("Dish", &json!({"id": "soup", "name": owner}))
}

fn watch(token: &str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test]
async fn a_first_message_that_is_not_for_the_client_is_refused_like_a_unary_answer() {
    let (hers, absent) = (dish("ada"), Answer::error(Code::NotFound, "there is no soup"));
    let answers = [Answer::wires(&[&hers, &hers]), absent, Answer::wire(b"\x12\x7f")];
    let mut seen = Vec::new();
    for answer in answers {
        let kitchen = Upstream::answering(move |_| answer.clone()).await;
        let shop = shop(&kitchen).await;
        let ask = shop.gate.get("/v1/dishes:watch").header("accept", LINES).token(&shop.bob);
        let reply = ask.header("x-request-id", "r-1").await.is(404);
        assert_eq!(reply.problem()["code"], "NOT_FOUND");
        kitchen.only_call();
        let status =
            shop.gate.grpc().await.stream("WatchDishes", watch(&shop.bob)).await.unwrap_err();
        let mut headers = reply.headers.clone();
        headers.remove("date");
        seen.push((headers, reply.body, status.code(), status.message().to_owned()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn a_later_message_that_is_not_for_the_client_ends_the_stream() {
    let feed = Feed::new();
    let kitchen = {
        let feed = feed.clone();
        Upstream::answering(move |_| Answer::fed(&feed)).await
    };
    let shop = shop(&kitchen).await;
    feed.wire(&dish("bob"));
    let ask = shop.gate.get("/v1/dishes:watch").header("accept", LINES).token(&shop.bob);
    let mut open = ask.open().await;
    assert_eq!(open.status, 200);
    open.up_to("\"name\":\"bob\"").await;
    feed.wire(&dish("ada"));
    feed.wire(&dish("bob"));
    let (rest, _) = open.rest().await;
    assert!(
        rest.contains("PERMISSION_DENIED") && !rest.contains("ada") && !rest.contains("\"bob\""),
        "{rest}"
    );
    // Nobody listens to the service any more.
    kitchen.cancelled(1).await;
    let line = shop.gate.lines_that(1, |line| line.contains("dishes:watch")).await;
    assert!(
        line[0].contains("\"code\":\"PERMISSION_DENIED\"") && line[0].contains("\"messages\":1"),
        "{line:?}"
    );
    assert!(line[0].contains("\"denied\":\"refused\""), "{line:?}");
}

#[tokio::test]
async fn a_later_message_that_is_not_for_the_client_ends_the_stream_over_grpc_too() {
    let (mine, hers) = (dish("bob"), dish("ada"));
    let kitchen = Upstream::answering(move |_| Answer::wires(&[&mine, &hers, &mine])).await;
    let shop = shop(&kitchen).await;
    let client = shop.gate.grpc().await;
    let mut messages = client.stream("WatchDishes", watch(&shop.bob)).await.unwrap().into_inner();
    assert_eq!(messages.message().await.unwrap().unwrap(), dish("bob"));
    let end = messages.message().await.unwrap_err();
    assert_eq!(end.code(), Code::PermissionDenied);
    assert_eq!(end.message(), "what the stream holds now is not for this client");
}

#[tokio::test]
async fn a_service_that_is_silent_at_first_has_told_nothing_and_its_messages_are_judged_when_they_come()
 {
    for (owner, token_is_bobs, expected) in
        [("ada", false, "\"name\":\"ada\""), ("ada", true, "NOT_FOUND")]
    {
        let feed = Feed::new();
        let kitchen = {
            let feed = feed.clone();
            Upstream::answering(move |_| Answer::fed(&feed).header("x-cost", "5")).await
        };
        let shop = Shop::before(&kitchen, |config| {
            config
                .rule("reader", READER)
                .access("WatchDishes", "reader")
                .section("transcoding", "{ response_headers: [x-cost] }")
        })
        .await;
        let token = if token_is_bobs { &shop.bob } else { &shop.ada };
        let ask = shop.gate.get("/v1/dishes:watch").header("accept", LINES).token(token);
        let open = ask.open().await;
        assert_eq!((open.status, open.headers.get("x-cost")), (200, None));
        feed.wire(&dish(owner));
        feed.end(Code::Ok, "");
        let (rest, _) = open.rest().await;
        assert!(rest.contains(expected), "{rest}");
        assert_eq!(rest.contains("ada"), !token_is_bobs, "{rest}");
    }
}

/// Over a stream that is open already, another's object and one that does not exist end alike.
#[tokio::test]
async fn a_stream_that_was_silent_at_first_does_not_tell_what_exists_by_how_it_ends() {
    let mut ends = Vec::new();
    for exists in [true, false] {
        let feeds = [Feed::new(), Feed::new()];
        let kitchen = |feed: &Feed| {
            let feed = feed.clone();
            Upstream::answering(move |_| Answer::fed(&feed))
        };
        let kitchens = [kitchen(&feeds[0]).await, kitchen(&feeds[1]).await];
        let (rest, grpc) = (shop(&kitchens[0]).await, shop(&kitchens[1]).await);
        let ask = rest.gate.get("/v1/dishes:watch").header("accept", LINES).token(&rest.bob);
        let open = ask.header("x-request-id", "r-1").open().await;
        assert_eq!(open.status, 200);
        let client = grpc.gate.grpc().await;
        let mut messages = client.stream("WatchDishes", watch(&grpc.bob)).await.unwrap();
        for feed in &feeds {
            if exists {
                feed.wire(&dish("ada"));
            }
            feed.end(Code::NotFound, "there is no soup");
        }
        let (rest, _) = open.rest().await;
        assert!(rest.contains("\"NOT_FOUND\""), "{rest}");
        let end = messages.get_mut().message().await.unwrap_err();
        assert_eq!(end.code(), Code::NotFound, "{end:?}");
        ends.push((rest, end.message().to_owned(), end.details().to_vec()));
    }
    assert_eq!(ends[0], ends[1]);
}
