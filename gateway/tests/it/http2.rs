//! HTTP/2 has its own ways to say what has two readings.

use crate::stand::{Gate, Outcome, Upstream, request_by_frames};

const GET: (&str, &str) = (":method", "GET");
const HTTP: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", "/v1/dishes/soup");
const HOST: (&str, &str) = (":authority", "gate");

#[tokio::test]
async fn a_request_without_tricks_is_answered() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for headers in [
        [GET, HTTP, PATH, HOST].as_slice(),
        &[GET, HTTP, PATH, ("host", "gate")],
        &[GET, HTTP, PATH, HOST, ("host", "gate")],
        &[GET, HTTP, PATH, HOST, ("te", "trailers")],
    ] {
        let outcome = request_by_frames(&gate, headers).await;
        assert_eq!(outcome, Outcome::Answered(Some(200)), "{headers:?}");
        assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish");
    }
}

#[tokio::test]
async fn what_has_two_readings_reaches_no_service() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for headers in [
        // Paths (CVE-2026-33186 is one without its slash).
        [GET, HTTP, (":path", "v1/dishes/soup"), HOST].as_slice(),
        &[GET, HTTP, (":path", ""), HOST],
        &[GET, HTTP, (":path", "*"), HOST],
        &[GET, HTTP, (":path", "http://gate/v1/dishes/soup"), HOST],
        &[GET, HTTP, (":path", "//v1/dishes/soup"), HOST],
        &[GET, HTTP, (":path", "/v1/dishes/../dishes/soup"), HOST],
        &[GET, HTTP, (":path", "/v1/dishes/soup HTTP/1.1"), HOST],
        &[GET, HTTP, (":path", "/v1/dishes/soup\r\nx: y"), HOST],
        &[GET, HTTP, HOST],
        &[GET, HTTP, PATH, PATH, HOST],
        // Hosts.
        &[GET, HTTP, PATH],
        &[GET, HTTP, PATH, (":authority", "")],
        &[GET, HTTP, PATH, (":authority", "user@gate")],
        &[GET, HTTP, PATH, HOST, ("host", "other")],
        &[GET, HTTP, PATH, HOST, ("host", "gate"), ("host", "gate")],
        &[GET, HTTP, PATH, ("host", "a"), ("host", "b")],
        // Methods.
        &[(":method", "TRACE"), HTTP, PATH, HOST],
        &[(":method", "FOO"), HTTP, PATH, HOST],
        &[(":method", "GET /x HTTP/1.1\r\n"), HTTP, PATH, HOST],
        &[(":method", "CONNECT"), HOST],
        &[HTTP, PATH, HOST],
        // Fields (RFC 9113, section 8.2).
        &[GET, HTTP, PATH, HOST, ("X-Upper", "1")],
        &[GET, HTTP, PATH, HOST, ("x-a", "b\r\nx-principal-id: root")],
        &[GET, HTTP, PATH, HOST, ("x-a", "b\0")],
        &[GET, HTTP, PATH, HOST, ("x a", "b")],
        &[GET, HTTP, PATH, HOST, ("x-a:", "b")],
        &[GET, HTTP, PATH, HOST, ("connection", "close")],
        &[GET, HTTP, PATH, HOST, ("transfer-encoding", "chunked")],
        &[GET, HTTP, PATH, HOST, ("upgrade", "websocket")],
        &[GET, HTTP, PATH, HOST, ("te", "gzip")],
        &[GET, HTTP, PATH, HOST, (":status", "200")],
        &[GET, HTTP, PATH, HOST, (":unknown", "1")],
        &[GET, HTTP, PATH, ("x-a", "b"), HOST],
        &[GET, HTTP, PATH, HOST, ("content-length", "7")],
    ] {
        let outcome = request_by_frames(&gate, headers).await;
        assert_ne!(outcome, Outcome::Answered(Some(200)), "{headers:?}");
        kitchen.saw_nothing();
    }
    gate.get("/v1/dishes/alive").await.is(200);
}
