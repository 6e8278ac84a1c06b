//! Clients that take their time are cut off: in ten seconds, whatever they do, all of them at once.

use std::time::{Duration, SystemTime};

use crate::stand::{Gate, Upstream, Wire};

#[tokio::test]
async fn a_client_that_does_not_come_to_the_point_is_cut_off() {
    let kitchen = Upstream::content().await;
    let gate = Gate::before(&kitchen).await;
    let opened = SystemTime::now();
    let mut waiting = Vec::new();
    for (what, address, bytes) in [
        ("nothing", gate.address, ""),
        ("one byte", gate.address, "G"),
        ("half a preface", gate.address, "PRI * HTTP/2.0\r\n"),
        ("half a request line", gate.address, "GET /v1/dish"),
        ("half a head", gate.address, "GET /v1/dishes/soup HTTP/1.1\r\nHost: a\r\n"),
        ("an empty line first", gate.address, "\r\n"),
        ("nothing to operators", gate.admin, ""),
        ("half a head to operators", gate.admin, "GET /readyz HTTP/1.1\r\nHost: a\r\n"),
    ] {
        let mut wire = Wire::open_at(address).await;
        wire.send(bytes).await;
        waiting.push(async move {
            let said = wire.closed().await;
            assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{what}: {said}");
            (what, opened.elapsed().unwrap())
        });
    }
    let many: Vec<_> = futures_util::future::join_all((0..200).map(|_| Wire::open(&gate))).await;
    gate.get("/v1/dishes/alive").await.is(200);
    for (what, waited) in futures_util::future::join_all(waiting).await {
        let range = Duration::from_secs(9)..Duration::from_secs(17);
        assert!(range.contains(&waited), "{what}: {waited:?}");
    }
    for wire in many {
        assert_eq!(wire.closed().await, "");
    }
    // Over a connection of its own: the one of the first request has just been idle for too long.
    Wire::ask(&gate, "GET /v1/dishes/alive").await.is(200);
    assert_eq!(kitchen.seen().len(), 2);
}
