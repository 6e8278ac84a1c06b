//! The gRPC dialect: clients that speak it reach the same RPCs under the same rules.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::stand::{Answer, Gate, Issuer, Key, Latch, Upstream, Wire, decode, encode};

fn request(message: impl Into<Bytes>) -> Request<Bytes> {
    Request::new(message.into())
}

#[tokio::test]
async fn the_bytes_of_a_message_are_not_touched() {
    // Fields out of order, an unknown field, a list packed and unpacked, a value beyond its enum: JSON would lose them.
    let message = b"\xf8\x07\x2a\x1a\x01b\x0a\x01a\x20\x63\x0a\x01c".as_slice();
    let kitchen =
        Upstream::answering(|seen| Answer::wire(&[&seen.message[..], b"\xf8\x07\x2b"].concat()))
            .await;
    let gate = Gate::before(&kitchen).await;
    let answer = gate.grpc().await.call("CreateDish", request(message)).await.unwrap();
    let call = kitchen.only_call();
    assert_eq!((call.rpc.as_str(), &call.message[..]), ("kitchen.v1.Kitchen/CreateDish", message));
    assert_eq!(answer.into_inner(), [message, b"\xf8\x07\x2b"].concat());
}

#[tokio::test]
async fn an_rpc_without_a_rule_is_reached_by_grpc_alone() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "soup"}))).await;
    let gate = Gate::before(&kitchen).await;
    let answer = gate.grpc().await.call("Whisper", request("")).await.unwrap();
    assert_eq!(decode("Dish", answer.get_ref()), json!({"id": "soup"}));
    let id = answer.metadata().get("x-request-id").unwrap().to_str().unwrap();
    let line = gate.line_with_id(id).await;
    assert_eq!(
        (&line["rpc"], &line["route"]),
        (&json!("kitchen.v1.Kitchen/Whisper"), &json!("kitchen.v1.Kitchen/Whisper"))
    );
    assert_eq!((&line["code"], &line["method"]), (&json!("OK"), &json!("POST")));
    kitchen.forget();
    gate.post("/kitchen.v1.Kitchen/Whisper", &json!({})).await.is(404);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn what_is_not_exposed_is_unimplemented() {
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).access("GetDish", "internal").access("Deliver", "internal")
    })
    .await;
    let client = gate.grpc().await;
    for rpc in ["GetDish", "Deliver", "NoSuch", "getdish", "GetDish/"] {
        let status = client.call(rpc, request("")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{rpc}: {status:?}");
        assert_eq!(status.message(), "no such RPC is exposed");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn the_access_line_counts_for_grpc_too() {
    let key = Key::new("k1");
    let issuer = Issuer::of(&key).await;
    let kitchen = Upstream::content().await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).issuer(&issuer).access("GetDish", "role:cook")
    })
    .await;
    let client = gate.grpc().await;
    let with = |token: String| {
        let mut request = request("");
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    let status = client.call("GetDish", request("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = client.call("GetDish", with("nonsense".to_owned())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = client.call("GetDish", with(key.token(&json!({})))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    kitchen.saw_nothing();
    client.call("GetDish", with(key.token(&json!({"roles": ["cook"]})))).await.unwrap();
    assert_eq!(kitchen.only_call().header("x-principal-id"), Some("ada"));
}

#[tokio::test]
async fn only_grpc_with_protobuf_over_http2_is_grpc() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    let ask = || {
        let ask = gate.ask(http::Method::POST, "/kitchen.v1.Kitchen/Whisper");
        ask.body(&b"\0\0\0\0\0"[..])
    };
    for content_type in [
        "application/grpc",
        "APPLICATION/gRPC",
        "application/grpc+proto",
        "application/grpc;x=1",
        "application/grpc+Proto ; x=1",
    ] {
        ask().header("content-type", content_type).await.is(200);
        assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/Whisper", "{content_type}");
    }
    for content_type in [
        "application/grpc+json",
        "application/grpc+",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/GRPC+thrift",
        "application/grpc, application/grpc",
    ] {
        let reply = ask().header("content-type", content_type).await.is(415);
        let words = reply.problem()["detail"].to_string();
        assert!(words.contains("application/grpc+proto"), "{content_type}: {words}");
    }
    for other in ["application/grpc", "application/json"] {
        let ask = ask().header("content-type", other);
        ask.header("content-type", "application/grpc").await.is(415).problem();
    }
    ask().header("content-type", "application/json").await.is(404);
    kitchen.saw_nothing();
    // Below HTTP/2 the trailers would be lost, and with them the outcome.
    let request = "POST /kitchen.v1.Kitchen/Whisper HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    let answers = Wire::talk(&gate, request).await;
    assert_eq!(answers[0].status, 415, "{}", answers[0]);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn failures_keep_their_code_their_words_and_their_details() {
    let kitchen = Upstream::answering(|_| {
        let violation = tonic_types::pb::bad_request::FieldViolation {
            field: "id".to_owned(),
            description: "unknown".to_owned(),
            ..Default::default()
        };
        let request = tonic_types::pb::BadRequest { field_violations: vec![violation] };
        let value = prost::Message::encode_to_vec(&request);
        let type_url = "type.googleapis.com/google.rpc.BadRequest".to_owned();
        Answer::error(Code::InvalidArgument, "100%25 wrong")
            .details(vec![prost_types::Any { type_url, value }])
    })
    .await;
    let gate = Gate::before(&kitchen).await;
    let status = gate.grpc().await.call("GetDish", request("")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "100% wrong"));
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "id");
    assert!(status.metadata().contains_key("x-request-id"));

    let kitchen = Upstream::answering(|_| Answer::error(Code::Internal, "SELECT password")).await;
    let gate = Gate::before(&kitchen).await;
    let status = gate.grpc().await.call("GetDish", request("")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "the service failed on this request")
    );
}

#[tokio::test]
async fn a_stream_arrives_message_by_message() {
    let dishes = ["a", "b", "c"].map(|id| encode("Dish", &json!({"id": id})));
    let kitchen = {
        let messages = dishes.clone();
        Upstream::answering(move |_| {
            Answer::wires(&messages.each_ref().map(Vec::as_slice)).open_end()
        })
        .await
    };
    let gate = Gate::before(&kitchen).await;
    let asked = encode("ListDishesRequest", &json!({"vegan": true}));
    let mut stream =
        gate.grpc().await.stream("WatchDishes", request(asked.clone())).await.unwrap().into_inner();
    for dish in &dishes {
        let message = crate::stand::soon("a message", stream.message()).await.unwrap().unwrap();
        assert_eq!(message, dish.as_slice());
    }
    assert_eq!(kitchen.only_call().message, asked);
    drop(stream);
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn a_stream_ends_as_the_service_ends_it() {
    let dish = encode("Dish", &json!({"id": "a"}));
    for (code, expected) in [("0", None), ("5", Some(Code::NotFound))] {
        let message = dish.clone();
        let kitchen =
            Upstream::answering(move |_| Answer::wires(&[&message]).trailer("grpc-status", code))
                .await;
        let gate = Gate::before(&kitchen).await;
        let mut stream =
            gate.grpc().await.stream("WatchDishes", request("")).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap(), dish);
        let end = stream.message().await;
        let line = gate.lines_that(1, |line| line.contains("WatchDishes")).await;
        let name = expected.map_or("OK", |_| "NOT_FOUND");
        assert!(line[0].contains(&format!("\"code\":\"{name}\"")), "{line:?}");
        match expected {
            None => assert!(matches!(end, Ok(None)), "{end:?}"),
            Some(code) => assert_eq!(end.unwrap_err().code(), code),
        }
    }
}

#[tokio::test]
async fn the_clients_deadline_is_kept() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 30s }"));
    let gate = gate.await.speaking_http2();
    // A client of tonic would give up by itself.
    let ask =
        gate.ask(http::Method::POST, "/kitchen.v1.Kitchen/GetDish").header("grpc-timeout", "150m");
    let reply =
        ask.header("content-type", "application/grpc").body(&b"\0\0\0\0\0"[..]).await.is(200);
    assert_eq!(
        (reply.header("grpc-status"), reply.header("content-type")),
        ("4", "application/grpc")
    );
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn a_stream_outlives_the_deadline_once_it_has_begun() {
    let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 200ms }"))
            .await;
    let stream = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap();
    let mut stream = stream.into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap(), "");
    // A service that is told a deadline ends its stream by it.
    assert_eq!(kitchen.only_call().header("grpc-timeout"), None);
    let later = tokio::time::timeout(Duration::from_millis(500), stream.message()).await;
    assert!(later.is_err(), "{later:?}");
    drop(stream);
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn a_stream_that_does_not_begin_is_left_at_the_deadline() {
    let kitchen = Upstream::answering(|_| Answer::framed("").open_end()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 200ms }"))
            .await;
    let status = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn what_is_not_one_plain_message_is_refused() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    for (frame, words) in [
        ("", "length-prefixed"),
        ("\0\0\0\0", "length-prefixed"),
        ("\0\0\0\0\x05abc", "length-prefixed"),
        ("\0\0\0\0\0\0\0\0\0\0", "length-prefixed"),
    ] {
        let ask = gate.ask(http::Method::POST, "/kitchen.v1.Kitchen/Whisper");
        let reply = ask.header("content-type", "application/grpc").body(frame).await.is(200);
        assert_eq!(reply.header("grpc-status"), "3", "{frame:?}: {reply}");
        assert!(reply.header("grpc-message").contains(words), "{reply}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn who_compresses_is_told_that_nothing_but_identity_is_taken() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    let ask = async |frame: &'static str| {
        let ask = gate.ask(http::Method::POST, "/kitchen.v1.Kitchen/Whisper");
        let ask = ask.header("content-type", "application/grpc").header("grpc-encoding", "gzip");
        ask.body(frame).await.is(200)
    };
    let refused = ask("\x01\0\0\0\x01a").await;
    assert_eq!(refused.header("grpc-status"), "12", "{refused}");
    assert_eq!(refused.header("grpc-accept-encoding"), "identity");
    assert!(refused.header("grpc-message").contains("send%20it%20uncompressed"), "{refused}");
    assert_eq!(refused.text(), "");
    kitchen.saw_nothing();
    // An encoding that is named and not used is nobody's concern.
    let taken = ask("\0\0\0\0\0").await;
    assert_eq!(taken.header("grpc-accept-encoding"), "identity");
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/Whisper");
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let latch = Latch::default();
    let kitchen = {
        let latch = latch.clone();
        Upstream::answering(move |seen| Answer::wire(&seen.message).when(&latch)).await
    };
    let gate = Gate::before(&kitchen).await;
    let client = gate.grpc().await;
    let calls = (0..50).map(|number| {
        let message = encode("Dish", &json!({"id": format!("dish {number}")}));
        let call = client.call("Whisper", request(message.clone()));
        async move { assert_eq!(call.await.unwrap().into_inner(), message) }
    });
    let opened = async {
        kitchen.called(50).await;
        latch.open();
    };
    let all = futures_util::future::join(futures_util::future::join_all(calls), opened);
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_a_status_and_no_inner_words() {
    let dish = encode("Dish", &json!({"id": "a"}));
    let kitchen = {
        let dish = dish.clone();
        Upstream::answering(move |_| Answer::wires(&[&dish]).open_end()).await
    };
    let gate = Gate::before(&kitchen).await;
    let stream = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap();
    let mut stream = stream.into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap(), dish);
    drop(kitchen);
    let status = crate::stand::soon("the end", stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "the connection to the service broke");
    let line = gate.lines_that(1, |line| line.contains("WatchDishes")).await;
    assert!(line[0].contains("\"code\":\"UNAVAILABLE\""), "{line:?}");
}

#[tokio::test]
async fn a_stream_that_fails_keeps_the_insides_of_its_service_inside() {
    let dish = encode("Dish", &json!({"id": "a"}));
    for (code, words) in [("13", "the service failed on this request"), ("5", "SELECT")] {
        let answer =
            Answer::wires(&[&dish]).trailer("grpc-status", code).trailer("grpc-message", "SELECT");
        let kitchen = Upstream::answering(move |_| answer.clone()).await;
        let gate = Gate::before(&kitchen).await;
        let stream = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap();
        let mut stream = stream.into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap(), dish);
        assert_eq!(stream.message().await.unwrap_err().message(), words);
    }
}

#[tokio::test]
async fn a_message_of_a_stream_beyond_the_limit_is_the_services_fault() {
    let long = [b"\0\0\0\0\0\0\x00\x50\x00\x00".as_slice(), &vec![0; 0x50_0000]].concat();
    let kitchen = Upstream::answering(move |_| Answer::framed(long.clone())).await;
    let gate = Gate::before(&kitchen).await;
    let stream = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap();
    let mut stream = stream.into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap(), "");
    let status = crate::stand::soon("the end", stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "the service answered with more than a message may hold");
    let status = gate.grpc().await.call("Whisper", request("")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn a_stream_that_stops_being_grpc_is_the_services_fault() {
    for answer in [
        Answer::wire(b"").without_trailers(),
        Answer::wire(b"").trailer("grpc-status", "99"),
        Answer::framed(&b"\0\0\0\0\0\0\0"[..]),
        Answer::framed(&b"\0\0\0\0\0\x01\0\0\0\0"[..]),
    ] {
        let kitchen = Upstream::answering(move |_| answer.clone()).await;
        let gate = Gate::before(&kitchen).await;
        let stream = gate.grpc().await.stream("WatchDishes", request("")).await.unwrap();
        let id = stream.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        let mut stream = stream.into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap(), "");
        let status = stream.message().await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), "the service answered with something that is not its message");
        let line = gate.line_with_id(&id).await;
        assert_eq!((&line["code"], &line["origin"]), (&json!("INTERNAL"), &json!("upstream")));
        assert!(line["cause"].as_str().unwrap().contains("no gRPC"), "{line}");
    }
}

#[tokio::test]
async fn a_stream_answers_its_refusals_before_it_begins() {
    let kitchen = Upstream::answering(|_| Answer::error(Code::PermissionDenied, "not today")).await;
    let gate = Gate::before(&kitchen).await;
    let status = gate.grpc().await.stream("WatchDishes", request("")).await;
    let status = match status {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.unwrap_err(),
    };
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not today"));
}
