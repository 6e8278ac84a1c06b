use serde_json::{Value, json};

use super::{ARRAY, EVENTS, LINES, WATCH, dishes, watched};
use crate::stand::{Answer, Gate, Upstream};

#[tokio::test]
async fn one_stream_has_three_framings() {
    let kitchen = dishes(vec![json!({"id": "a", "price": "1"}), json!({"id": "b\n"})]).await;
    let gate = Gate::before(&kitchen).await;
    let (a, b) = (r#"{"id":"a","price":"1"}"#, r#"{"id":"b\n"}"#);
    for (accept, content_type, body) in [
        (None, ARRAY, format!("[{a},\n{b}]")),
        (Some("*/*"), ARRAY, format!("[{a},\n{b}]")),
        (Some(ARRAY), ARRAY, format!("[{a},\n{b}]")),
        (Some(LINES), LINES, format!("{a}\n{b}\n")),
        (
            Some(EVENTS),
            EVENTS,
            format!(
                "event: message\ndata: {a}\n\nevent: message\ndata: {b}\n\nevent: end\nid: :end\ndata: {{}}\n\n"
            ),
        ),
    ] {
        let mut ask = gate.get(&format!("{WATCH}?pageSize=7"));
        if let Some(accept) = accept {
            ask = ask.header("accept", accept);
        }
        let reply = ask.await.is(200);
        assert_eq!((reply.text(), reply.header("content-type")), (body, content_type));
        assert_eq!(reply.header("vary"), "accept");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        let seen = kitchen.only_call();
        assert_eq!(seen.rpc, "kitchen.v1.Kitchen/WatchDishes");
        assert_eq!(seen.json("ListDishesRequest"), json!({"pageSize": 7}));
        let line = gate.line(&reply).await;
        assert_eq!((&line["code"], &line["messages"]), (&json!("OK"), &json!(2)), "{line}");
        assert_eq!(line["complete"], true);
    }
}

#[tokio::test]
async fn a_stream_of_nothing_is_whole_too() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::before(&kitchen).await;
    for (accept, body) in
        [(ARRAY, "[]"), (LINES, ""), (EVENTS, "event: end\nid: :end\ndata: {}\n\n")]
    {
        let reply = gate.get(WATCH).header("accept", accept).await.is(200);
        assert_eq!((reply.text().as_str(), reply.header("content-type")), (body, accept));
        assert_eq!(gate.line(&reply).await["messages"], 0);
    }
}

#[tokio::test]
async fn who_takes_none_of_them_is_refused_before_the_call() {
    let kitchen = dishes(vec![]).await;
    let gate = Gate::before(&kitchen).await;
    let problem = gate.get(WATCH).header("accept", "text/html").await.is(406).problem();
    assert_eq!(problem["code"], "INVALID_ARGUMENT");
    let detail = problem["detail"].as_str().unwrap();
    for form in [ARRAY, LINES, EVENTS] {
        assert!(detail.contains(form), "{detail}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn each_message_is_there_when_it_is_sent() {
    for (accept, first, second) in [
        (ARRAY, "[{\"id\":\"1\"}", ",\n{\"id\":\"2\"}"),
        (LINES, "{\"id\":\"1\"}\n", "{\"id\":\"2\"}\n"),
        (
            EVENTS,
            "event: message\ndata: {\"id\":\"1\"}\n\n",
            "event: message\ndata: {\"id\":\"2\"}\n\n",
        ),
    ] {
        let (feed, _kitchen, gate) = watched().await;
        feed.dish(&json!({"id": "1"}));
        let mut open = gate.get(WATCH).header("accept", accept).open().await;
        assert_eq!(open.up_to(first).await, first);
        feed.dish(&json!({"id": "2"}));
        assert_eq!(open.up_to(second).await, second);
    }
}

#[tokio::test]
async fn the_field_that_is_the_answer_is_the_item_of_the_stream() {
    let kitchen = dishes(vec![json!({"tags": ["a", "b"]}), json!({"id": "no tags"})]).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/tags:watch").await.is(200);
    assert_eq!(reply.json(), json!([["a", "b"], []]));
    let reply = gate.get("/v1/tags:watch").header("accept", LINES).await.is(200);
    assert_eq!(reply.text(), "[\"a\",\"b\"]\n[]\n");
}

#[tokio::test]
async fn head_of_a_stream_ends_it() {
    let kitchen = Upstream::answering(|_| Answer::wire(b"").open_end()).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.ask(http::Method::HEAD, WATCH).header("accept", EVENTS).await.is(200);
    assert_eq!((reply.header("content-type"), reply.text().as_str()), (EVENTS, ""));
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn a_number_of_64_bits_is_text_in_each_framing() {
    let kitchen = dishes(vec![json!({"price": "9007199254740993"})]).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get(WATCH).header("accept", LINES).await.is(200);
    let line: Value = serde_json::from_str(reply.text().trim_end()).unwrap();
    assert_eq!(line, json!({"price": "9007199254740993"}));
}
