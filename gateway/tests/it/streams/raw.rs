use serde_json::json;
use tonic::Code;

use crate::stand::{Answer, Feed, Gate, Upstream, encode};

/// A field of bytes, by the byte of its tag.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

fn piece(content_type: &str, data: &[u8]) -> Vec<u8> {
    [field(0x0a, content_type.as_bytes()), field(0x12, data)].concat()
}

async fn kitchen(pieces: Vec<Vec<u8>>) -> Upstream {
    Upstream::answering(move |_| {
        Answer::wires(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>())
    })
    .await
}

#[tokio::test]
async fn raw_bytes_stand_one_after_the_other_under_their_first_type() {
    let pieces = vec![piece("text/csv", b"a;b\n"), piece("image/png", b"1;2\n"), piece("", b"")];
    let kitchen = kitchen(pieces).await;
    let gate = Gate::before(&kitchen).await;
    // What a client accepts chooses the framing of messages; bytes have a type of their own.
    for accept in ["*/*", "text/event-stream", "text/html"] {
        let reply = gate.get("/v1/downloads/menu").header("accept", accept).await.is(200);
        assert_eq!(
            (reply.text().as_str(), reply.header("content-type")),
            ("a;b\n1;2\n", "text/csv")
        );
        assert_eq!(kitchen.only_call().json("ReadRequest"), json!({"name": "downloads/menu"}));
        assert_eq!(gate.line(&reply).await["messages"], 3);
    }
    let nothing = self::kitchen(vec![]).await;
    let reply = Gate::before(&nothing).await.get("/v1/downloads/menu").await.is(200);
    assert_eq!(
        (reply.text().as_str(), reply.header("content-type")),
        ("", "application/octet-stream")
    );
}

#[tokio::test]
async fn a_type_that_no_client_has_room_for_is_none() {
    for (length, passes) in [(1024, true), (1025, false)] {
        let long = "x".repeat(length);
        let kitchen = kitchen(vec![piece(&long, b"")]).await;
        let gate = Gate::before(&kitchen).await;
        let reply = gate.get("/v1/dishes/soup/photo").await.is(200);
        let expected = if passes { long.as_str() } else { "application/octet-stream" };
        assert_eq!(reply.header("content-type"), expected);
    }
}

#[tokio::test]
async fn an_http_body_may_be_a_field() {
    let page = encode(
        "Page",
        &json!({"number": 7, "file": {"contentType": "text/plain", "data": "aGk="}}),
    );
    let kitchen = kitchen(vec![page.clone()]).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/pages/1").await.is(200);
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("hi", "text/plain"));
    let kitchen = self::kitchen(vec![page, encode("Page", &json!({"number": 8}))]).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/books/1").await.is(200);
    assert_eq!((reply.text().as_str(), reply.header("content-type")), ("hi", "text/plain"));

    let none = self::kitchen(vec![encode("Page", &json!({"number": 8}))]).await;
    let reply = Gate::before(&none).await.get("/v1/pages/1").await.is(200);
    assert_eq!(
        (reply.text().as_str(), reply.header("content-type")),
        ("", "application/octet-stream")
    );
}

#[tokio::test]
async fn a_download_that_fails_breaks_off() {
    for http2 in [false, true] {
        let feed = Feed::new();
        let kitchen = {
            let feed = feed.clone();
            Upstream::answering(move |_| Answer::fed(&feed)).await
        };
        let gate = Gate::before(&kitchen).await;
        let gate = if http2 { gate.speaking_http2() } else { gate };
        feed.wire(&piece("text/csv", b"a;b\n"));
        let mut open = gate.get("/v1/downloads/menu").open().await;
        assert_eq!(open.up_to("\n").await, "a;b\n");
        let id = open.request_id();
        feed.end(Code::DataLoss, "torn");
        assert_eq!(open.rest().await, (String::new(), false));
        let line = gate.line_with_id(&id).await;
        assert_eq!((&line["code"], &line["origin"]), (&json!("DATA_LOSS"), &json!("upstream")));
        assert_eq!((&line["complete"], &line["messages"]), (&json!(false), &json!(1)), "{line}");
        assert!(line["cause"].as_str().unwrap().contains("torn"), "{line}");
    }
}

#[tokio::test]
async fn a_download_that_does_not_begin_is_late() {
    let kitchen = Upstream::answering(|_| Answer::framed("").open_end()).await;
    let gate = Gate::before(&kitchen).await;
    let ask = gate.get("/v1/downloads/menu").header("grpc-timeout", "900m");
    let reply = ask.await.is(504);
    assert_eq!(reply.problem()["code"], "DEADLINE_EXCEEDED");
    kitchen.cancelled(1).await;
    let line = gate.line(&reply).await;
    assert_eq!((&line["code"], &line["origin"]), (&json!("DEADLINE_EXCEEDED"), &json!("upstream")));
}

#[tokio::test]
async fn what_is_no_http_body_is_a_malformed_answer() {
    let kitchen = kitchen(vec![b"\x0a\x09text".to_vec()]).await;
    let gate = Gate::before(&kitchen).await;
    let problem = gate.get("/v1/downloads/menu").await.is(502).problem();
    assert_eq!(problem["type"], "/problems/malformed-answer");
}

#[tokio::test]
async fn a_download_of_100_mb_takes_no_memory() {
    for http2 in [false, true] {
        let feed = Feed::repeating(&piece("application/zip", &vec![7; 1 << 20]), 100);
        let kitchen = {
            let feed = feed.clone();
            Upstream::answering(move |_| Answer::fed(&feed)).await
        };
        let gate = Gate::before(&kitchen).await;
        let gate = if http2 { gate.speaking_http2() } else { gate };
        gate.get("/v2").await.is(404);
        let (before, mut most, mut bytes) = (gate.memory(), 0, 0);
        let mut open = gate.get("/v1/downloads/all").open().await;
        while let Some(length) = open.piece().await {
            bytes += length;
            most = most.max(gate.memory());
        }
        assert_eq!(bytes, 100 << 20);
        let grown = most.saturating_sub(before);
        assert!(grown < 24 << 20, "HTTP/2 {http2}: {grown} bytes");
    }
}
