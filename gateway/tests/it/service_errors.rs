//! What a service says when it fails, and how much of it a REST client learns.

use prost_types::Any;
use serde_json::json;
use tonic::Code;
use tonic_types::{StatusExt as _, pb};

use crate::stand::{Answer, Gate, Reply, Upstream};

/// Asks a kitchen that answers like this.
async fn ask(answer: Answer) -> (Upstream, Gate, Reply) {
    let kitchen = Upstream::answering(move |_| answer.clone()).await;
    let once = "{ attempts: 1 }";
    let gate = Gate::start(|config| config.kitchen(&kitchen).section("resilience", once)).await;
    let reply = gate.get("/v1/dishes/soup").await;
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish");
    (kitchen, gate, reply)
}

fn any<M: prost::Message>(name: &str, message: &M) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

#[tokio::test]
async fn every_code_has_its_http_status() {
    let table = [
        (Code::Cancelled, 499, "CANCELLED", "upstream"),
        (Code::Unknown, 500, "UNKNOWN", "upstream"),
        (Code::InvalidArgument, 400, "INVALID_ARGUMENT", "client"),
        (Code::DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "upstream"),
        (Code::NotFound, 404, "NOT_FOUND", "client"),
        (Code::AlreadyExists, 409, "ALREADY_EXISTS", "client"),
        (Code::PermissionDenied, 403, "PERMISSION_DENIED", "client"),
        (Code::ResourceExhausted, 429, "RESOURCE_EXHAUSTED", "client"),
        (Code::FailedPrecondition, 400, "FAILED_PRECONDITION", "client"),
        (Code::Aborted, 409, "ABORTED", "client"),
        (Code::OutOfRange, 400, "OUT_OF_RANGE", "client"),
        (Code::Unimplemented, 501, "UNIMPLEMENTED", "upstream"),
        (Code::Internal, 500, "INTERNAL", "upstream"),
        (Code::Unavailable, 503, "UNAVAILABLE", "upstream"),
        (Code::DataLoss, 500, "DATA_LOSS", "upstream"),
        (Code::Unauthenticated, 401, "UNAUTHENTICATED", "client"),
    ];
    let kitchen = Upstream::answering(|seen| {
        let id = seen.json("GetDishRequest")["id"].as_str().unwrap_or_default().to_owned();
        match id.as_str() {
            "0" => Answer::wire(b""),
            code => Answer::error(Code::from_i32(code.parse().unwrap()), "words%20of the service"),
        }
    })
    .await;
    let gate = Gate::before(&kitchen).await;
    gate.get("/v1/dishes/0").await.is(200);
    for (code, status, name, origin) in table {
        let reply = gate.get(&format!("/v1/dishes/{}", code as i32)).await.is(status);
        let problem = reply.problem();
        assert_eq!((&problem["code"], &problem["type"]), (&json!(name), &json!("about:blank")));
        let words = problem["detail"].as_str().unwrap();
        let expected = match code {
            Code::Unknown | Code::Internal | Code::DataLoss => "the service failed on this request",
            Code::Unavailable => "the service is not available at the moment",
            Code::DeadlineExceeded => "there was no answer before the deadline",
            Code::Unimplemented => "the service does not offer this",
            Code::Cancelled => "the service gave this request up",
            _ => "words of the service",
        };
        assert_eq!(words, expected, "{name}");
        if status == 499 {
            assert_eq!(problem["title"], "Client Closed Request");
        }
        let challenge = if status == 401 { "Bearer" } else { "" };
        assert_eq!(reply.header("www-authenticate"), challenge);
        assert!(!reply.headers.contains_key("grpc-status"), "{reply}");
        let line = gate.line(&reply).await;
        assert_eq!(
            (&line["origin"], &line["status"], &line["code"]),
            (&json!(origin), &json!(status), &json!(name))
        );
        assert!(line["cause"].as_str().unwrap().contains("words of the service"), "{line}");
    }
    // One success, sixteen failures, and of those one that another try might mend.
    assert_eq!(kitchen.seen().len(), 17 + 2, "an answer of the service is not asked for again");
}

/// What a service of careless authors says: words, a stack trace, and whatever else is given.
fn talkative(code: Code, secret: &str, more: Vec<Any>) -> Answer {
    let debug = pb::DebugInfo { detail: secret.to_owned(), stack_entries: vec![secret.to_owned()] };
    let details = [vec![any("google.rpc.DebugInfo", &debug)], more].concat();
    Answer::error(code, secret).details(details).header("x-host", "db-7.internal")
}

fn told(reason: &str) -> Any {
    let (reason, domain) = (reason.to_owned(), "kitchen".to_owned());
    any("google.rpc.ErrorInfo", &pb::ErrorInfo { reason, domain, metadata: [].into() })
}

#[tokio::test]
async fn what_a_service_says_of_its_insides_stays_inside() {
    let secret = "SELECT password FROM users at db-7.internal:5432";
    for (code, status, details) in [
        (Code::Unknown, 500, vec![told("SELECT")]),
        (Code::Internal, 500, vec![told("SELECT")]),
        (Code::DataLoss, 500, vec![]),
        (Code::Unavailable, 503, vec![]),
        (Code::Unavailable, 503, vec![told("")]),
        (Code::Unimplemented, 501, vec![]),
        (Code::DeadlineExceeded, 504, vec![]),
        (Code::Cancelled, 499, vec![]),
    ] {
        let (_kitchen, gate, reply) = ask(talkative(code, secret, details)).await;
        let said = gate.grpc().await.call("GetDish", tonic::Request::new("".into())).await;
        let grpc = said.unwrap_err();
        let all = format!("{:?}{}{grpc:?}", reply.headers, reply.text());
        // Parts that no request id can hold by chance, as `db-7` can.
        for part in ["SELECT", "password", "db-7.internal", ":5432"] {
            assert!(!all.contains(part), "{part}: {all}");
        }
        let problem = reply.clone().is(status).problem();
        assert_eq!((problem.get("details"), problem.get("reason")), (None, None), "{problem}");
        assert_eq!((grpc.code(), grpc.details()), (code, &b""[..]));
        assert!(gate.line(&reply).await["cause"].as_str().unwrap().contains(secret));
    }
}

#[tokio::test]
async fn trouble_that_was_written_for_clients_reaches_them() {
    let words = "your order is still being made";
    for code in [Code::Unavailable, Code::DeadlineExceeded, Code::NotFound] {
        let (_kitchen, gate, reply) =
            ask(talkative(code, words, vec![told("ORDER_PENDING")])).await;
        let problem = reply.problem();
        assert_eq!(
            (&problem["detail"], &problem["reason"]),
            (&json!(words), &json!("ORDER_PENDING"))
        );
        let details = problem["details"].as_array().unwrap();
        assert_eq!((details.len(), &details[0]["reason"]), (1, &json!("ORDER_PENDING")));
        let said = gate.grpc().await.call("GetDish", tonic::Request::new("".into())).await;
        let grpc = said.unwrap_err();
        assert_eq!((grpc.code(), grpc.message()), (code, words));
        assert_eq!(grpc.get_details_error_info().unwrap().reason, "ORDER_PENDING");
        assert!(grpc.get_details_debug_info().is_none(), "{grpc:?}");
    }
}

#[tokio::test]
async fn details_are_decoded_by_their_descriptors() {
    let dish = Any {
        type_url: "type.googleapis.com/kitchen.v1.Dish".to_owned(),
        value: crate::stand::encode("Dish", &json!({"id": "soup", "price": "7"})),
    };
    let violation = any(
        "google.rpc.BadRequest",
        &pb::BadRequest {
            field_violations: vec![pb::bad_request::FieldViolation {
                field: "items[0].quantity".to_owned(),
                description: "at least one".to_owned(),
                ..pb::bad_request::FieldViolation::default()
            }],
        },
    );
    let strange =
        Any { type_url: "type.googleapis.com/secret.v9.Thing".to_owned(), value: vec![1, 2, 255] };
    let info = any(
        "google.rpc.ErrorInfo",
        &pb::ErrorInfo {
            reason: "SOLD_OUT".to_owned(),
            domain: "kitchen".to_owned(),
            metadata: [("dish".to_owned(), "soup".to_owned())].into(),
        },
    );
    let answer = Answer::error(Code::FailedPrecondition, "sold out");
    let (_kitchen, _gate, reply) = ask(answer.details(vec![dish, violation, strange, info])).await;
    let problem = reply.is(400).problem();
    assert_eq!(problem["reason"], "SOLD_OUT");
    let details = problem["details"].as_array().unwrap();
    assert_eq!(details[0]["@type"], "type.googleapis.com/kitchen.v1.Dish");
    assert_eq!((&details[0]["id"], &details[0]["price"]), (&json!("soup"), &json!("7")));
    assert_eq!(details[1]["fieldViolations"][0]["field"], "items[0].quantity");
    assert_eq!(details[1]["fieldViolations"][0]["description"], "at least one");
    assert_eq!(
        details[2],
        json!({"@type": "type.googleapis.com/secret.v9.Thing", "value": "AQL/"})
    );
    assert_eq!(details[3]["metadata"], json!({"dish": "soup"}));
    assert_eq!(details.len(), 4);
}

#[tokio::test]
async fn a_service_says_when_to_come_back() {
    for (seconds, nanos, expected) in [(2, 0, "2"), (2, 1, "3"), (0, 1, "1"), (0, 0, "1")] {
        let retry = pb::RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos }) };
        let answer = Answer::error(Code::Unavailable, "closed");
        let (_kitchen, _gate, reply) =
            ask(answer.details(vec![any("google.rpc.RetryInfo", &retry)])).await;
        assert_eq!(reply.is(503).header("retry-after"), expected);
    }
    // What is no time to wait is left out, and what is no time at all is made one.
    for (seconds, nanos) in [(-5, 0), (i64::MIN, i32::MIN), (i64::MAX, i32::MAX), (1, -1)] {
        let delay = prost_types::Duration { seconds, nanos };
        let retry = pb::RetryInfo { retry_delay: Some(delay) };
        let answer = Answer::error(Code::ResourceExhausted, "full");
        let (_kitchen, _gate, reply) =
            ask(answer.details(vec![any("google.rpc.RetryInfo", &retry)])).await;
        let wait = reply.clone().is(429).header("retry-after").to_owned();
        assert!(wait.is_empty() || wait.parse::<u64>().unwrap() >= 1, "{reply}");
    }
}

#[tokio::test]
async fn details_that_are_broken_do_no_harm() {
    let answer =
        Answer::error(Code::NotFound, "no soup").trailer("grpc-status-details-bin", "////");
    let (_kitchen, _gate, reply) = ask(answer).await;
    assert_eq!(reply.is(404).problem().get("details"), None);
    let lying =
        Any { type_url: "type.googleapis.com/kitchen.v1.Dish".to_owned(), value: vec![255] };
    let (_kitchen, _gate, reply) =
        ask(Answer::error(Code::NotFound, "no soup").details(vec![lying])).await;
    let problem = reply.is(404).problem();
    assert_eq!(
        problem["details"],
        json!([{"@type": "type.googleapis.com/kitchen.v1.Dish", "value": "/w=="}])
    );
}

/// The service is there, but what it says is not gRPC, or not one message.
#[tokio::test]
async fn answers_that_are_no_answers_are_the_services_fault() {
    let whole = b"\0\0\0\0\0".as_slice();
    let long = [b"\0\x00\x50\x00\x00".as_slice(), &vec![0; 0x50_0000]].concat();
    for (what, answer) in [
        ("a web page", Answer::plain(200, "<html>hello</html>")),
        ("a door before the service", Answer::plain(401, "<html>who is there</html>")),
        ("a wall before the service", Answer::plain(403, "<html>no</html>")),
        ("a missing page", Answer::plain(404, "<html>gone</html>")),
        ("a busy proxy", Answer::plain(429, "<html>later</html>")),
        ("a broken proxy", Answer::plain(502, "<html>bad gateway</html>")),
        ("a page with a status", Answer::plain(200, "<html>").trailer("grpc-status", "0")),
        ("messages in JSON", Answer::wire(b"").typed("application/grpc+json")),
        ("another protocol", Answer::wire(b"").typed("application/grpc-web")),
        ("no message", Answer::framed("")),
        ("two messages", Answer::wires(&[b"", b""])),
        ("half a message", Answer::framed(&b"\0\0\0\0\x09abc"[..])),
        ("half a prefix", Answer::framed(&b"\0\0\0"[..])),
        ("a compressed message", Answer::framed(&b"\x01\0\0\0\x03abc"[..])),
        ("an unknown flag", Answer::framed(&b"\x02\0\0\0\x03abc"[..])),
        ("a message beyond the limit", Answer::framed(long)),
        ("no status", Answer::framed(whole).without_trailers()),
        ("a status that is none", Answer::framed(whole).trailer("grpc-status", "much")),
        ("a status with a sign", Answer::framed(whole).trailer("grpc-status", "+5")),
        ("a status beyond the list", Answer::framed(whole).trailer("grpc-status", "99")),
    ] {
        let (_kitchen, gate, reply) = ask(answer).await;
        let problem = reply.clone().is(502).problem();
        assert_eq!(problem["type"], "/problems/malformed-answer", "{what}: {problem}");
        assert_eq!(problem["code"], "INTERNAL", "{what}: {problem}");
        let words = problem["detail"].as_str().unwrap();
        assert!(words.starts_with("the service answered with "), "{what}: {problem}");
        assert_eq!(reply.header("www-authenticate"), "");
        let line = gate.line(&reply).await;
        assert_eq!((&line["origin"], &line["tries"]), (&json!("upstream"), &json!(1)), "{what}");
    }
}

#[tokio::test]
async fn answers_in_an_unusual_form_are_answers() {
    for (answer, status) in [
        (Answer::wire(b"").typed("application/grpc+proto"), 200),
        (Answer::wire(b"").typed("Application/GRPC; charset=utf-8"), 200),
        // Trailers only: the status stands in the head.
        (Answer::framed("").header("grpc-status", "5").without_trailers(), 404),
        // A message does not count when the status is a failure.
        (Answer::wire(b"").trailer("grpc-status", "7"), 403),
        (Answer::error(Code::NotFound, "%ff%00"), 404),
        (Answer::error(Code::NotFound, "").trailer("grpc-status-details-bin", "not base64!"), 404),
    ] {
        let (_kitchen, _gate, reply) = ask(answer).await;
        reply.is(status);
    }
}

#[tokio::test]
async fn metadata_of_a_failure_passes_when_it_is_named() {
    let kitchen = Upstream::answering(|_| {
        Answer::error(Code::NotFound, "no soup").trailer("x-cost", "9").trailer("x-host", "db-7")
    })
    .await;
    let gate = Gate::start(|config| {
        config.kitchen(&kitchen).section("transcoding", "{ response_headers: [x-cost] }")
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await.is(404);
    assert_eq!((reply.header("x-cost"), reply.header("x-host")), ("9", ""));
}
