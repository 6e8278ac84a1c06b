use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Code;

use crate::stand::{Answer, Gate, Latch, Mood, Names, Record, Upstream, until};

async fn over(upstreams: &[&Upstream], settings: &str) -> Gate {
    let urls: Vec<String> = upstreams.iter().map(|upstream| upstream.url()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    Gate::start(|config| {
        let config = config.upstream("kitchen", "kitchen.v1.Kitchen", &urls);
        config.section("load_balancing", &format!("{{ {settings} }}"))
    })
    .await
}

#[tokio::test]
async fn load_balancing_algorithm() {
    for (algorithm, expected) in
        [("round_robin", 3..=3), ("least_requests", 1..=1), ("least_latency", 1..=4)]
    {
        let latch = Latch::default();
        let busy = {
            let latch = latch.clone();
            Upstream::answering(move |_| Answer::wire(b"").when(&latch)).await
        };
        let free = Upstream::content().await;
        let gate = over(&[&busy, &free], &format!("algorithm: {algorithm}")).await;
        // One after the other, but nobody waits for what the busy one holds.
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut asked = tokio::spawn(gate.get("/v1/dishes/soup").into_future());
            tokio::select! {
                answered = &mut asked => { answered.unwrap().is(200); }
                () = busy.called(held.len() + 1) => held.push(asked),
            }
        }
        assert!(expected.contains(&held.len()), "{algorithm}: {}", held.len());
        latch.open();
        for held in held {
            held.await.unwrap().is(200);
        }
    }
}

#[tokio::test]
async fn load_balancing_least_latency_is_the_default_and_prefers_the_quick() {
    let quick = Upstream::content().await;
    let slow = Upstream::answering(|_| Answer::wire(b"").after(Duration::from_millis(40))).await;
    let gate = over(&[&quick, &slow], "").await;
    for _ in 0..60 {
        gate.get("/v1/dishes/soup").await.is(200);
    }
    let (quick, slow) = (quick.seen().len(), slow.seen().len());
    assert!(quick > slow * 2 && slow > 0, "{quick} and {slow}");
}

#[tokio::test]
async fn upstreams_endpoints_weight() {
    let (light, heavy) = (Upstream::content().await, Upstream::content().await);
    let gate = Gate::start(|config| {
        let endpoints =
            format!("[\"{}\", {{ address: \"{}\", weight: 3 }}]", light.url(), heavy.url());
        config
            .entry(
                "kitchen",
                &format!("{{ services: [kitchen.v1.Kitchen], endpoints: {endpoints} }}"),
            )
            .section("load_balancing", "{ algorithm: round_robin }")
    })
    .await;
    for _ in 0..8 {
        gate.get("/v1/dishes/soup").await.is(200);
    }
    assert_eq!((light.seen().len(), heavy.seen().len()), (2, 6));
}

/// Whether an endpoint that only fails is called less than another, with so many calls to both.
async fn failing(settings: &str, calls: usize) -> (Gate, [Upstream; 2], usize) {
    let broken = Upstream::answering(|_| Answer::error(Code::Internal, "")).await;
    let good = Upstream::content().await;
    let gate = over(&[&broken, &good], &format!("algorithm: round_robin, {settings}")).await;
    until("readiness", async || gate.admin("/readyz").await.status == 200).await;
    for _ in 0..calls {
        let _any = gate.get("/v1/dishes/soup").await;
    }
    let got = broken.seen().len();
    (gate, [broken, good], got)
}

#[tokio::test]
async fn load_balancing_ejection_failures() {
    assert_eq!(failing("ejection: { time: 1m }", 30).await.2, 5);
    assert_eq!(failing("ejection: { time: 1m, failures: 2 }", 30).await.2, 2);
}

#[tokio::test]
async fn load_balancing_ejection_error_rate_and_volume() {
    let off = "time: 1m, failures: 1000";
    assert_eq!(failing(&format!("ejection: {{ {off} }}"), 80).await.2, 20);
    assert_eq!(failing(&format!("ejection: {{ {off}, error_rate: 0% }}"), 80).await.2, 40);
    assert_eq!(failing(&format!("ejection: {{ {off}, volume: 7 }}"), 80).await.2, 7);
}

#[tokio::test]
async fn load_balancing_ejection_time() {
    let back = async |time: &str| {
        let settings = format!("ejection: {{ failures: 1, time: {time}, slow_start: 1ms }}");
        let (gate, [broken, _good], got) = failing(&settings, 4).await;
        let at = SystemTime::now();
        until("it is back", async || {
            let _any = gate.get("/v1/dishes/soup").await;
            broken.seen().len() > got
        })
        .await;
        at.elapsed().unwrap()
    };
    let (short, long) = (back("300ms").await, back("2s").await);
    assert!(short < Duration::from_millis(1900), "{short:?}");
    assert!(long > Duration::from_millis(1500), "{long:?}");
}

#[tokio::test]
async fn load_balancing_health_check_interval() {
    let often = Upstream::content().await;
    often.is_as_well_as(Answer::wire(b"\x08\x01"));
    let seldom = Upstream::content().await;
    seldom.is_as_well_as(Answer::wire(b"\x08\x01"));
    let _gate = over(&[&often], "health_check: { interval: 10ms }").await;
    let _other = over(&[&seldom], "health_check: { interval: 1h }").await;
    until("both are asked", async || often.checks().len() > 20 && !seldom.checks().is_empty())
        .await;
    assert_eq!(seldom.checks().len(), 1);
}

#[tokio::test]
async fn load_balancing_health_check_timeout() {
    let left_out = async |timeout: &str| {
        let (silent, other) = (Upstream::content().await, Upstream::content().await);
        silent.is_as_well_as(Answer::never());
        let at = SystemTime::now();
        let settings = format!("health_check: {{ interval: 100ms, timeout: {timeout} }}");
        let gate = over(&[&silent, &other], &settings).await;
        let told = "an endpoint is left out";
        until(told, async || gate.errors.lines().iter().any(|line| line.contains(told))).await;
        at.elapsed().unwrap()
    };
    let (short, long) = (left_out("50ms").await, left_out("1500ms").await);
    assert!(short < Duration::from_secs(3) && long >= Duration::from_secs(3), "{short:?} {long:?}");
}

#[tokio::test]
async fn load_balancing_health_check_service() {
    let kitchen = Upstream::content().await;
    let _gate = over(&[&kitchen], "health_check: { service: kitchen }").await;
    until("it is asked", async || !kitchen.checks().is_empty()).await;
    assert_eq!(kitchen.checks()[0], b"\x0a\x07kitchen".as_slice());
    let other = Upstream::content().await;
    let _gate = over(&[&other], "").await;
    until("it is asked", async || !other.checks().is_empty()).await;
    assert_eq!(other.checks()[0], b"".as_slice());
}

#[tokio::test]
async fn load_balancing_dns_refresh_and_dns_server() {
    let names =
        [Names::with_ttl(3600).await, Names::with_ttl(1).await, Names::with_ttl(3600).await];
    let refresh = ["1h", "1h", "1s"];
    let mut gates = Vec::new();
    for (names, refresh) in names.iter().zip(refresh) {
        names.set("kitchen.example", [Record::A(std::net::Ipv4Addr::LOCALHOST)]);
        names.be(Mood::Answering);
        let server = names.address();
        gates.push(
            Gate::start(|config| {
                let url = "http://kitchen.example:1";
                config.upstream("kitchen", "kitchen.v1.Kitchen", &[url]).section(
                    "load_balancing",
                    &format!("{{ dns_server: \"{server}\", dns_refresh: {refresh} }}"),
                )
            })
            .await,
        );
    }
    let asked = || names.each_ref().map(|names| names.asked("kitchen.example"));
    until("two are asked again", async || asked()[1] > 2 && asked()[2] > 2).await;
    assert!(asked()[0] <= 2, "{:?}", asked());
}

/// A server of HTTP/2 that answers nothing but pings, and counts those of a connection on which no call is open.
async fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let pings = Arc::clone(&counted);
            tokio::spawn(async move {
                let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
                stream.write_all(&settings).await?;
                stream.read_exact(&mut [0; "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await?;
                let mut open = 0_usize;
                loop {
                    // A frame: the length in three bytes, type, flags, the stream in four (RFC 9113, section 4.1).
                    let mut head = [0; 9];
                    stream.read_exact(&mut head).await?;
                    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                    let mut payload = vec![0; length as usize];
                    stream.read_exact(&mut payload).await?;
                    match (head[3], head[4]) {
                        (1, _) => open += 1,
                        (3, _) => open -= 1,
                        (6, 0) => {
                            pings.fetch_add(usize::from(open == 0), Relaxed);
                            head[4] = 1;
                            stream.write_all(&[&head[..], &payload].concat()).await?;
                        }
                        _ => {}
                    }
                }
                #[expect(unreachable_code, reason = "it says what can go wrong")]
                std::io::Result::Ok(())
            });
        }
    });
    (url, pings)
}

#[tokio::test]
async fn load_balancing_ping_interval() {
    let ((often, pings), (seldom, none)) = (silent().await, silent().await);
    for (url, interval) in [(&often, "100ms"), (&seldom, "1h")] {
        let settings = format!(
            "{{ ping_interval: {interval}, health_check: {{ interval: 1h, timeout: 100ms }} }}"
        );
        let gate = Gate::start(|config| {
            config
                .upstream("kitchen", "kitchen.v1.Kitchen", &[url])
                .section("load_balancing", &settings)
        })
        .await;
        if interval == "100ms" {
            until("a silent connection is pinged", async || pings.load(Relaxed) > 5).await;
        } else {
            // The question how it is, and the time in which the other was pinged.
            let asked = gate.get("/v1/dishes/soup").header("grpc-timeout", "1S").await;
            asked.is(504);
        }
    }
    assert_eq!(none.load(Relaxed), 0);
}

#[tokio::test]
async fn load_balancing_split() {
    let (old, new) = (Upstream::content().await, Upstream::content().await);
    for (parts, expected) in
        [("{ kitchen: 50, canary: 50 }", (5, 5)), ("{ kitchen: 0, canary: 100 }", (0, 10))]
    {
        let gate = Gate::start(|config| {
            config
                .kitchen(&old)
                .entry("canary", &format!("{{ endpoints: [\"{}\"] }}", new.url()))
                .section(
                    "load_balancing",
                    &format!("{{ split: {{ kitchen.v1.Kitchen/GetDish: {parts} }} }}"),
                )
        })
        .await;
        for _ in 0..10 {
            gate.get("/v1/dishes/soup").await.is(200);
        }
        assert_eq!((old.seen().len(), new.seen().len()), expected);
        old.forget();
        new.forget();
    }
}
