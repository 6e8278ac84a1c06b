//! Where one request ends and the next begins is never a matter of opinion.

use serde_json::json;

use crate::stand::{Answer, Gate, Upstream, Wire};

async fn kitchen() -> Upstream {
    Upstream::answering(|seen| {
        let id = seen.json("GetDishRequest")["id"].clone();
        Answer::dish(&json!({"id": id}))
    })
    .await
}

const POST: &str = "POST /v1/dishes HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n";
const NEXT: &str = "GET /v1/dishes/smuggled HTTP/1.1\r\nHost: gate\r\n\r\n";

#[tokio::test]
async fn refuses_what_can_be_read_in_two_ways_and_closes() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for (what, headers, body) in [
        ("a signed length", "Content-Length: +5\r\n", "{   }"),
        ("a length in hex", "Content-Length: 0x5\r\n", "{   }"),
        ("a negative length", "Content-Length: -1\r\n", ""),
        ("two numbers", "Content-Length: 5 5\r\n", "{   }"),
        ("a length beyond all", "Content-Length: 18446744073709551616\r\n", ""),
        ("two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n", "{} "),
        ("a list of lengths", "Content-Length: 2, 3\r\n", "{} "),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("a folded line", "X-A: b\r\n\tTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("an encoding that is not chunked", "Transfer-Encoding: gzip\r\n", "0\r\n\r\n"),
        ("chunked that is not last", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        ("chunked in disguise", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("a null in a value", "X-A: a\0b\r\n", ""),
        ("a bare CR in a value", "X-A: a\rb\r\n", ""),
        ("a name outside ASCII", "X-\u{e9}: a\r\n", ""),
        ("a space in a name", "X A: a\r\n", ""),
    ] {
        let answers = Wire::talk(&gate, format!("{POST}{headers}\r\n{body}{NEXT}")).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(statuses.as_slice(), [] | [400]), "{what}: {answers:?}");
    }
    kitchen.saw_nothing();
    gate.get("/v1/dishes/alive").await.is(200);
}

#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let request =
        format!("{POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}");
    let answers = Wire::talk(&gate, request).await;
    assert!(answers.len() <= 1, "{answers:?}");
    assert!(
        kitchen.seen().iter().all(|seen| seen.rpc.ends_with("CreateDish")),
        "{:?}",
        kitchen.seen()
    );
    let request = format!(
        "{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{NEXT}",
        POST.replace("HTTP/1.1", "HTTP/1.0")
    );
    let answers = Wire::talk(&gate, request).await;
    assert!(answers.len() <= 1, "{answers:?}");
    assert!(
        kitchen.seen().iter().all(|seen| seen.rpc.ends_with("CreateDish")),
        "{:?}",
        kitchen.seen()
    );
}

#[tokio::test]
async fn chunks_that_are_not_well_formed_are_no_body() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for body in [
        "2\n{}\n0\n\n",
        "2\r\n{}0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2;a=\n\r\n{}\r\n0\r\n\r\n",
    ] {
        let answers =
            Wire::talk(&gate, format!("{POST}Transfer-Encoding: chunked\r\n\r\n{body}{NEXT}"))
                .await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(statuses.as_slice(), [] | [400]), "{body:?}: {answers:?}");
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn wants_exactly_one_host() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for (hosts, status) in [
        ("", 400),
        ("Host:\r\n", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        ("Host: a\r\nhOST: b\r\n", 400),
        ("Host: a b\r\n", 400),
        ("Host: a/b\r\n", 400),
        ("Host: user@a\r\n", 400),
        ("Host: a:b\r\n", 400),
        ("Host: a:99999\r\n", 400),
        ("Host: a,b\r\n", 400),
        ("Host: a\r\n", 200),
        ("Host: a.example:8080\r\n", 200),
        ("Host: [::1]:8080\r\n", 200),
    ] {
        let request = format!("GET /v1/dishes/soup HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answers = Wire::talk(&gate, request).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [status], "{hosts:?}: {answers:?}");
    }
    assert_eq!(kitchen.seen().len(), 3);
}

#[tokio::test]
async fn is_nobodys_proxy() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for (line, status) in [
        ("GET http://evil.example/v1/dishes/soup", 400),
        ("GET http://gate/v1/dishes/soup", 400),
        ("OPTIONS *", 400),
        ("GET v1/dishes/soup", 400),
        ("CONNECT kitchen:50051", 405),
        ("CONNECT /v1/dishes/soup", 405),
        ("TRACE /v1/dishes/soup", 405),
        ("PROPFIND /v1/dishes/soup", 501),
        ("get /v1/dishes/soup", 501),
    ] {
        let reply = Wire::ask(&gate, line).await;
        assert_eq!(reply.status, status, "{line}: {reply}");
        // What follows may be no request at all: behind CONNECT it would be the tunnel's.
        let request = format!("{line} HTTP/1.1\r\nHost: gate\r\n\r\n{NEXT}");
        let answers = Wire::talk(&gate, request).await;
        let told: Vec<_> =
            answers.iter().map(|answer| (answer.status, answer.header("connection"))).collect();
        assert_eq!(told, [(status, "close")], "{line}");
    }
    kitchen.saw_nothing();
}

/// The library cuts it off before anything of ours sees the target.
#[tokio::test]
async fn a_fragment_reaches_nobody() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for target in ["/v1/dishes/soup#/../secret", "/v1/dishes/soup?#color=red"] {
        Wire::ask(&gate, &format!("GET {target}")).await.is(200);
        assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": "soup"}));
    }
}

#[tokio::test]
async fn an_offer_to_upgrade_is_not_taken() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    for offer in ["websocket", "h2c"] {
        let request = format!(
            "GET /v1/dishes/first HTTP/1.1\r\nHost: gate\r\nConnection: Upgrade\r\nUpgrade: {offer}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nGET /v1/dishes/second HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"
        );
        let answers = Wire::talk(&gate, request).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(answers[0].text().contains("first"), "{answers:?}");
    }
}

#[tokio::test]
async fn an_expectation_that_nobody_knows_is_no_obstacle() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let reply = Wire::ask_with(&gate, "GET /v1/dishes/soup", "Expect: miracles\r\n").await;
    assert!(matches!(reply.status, 200 | 417), "{reply}");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let mut wire = Wire::open(&gate).await;
    for id in ["one", "two", "three"] {
        wire.send(format!("GET /v1/dishes/{id} HTTP/1.1\r\nHost: gate\r\n\r\n")).await;
        assert_eq!(wire.answer().await.is(200).json()["id"], id);
    }
    // Even after one that was refused, and with several in one piece.
    wire.send("GET /v1/dishes?color=red HTTP/1.1\r\nHost: gate\r\n\r\n").await;
    wire.answer().await.is(400);
    wire.send(
        "GET /v1/dishes/four HTTP/1.1\r\nHost: gate\r\n\r\n\
         GET /v1/dishes/five HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n",
    )
    .await;
    let answers = wire.rest().await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.json()["id"].clone()).collect();
    assert_eq!(ids, ["four", "five"]);
}

#[tokio::test]
async fn a_body_where_none_belongs_is_never_a_request() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let mut wire = Wire::open(&gate).await;
    let length = NEXT.len();
    wire.send(format!(
        "GET /v1/dishes/soup HTTP/1.1\r\nHost: gate\r\nContent-Length: {length}\r\n\r\n{NEXT}\
         GET /v1/dishes/after HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"
    ))
    .await;
    let answers = wire.rest().await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(matches!(statuses.as_slice(), [400] | [400, 200]), "{answers:?}");
    assert!(answers.iter().all(|answer| !answer.text().contains("smuggled")), "{answers:?}");
}

#[tokio::test]
async fn the_head_of_a_request_has_limits() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let many = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    for (what, line, headers) in [
        ("a long path", format!("/v1/dishes/{}", "x".repeat(100_000)), String::new()),
        ("a long query", format!("/v1/dishes?pageToken={}", "x".repeat(100_000)), String::new()),
        (
            "a long header",
            "/v1/dishes/soup".to_owned(),
            format!("x-a: {}\r\n", "x".repeat(100_000)),
        ),
        ("many headers", "/v1/dishes/soup".to_owned(), many),
    ] {
        let request =
            format!("GET {line} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n{headers}\r\n");
        let answers = Wire::talk(&gate, request).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(statuses.as_slice(), [] | [400 | 414 | 431]), "{what}: {statuses:?}");
    }
    kitchen.saw_nothing();
    gate.get("/v1/dishes/alive").await.is(200);
}

#[tokio::test]
async fn what_is_not_http_is_hung_up_on() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    for bytes in [
        hello,
        b"\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut wire = Wire::open(&gate).await;
        wire.send(bytes).await;
        let said = wire.closed().await;
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400"),
            "{}: {said}",
            bytes.escape_ascii()
        );
    }
    gate.get("/v1/dishes/alive").await.is(200);
}

#[tokio::test]
async fn speaks_http2_to_those_who_begin_with_it() {
    let kitchen = kitchen().await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    let asked = (0..20).map(|number| {
        let ask = gate.get(&format!("/v1/dishes/{number}"));
        async move { (number, ask.await) }
    });
    for (number, reply) in futures_util::future::join_all(asked).await {
        assert_eq!(reply.is(200).json()["id"], number.to_string());
    }
    let reply = gate.post("/v1/dishes", &json!({"id": "new"})).await.is(200);
    assert_eq!(reply.json()["id"], "new");
    gate.get("/v2").await.is(404).problem();
}
