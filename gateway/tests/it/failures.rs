//! Services that are slow, gone or broken, and clients that go away.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::stand::{Answer, Gate, Upstream, Wire, until};

/// An address at which nobody listens, and nobody else can while the socket holds it.
fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test]
async fn another_endpoint_takes_the_call_when_one_can_not_be_reached() {
    let alive = Upstream::content().await;
    let ((_held, gone), (_held_too, gone_too)) = (nobody(), nobody());
    let gate = Gate::start(|config| {
        config
            .upstream("kitchen", "kitchen.v1.Kitchen", &[&gone, &alive.url(), &gone_too])
            .section("load_balancing", "{ algorithm: round_robin }")
    })
    .await;
    let mut tries = Vec::new();
    for number in 0..6 {
        let reply = gate.post("/v1/dishes", &json!({"id": number.to_string()})).await.is(200);
        let line = gate.line(&reply).await;
        assert_eq!(line["endpoint"], alive.url());
        tries.push(line["tries"].as_u64().unwrap());
    }
    assert_eq!(alive.seen().len(), 6, "each call reached it once");
    assert!(tries.iter().any(|count| *count > 1), "{tries:?}");
}

/// A host that drops every packet costs the time of one try to connect, and no more.
#[tokio::test]
async fn another_endpoint_takes_the_call_when_one_swallows_everything() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hole = socket.listen(1).unwrap();
    let address = hole.local_addr().unwrap();
    // Nobody accepts: once its queue is full, the kernel lets further ones wait in vain.
    let mut queue = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queue.push(connected.unwrap());
    }
    let alive = Upstream::content().await;
    let urls = [format!("http://{address}"), alive.url()];
    let gate = Gate::start(|config| {
        let config =
            config.upstream("kitchen", "kitchen.v1.Kitchen", &urls.each_ref().map(String::as_str));
        config
            .section("resilience", "{ deadline: 20s }")
            .section("load_balancing", "{ algorithm: round_robin }")
    })
    .await;
    let mut tries = Vec::new();
    for _ in 0..2 {
        let reply = gate.get("/v1/dishes/soup").await.is(200);
        tries.push(gate.line(&reply).await["tries"].as_u64().unwrap());
    }
    tries.sort_unstable();
    assert_eq!(tries, [1, 2]);
    assert_eq!(alive.seen().len(), 2);
}

#[tokio::test]
async fn without_any_endpoint_the_answer_is_503_and_the_others_go_on() {
    let alive = Upstream::content().await;
    let gate = Gate::start(|config| {
        let config = config.upstream(
            "kitchen",
            "kitchen.v1.Kitchen",
            &["http://127.0.0.1:9", "http://127.0.0.1:7"],
        );
        config
            .upstream("cellar", "kitchen.v1.Cellar", &[&alive.url()])
            .access("kitchen.v1.Cellar/GetWine", "public")
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await.is(503);
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(gate.line(&reply).await["tries"], 2);
    gate.get("/v1/wines/red").await.is(200);
    assert_eq!(gate.admin("/healthz").await.status, 200);
}

#[tokio::test]
async fn services_may_come_after_the_gateway_and_come_back() {
    let (held, address) = nobody();
    let gate =
        Gate::start(|config| config.upstream("kitchen", "kitchen.v1.Kitchen", &[&address])).await;
    gate.get("/v1/dishes/soup").await.is(503);
    drop(held);
    for _ in 0..2 {
        let kitchen =
            Upstream::at(address.trim_start_matches("http://"), |_| Answer::wire(b"")).await;
        until("the service is found", async || gate.get("/v1/dishes/soup").await.status == 200)
            .await;
        assert!(!kitchen.seen().is_empty());
        drop(kitchen);
        until("the service is missed", async || gate.get("/v1/dishes/soup").await.status == 503)
            .await;
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_left_at_the_deadline() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 300ms }"))
            .await;
    let reply = gate.get("/v1/dishes/soup").await.is(504);
    kitchen.cancelled(1).await;
    assert_eq!(kitchen.seen().len(), 1, "a call that may have been acted on is not made again");
    let line = gate.line(&reply).await;
    assert!(line["steps_us"]["call"].as_u64().unwrap() > 200_000, "{line}");
}

#[tokio::test]
async fn a_client_may_want_it_sooner() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate =
        Gate::start(|config| config.kitchen(&kitchen).section("resilience", "{ deadline: 30s }"))
            .await;
    gate.get("/v1/dishes/soup").header("grpc-timeout", "100m").await.is(504);
    kitchen.cancelled(1).await;
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    for passed in ["1n", "0S"] {
        let reply = gate.post("/v1/dishes", &json!({})).header("grpc-timeout", passed).await;
        assert_eq!(gate.line(&reply.is(504)).await["tries"], 0);
    }
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_with_it() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate = Gate::before(&kitchen).await;
    let mut fastest = Duration::MAX;
    for number in 1..=5 {
        let mut wire = Wire::open(&gate).await;
        wire.send(format!(
            "GET /v1/dishes/soup HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone-{number}\r\n\r\n"
        ))
        .await;
        kitchen.called(number).await;
        let left = SystemTime::now();
        drop(wire);
        kitchen.cancelled(number).await;
        fastest = fastest.min(left.elapsed().unwrap());
        let line = gate.line_with_id(&format!("gone-{number}")).await;
        assert_eq!(
            (&line["code"], &line["complete"]),
            (&json!("CANCELLED"), &json!(false)),
            "{line}"
        );
        assert_eq!(line["rpc"], "kitchen.v1.Kitchen/GetDish");
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

#[tokio::test]
async fn a_stream_of_http2_that_is_reset_takes_its_call_with_it() {
    let kitchen = Upstream::answering(|_| Answer::never()).await;
    let gate = Gate::before(&kitchen).await.speaking_http2();
    let asked =
        tokio::spawn(gate.get("/v1/dishes/soup").header("x-request-id", "reset-1").into_future());
    kitchen.called(1).await;
    asked.abort();
    kitchen.cancelled(1).await;
    assert_eq!(gate.line_with_id("reset-1").await["code"], "CANCELLED");
    let other = gate.get("/v2").await;
    assert_eq!(other.status, 404, "the connection goes on");
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_no_service() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let mut wire = Wire::open(&gate).await;
    wire.send("POST /v1/dishes HTTP/1.1\r\nHost: a\r\nX-Request-Id: half-1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        .await;
    drop(wire);
    let line = gate.line_with_id("half-1").await;
    let code = line["code"].as_str().unwrap();
    assert!(matches!(code, "CANCELLED" | "INVALID_ARGUMENT"), "{line}");
    assert_eq!(line["tries"], 0);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn a_connection_that_breaks_within_an_answer_is_the_services_fault() {
    let (kitchen, other) =
        (Upstream::answering(|_| Answer::never()).await, Upstream::content().await);
    let gate = Gate::start(|config| {
        config.upstream("kitchen", "kitchen.v1.Kitchen", &[&kitchen.url(), &other.url()])
    })
    .await;
    // Cooking twice is not like cooking once.
    let cook = || tokio::spawn(gate.post("/v1/dishes/soup:cook", &json!({})).into_future());
    let mut asked = cook();
    // The first call goes to either of them.
    while kitchen.seen().is_empty() {
        tokio::select! {
            answered = &mut asked => {
                answered.unwrap().is(200);
                asked = cook();
            }
            () = kitchen.called(1) => {}
        }
    }
    other.forget();
    drop(kitchen);
    let reply = asked.await.unwrap();
    assert_eq!(reply.clone().is(503).problem()["code"], "UNAVAILABLE");
    let line = gate.line(&reply).await;
    assert_eq!((&line["origin"], &line["tries"]), (&json!("upstream"), &json!(1)), "{line}");
    // It may have been acted on, so nobody else is asked.
    let tried = json!([{"endpoint": line["endpoint"], "code": "UNAVAILABLE", "then": "unsafe"}]);
    assert_eq!(line["failed_tries"], tried);
    other.saw_nothing();
}

#[tokio::test]
async fn what_does_not_speak_http2_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let old = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let gate =
        Gate::start(|config| config.upstream("kitchen", "kitchen.v1.Kitchen", &[&url])).await;
    let reply = gate.get("/v1/dishes/soup").await;
    assert!(matches!(reply.status, 503 | 504), "{reply}");
    assert_eq!(gate.line(&reply).await["origin"], "upstream");
    old.abort();
}
