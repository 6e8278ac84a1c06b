//! Endpoints that a name service knows.

use std::net::Ipv4Addr;

use super::ask;
use crate::stand::{Answer, Config, Gate, Mood, Names, Record, Upstream, until};

const FIRST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Two services on two addresses of this host, on the same port.
async fn two() -> (Upstream, Upstream, String) {
    loop {
        let first = Upstream::content().await;
        let port = first.url().rsplit(':').next().unwrap().to_owned();
        if let Ok(second) =
            Upstream::try_at(&format!("{SECOND}:{port}"), |_| Answer::wire(b"")).await
        {
            return (first, second, port);
        }
    }
}

fn known<'a>(config: &'a mut Config, names: &Names, url: &str, settings: &str) -> &'a mut Config {
    let server = names.address();
    config.upstream("kitchen", "kitchen.v1.Kitchen", &[url]).section(
        "load_balancing",
        &format!("{{ algorithm: round_robin, dns_server: \"{server}\", {settings} }}"),
    )
}

#[tokio::test]
async fn a_name_stands_for_every_address_it_has_and_for_those_it_gets() {
    let (first, second, port) = two().await;
    let names = Names::with_ttl(3600).await;
    names.set("kitchen.example", [Record::A(FIRST)]);
    let url = format!("http://kitchen.example:{port}");
    let gate = Gate::start(|config| known(config, &names, &url, "dns_refresh: 1s")).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    ask(&gate, 4).await;
    assert_eq!((first.seen().len(), second.seen().len()), (4, 0));
    assert_eq!(first.seen()[0].authority, format!("kitchen.example:{port}"));

    names.set("kitchen.example", [Record::A(SECOND), Record::A(FIRST)]);
    until("the second is called", async || {
        ask(&gate, 1).await;
        !second.seen().is_empty()
    })
    .await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    let endpoint = gate.line(&reply).await["endpoint"].as_str().unwrap().to_owned();
    assert!([FIRST, SECOND].map(|ip| format!("http://{ip}:{port}")).contains(&endpoint));

    names.set("kitchen.example", [Record::A(SECOND)]);
    until("the first is left", async || {
        first.forget();
        ask(&gate, 2).await;
        first.seen().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_name_service_that_is_gone_or_says_nobody_takes_nobody_away() {
    let kitchen = Upstream::content().await;
    let port = kitchen.url().rsplit(':').next().unwrap().to_owned();
    let names = Names::with_ttl(0).await;
    names.set("kitchen.example", [Record::A(FIRST)]);
    let url = format!("http://kitchen.example:{port}");
    let gate = Gate::start(|config| known(config, &names, &url, "dns_refresh: 1s")).await;
    until("the first answer", async || gate.get("/v1/dishes/soup").await.status == 200).await;
    for mood in [Mood::Empty, Mood::Failing, Mood::Silent] {
        names.be(mood);
        let before = names.asked("kitchen.example");
        until("it is asked again", async || {
            ask(&gate, 1).await;
            names.asked("kitchen.example") >= before + 4
        })
        .await;
    }
    names.be(Mood::Answering);
    let told = |text: &str| gate.errors.lines().iter().filter(|line| line.contains(text)).count();
    until("the end of it is told", async || told("the name service answers again") == 1).await;
    assert_eq!(told("a name can't be resolved"), 1, "{:?}", gate.errors.lines());
    ask(&gate, 1).await;
}

#[tokio::test]
async fn a_service_by_name_has_servers_with_weights_and_others_for_worse_days() {
    let (first, second, port) = two().await;
    let port: u16 = port.parse().unwrap();
    let spare = Upstream::content().await;
    let third: u16 = spare.url().rsplit(':').next().unwrap().parse().unwrap();
    let names = Names::with_ttl(3600).await;
    names.set("one.example", [Record::A(FIRST)]);
    names.set("two.example", [Record::A(SECOND)]);
    let service = "_grpc._tcp.kitchen.example";
    names.set(
        service,
        [
            Record::Srv(10, 1, port, "one.example"),
            Record::Srv(10, 3, port, "two.example"),
            Record::Srv(10, 9, port, "gone.example"),
            Record::Srv(20, 9, third, "one.example"),
        ],
    );
    let url = format!("srv://{service}");
    let gate = Gate::start(|config| known(config, &names, &url, "dns_refresh: 1s")).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    ask(&gate, 8).await;
    assert_eq!((first.seen().len(), second.seen().len()), (2, 6));
    spare.saw_nothing();
}

#[tokio::test]
async fn a_failed_connection_is_reason_enough_to_ask_where_the_service_is() {
    let (first, second, port) = two().await;
    let names = Names::with_ttl(3600).await;
    names.set("kitchen.example", [Record::A(FIRST)]);
    let url = format!("http://kitchen.example:{port}");
    let gate = Gate::start(|config| known(config, &names, &url, "dns_refresh: 1h")).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    ask(&gate, 1).await;
    assert_eq!(names.asked("kitchen.example"), 1);
    names.set("kitchen.example", [Record::A(SECOND)]);
    drop(first);
    until("it is found again", async || gate.get("/v1/dishes/soup").await.status == 200).await;
    assert!(!second.seen().is_empty());
}

#[tokio::test]
async fn a_name_that_never_was_there_is_no_endpoint_and_delays_no_other_upstream() {
    let names = Names::with_ttl(3600).await;
    names.be(Mood::Silent);
    let gate =
        Gate::start(|config| known(config, &names, "http://kitchen.example:1", "dns_refresh: 1s"))
            .await;
    assert_eq!(gate.admin("/readyz").await.status, 503, "it was not asked for yet");
    names.be(Mood::Empty);
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    let reply = gate.get("/v1/dishes/soup").await.is(503);
    assert_eq!(reply.problem()["code"], "UNAVAILABLE");
    assert_eq!(gate.line(&reply).await["tries"], 0);
    assert!(names.asked("kitchen.example") >= 1);
}

#[tokio::test]
async fn the_file_of_hosts_is_read_first() {
    let kitchen = Upstream::content().await;
    let port = kitchen.url().rsplit(':').next().unwrap().to_owned();
    let names = Names::with_ttl(3600).await;
    let url = format!("http://localhost:{port}");
    let gate = Gate::start(|config| known(config, &names, &url, "dns_refresh: 1s")).await;
    until("an answer", async || gate.get("/v1/dishes/soup").await.status == 200).await;
    assert_eq!(names.asked("localhost"), 0);
}
