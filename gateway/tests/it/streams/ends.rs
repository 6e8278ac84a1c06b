use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Code;

use super::{ARRAY, EVENTS, LINES, WATCH, request, watched};
use crate::stand::{Answer, Feed, Gate, Open, Upstream, soon};

/// The problem at the end of a body, and how the body ended.
async fn problem(accept: &str, open: Open) -> (Value, bool) {
    let (rest, clean) = open.rest().await;
    let text = match accept {
        EVENTS => {
            rest.strip_prefix("event: error\ndata: ").and_then(|text| text.strip_suffix("\n\n"))
        }
        LINES => rest.strip_prefix("{\"error\":").and_then(|text| text.strip_suffix("}\n")),
        _ => rest.strip_prefix(",\n{\"error\":").and_then(|text| text.strip_suffix('}')),
    };
    let text = text.unwrap_or_else(|| panic!("{accept}: {rest}"));
    (serde_json::from_str(text).unwrap(), clean)
}

/// What a client of each framing, after the first message, is told of a failure.
async fn told(
    messages: u64,
    fail: impl AsyncFn(&Feed, Upstream) -> Option<Upstream>,
) -> Vec<Value> {
    let mut problems = Vec::new();
    for http2 in [false, true] {
        for accept in [ARRAY, LINES, EVENTS] {
            let (feed, kitchen, gate) = watched().await;
            let gate = if http2 { gate.speaking_http2() } else { gate };
            feed.dish(&json!({"id": "1"}));
            let mut open = gate.get(WATCH).header("accept", accept).open().await;
            assert_eq!(open.status, 200);
            open.up_to("{\"id\":\"1\"}").await;
            if accept != ARRAY {
                open.up_to("\n").await;
            }
            if accept == EVENTS {
                open.up_to("\n").await;
            }
            let id = open.request_id();
            let _alive = fail(&feed, kitchen).await;
            let (problem, clean) = problem(accept, open).await;
            // Only an array can't say in its own words that it is not whole.
            assert_eq!(clean, accept != ARRAY, "{accept}");
            assert_eq!(problem["requestId"], *id);
            let line = gate.line_with_id(&id).await;
            assert_eq!(line["code"], problem["code"], "{line}");
            assert_eq!(
                (&line["status"], &line["messages"]),
                (&json!(200), &json!(messages)),
                "{line}"
            );
            assert!(line["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{line}");
            assert_eq!(line["origin"] == "client", problem["status"] == 429, "{line}");
            problems.push(problem);
        }
    }
    problems
}

#[tokio::test]
async fn a_failure_in_the_middle_is_told_in_the_form_of_the_stream() {
    let problems = told(1, async |feed, kitchen| {
        feed.end(Code::ResourceExhausted, "no%20salt");
        Some(kitchen)
    })
    .await;
    for problem in problems {
        assert_eq!(
            (&problem["code"], &problem["status"], &problem["detail"]),
            (&json!("RESOURCE_EXHAUSTED"), &json!(429), &json!("no salt")),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_service_that_dies_in_the_middle_is_unavailable() {
    for problem in told(1, async |_feed, _kitchen| None).await {
        assert_eq!((&problem["code"], &problem["status"]), (&json!("UNAVAILABLE"), &json!(503)));
        assert_eq!(problem["detail"], "the connection to the service broke");
    }
}

#[tokio::test]
async fn a_message_that_is_none_ends_the_stream_and_the_call() {
    let problems = told(2, async |feed, kitchen| {
        feed.wire(b"\xff");
        kitchen.cancelled(1).await;
        Some(kitchen)
    })
    .await;
    for problem in problems {
        assert_eq!(
            (&problem["type"], &problem["status"]),
            (&json!("/problems/malformed-answer"), &json!(502)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn what_fails_at_once_is_an_answer_of_its_own() {
    for accept in [ARRAY, LINES, EVENTS] {
        let (feed, _kitchen, gate) = watched().await;
        feed.end(Code::NotFound, "no such kitchen");
        let problem = gate.get(WATCH).header("accept", accept).await.is(404).problem();
        assert_eq!(problem["detail"], "no such kitchen");
    }
}

#[tokio::test]
async fn a_stream_on_which_nothing_happens_is_open_soon() {
    let (feed, kitchen, gate) = watched().await;
    let began = Instant::now();
    let mut open = gate.get(WATCH).header("accept", EVENTS).open().await;
    assert_eq!(open.status, 200);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    feed.dish(&json!({"id": "late"}));
    assert_eq!(open.up_to("}\n\n").await, "event: message\ndata: {\"id\":\"late\"}\n\n");
    assert_eq!(kitchen.only_call().header("grpc-timeout"), None, "it would end the whole stream");
}

#[tokio::test]
async fn a_service_that_does_not_begin_is_late() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate = Gate::before(&kitchen).await;
    let ask = gate.get(WATCH).header("accept", EVENTS).header("grpc-timeout", "200m");
    let problem = ask.await.is(504).problem();
    assert_eq!(problem["code"], "DEADLINE_EXCEEDED");
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn a_client_that_goes_takes_the_call_with_it() {
    for http2 in [false, true] {
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let (feed, kitchen, gate) = watched().await;
            let gate = if http2 { gate.speaking_http2() } else { gate };
            feed.dish(&json!({"id": "1"}));
            let mut open = gate.get(WATCH).header("accept", EVENTS).open().await;
            open.up_to("}\n\n").await;
            let id = open.request_id();
            let gone = Instant::now();
            drop(open);
            kitchen.cancelled(1).await;
            fastest = fastest.min(gone.elapsed());
            let line = gate.line_with_id(&id).await;
            assert_eq!((&line["code"], &line["complete"]), (&json!("CANCELLED"), &json!(false)));
            assert_eq!((&line["origin"], &line["messages"]), (&Value::Null, &json!(1)), "{line}");
        }
        assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    }
}

#[tokio::test]
async fn draining_ends_streams_at_once() {
    for accept in [ARRAY, LINES, EVENTS] {
        let (feed, kitchen, mut gate) = watched().await;
        feed.dish(&json!({"id": "1"}));
        let mut open = gate.get(WATCH).header("accept", accept).open().await;
        open.up_to(if accept == EVENTS {
            "}\n\n"
        } else if accept == LINES {
            "}\n"
        } else {
            "}"
        })
        .await;
        let told = Instant::now();
        gate.signal(Signal::TERM);
        let (problem, clean) = problem(accept, open).await;
        assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
        assert_eq!(clean, accept != ARRAY);
        assert_eq!(
            (&problem["type"], &problem["code"]),
            (&json!("/problems/stream-ended"), &json!("UNAVAILABLE")),
            "{problem}"
        );
        kitchen.cancelled(1).await;
        let (status, lines) = gate.ended().await;
        assert_eq!(status.code(), Some(0));
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["code"], &line["origin"]), (&json!("UNAVAILABLE"), &json!("gateway")));
    }
}

#[tokio::test]
async fn a_stream_over_grpc_ends_the_same_way() {
    let (feed, _kitchen, gate) = watched().await;
    feed.dish(&json!({"id": "1"}));
    let mut answer = gate.grpc().await.stream("WatchDishes", request()).await.unwrap();
    let id = answer.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        &soon("a message", answer.get_mut().message()).await.unwrap().unwrap()[..],
        b"\n\x011"
    );
    feed.end(Code::Aborted, "burnt");
    let status = soon("the end", answer.get_mut().message()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "burnt"));
    let line = gate.line_with_id(&id).await;
    assert_eq!((&line["code"], &line["messages"]), (&json!("ABORTED"), &json!(1)), "{line}");
    assert_eq!((&line["origin"], &line["complete"]), (&json!("client"), &json!(true)), "{line}");
    assert!(line["cause"].as_str().unwrap().contains("burnt"), "{line}");

    let (feed, _kitchen, mut gate) = watched().await;
    feed.dish(&json!({"id": "1"}));
    let mut answer = gate.grpc().await.stream("WatchDishes", request()).await.unwrap();
    soon("a message", answer.get_mut().message()).await.unwrap().unwrap();
    gate.signal(Signal::TERM);
    let status = soon("the end", answer.get_mut().message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status:?}");
    gate.ended().await;
}
