//! Whom a limit by address takes a client for, with proxies in front of the gateway.

use serde_json::json;

use crate::stand::{Gate, Upstream};

async fn behind(hops: u8, kitchen: &Upstream, burst: u32) -> Gate {
    Gate::start(|config| {
        let listener = format!("{{ address: \"127.0.0.1:0\", trusted_hops: {hops} }}");
        config
            .kitchen(kitchen)
            .section("listener", &listener)
            .section("rate_limiting", &super::slow("address", burst))
    })
    .await
}

/// Asks with these lines of `X-Forwarded-For`; answers the status and the client that the log names.
async fn asked(gate: &Gate, lines: &[&str]) -> (u16, String) {
    let mut ask = gate.get("/v1/dishes/soup");
    for line in lines {
        ask = ask.header("x-forwarded-for", line);
    }
    let reply = ask.await;
    let client = gate.line(&reply).await["client"].as_str().unwrap().to_owned();
    (reply.status, client)
}

#[tokio::test]
async fn what_a_client_says_of_itself_makes_it_nobody_else() {
    let kitchen = Upstream::content().await;
    let gate = behind(1, &kitchen, 3).await;
    for number in 0..6 {
        let spoofed = format!("6.6.6.{number}, 192.0.2.1");
        let status = if number < 3 { 200 } else { 429 };
        assert_eq!(asked(&gate, &[&spoofed]).await, (status, "192.0.2.1".to_owned()));
    }
    // The same in a header of its own, and somebody else.
    assert_eq!(asked(&gate, &["6.6.6.6", "192.0.2.1"]).await.0, 429);
    assert_eq!(asked(&gate, &["192.0.2.1, 192.0.2.2"]).await.0, 200);
    assert_eq!(kitchen.seen().len(), 4);
}

#[tokio::test]
async fn without_trusted_proxies_nobody_is_believed() {
    let kitchen = Upstream::content().await;
    let gate = behind(0, &kitchen, 1).await;
    assert_eq!(asked(&gate, &["192.0.2.1"]).await, (200, "127.0.0.1".to_owned()));
    assert_eq!(asked(&gate, &["192.0.2.2"]).await, (429, "127.0.0.1".to_owned()));
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let kitchen = Upstream::content().await;
    let gate = behind(1, &kitchen, 2).await;
    let mut statuses = Vec::new();
    for address in ["2001:db8:0:1::1", "[2001:db8:0:1:ffff::2]:443", "2001:db8:0:1:a:b:c:d"] {
        statuses.push(asked(&gate, &[address]).await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(asked(&gate, &["2001:db8:0:2::1"]).await.0, 200);
    let dressed = asked(&gate, &["::ffff:192.0.2.7"]).await;
    assert_eq!(dressed, (200, "192.0.2.7".to_owned()));
    assert_eq!(asked(&gate, &["192.0.2.7:80"]).await.0, 200);
    assert_eq!(asked(&gate, &["192.0.2.7"]).await.0, 429);
    assert_eq!(kitchen.seen().len(), 5);
}

#[tokio::test]
async fn what_is_no_address_counts_for_the_peer() {
    let kitchen = Upstream::content().await;
    let gate = behind(2, &kitchen, 100).await;
    let many = "6.6.6.6,".repeat(3_000);
    for (lines, expected) in [
        (&["192.0.2.1, 10.0.0.1"][..], "192.0.2.1"),
        (&["6.6.6.6", "192.0.2.1", "10.0.0.1"], "192.0.2.1"),
        (&[], "127.0.0.1"),
        (&["192.0.2.1"], "127.0.0.1"),
        (&["192.0.2.1, unknown, 10.0.0.1"], "127.0.0.1"),
        (&["192.0.2.1, , 10.0.0.1"], "127.0.0.1"),
        (&[&many, "192.0.2.1, 10.0.0.1"], "192.0.2.1"),
        (&["6.6.6.6, [2001:db8::1]:80, 10.0.0.1"], "2001:db8::1"),
    ] {
        assert_eq!(asked(&gate, lines).await, (200, expected.to_owned()), "{lines:.3?}");
    }
    assert_eq!(kitchen.seen().len(), 8);
}

#[tokio::test]
async fn the_services_are_not_told_what_the_client_said() {
    let kitchen = Upstream::content().await;
    let gate = behind(1, &kitchen, 100).await;
    assert_eq!(asked(&gate, &["192.0.2.1"]).await.0, 200);
    assert_eq!(json!(kitchen.only_call().header("x-forwarded-for")), json!(null));
}
