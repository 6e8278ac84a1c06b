//! One of three product services is lost, in every way there is, while clients come at a steady pace.

use std::time::Duration;

use e2e::bed::Bed;
use e2e::dynamic::Call;
use e2e::pace::Crowd;
use e2e::road::{Road, State};
use e2e::role::Role;
use e2e::wait::eventually;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::names::{Mood, Names, Record};
use crate::stand::{Ear, calls, setup, tell};

/// The name of a method that only reads, and the path to it.
const READ: (&str, &str) = ("product.v1.ProductService/GetProduct", "/api/products/p-1");

/// Clients each second.
const PACE: u32 = 200;

const LEFT_OUT: &str = "an endpoint is left out";

const SECOND: Duration = Duration::from_secs(1);

/// A crowd that has been served for a while, by all three.
async fn crowd(bed: &Bed) -> Crowd {
    let crowd = Crowd::come(&bed.shop(), READ.1, PACE);
    served(bed, &Role::PRODUCTS, 150).await;
    crowd
}

/// Waits until each of these has taken so many more calls; answers how many each had before.
async fn served(bed: &Bed, roles: &[Role], more: usize) {
    let before: Vec<_> = roles.iter().map(|role| bed.part(*role).log().length()).collect();
    eventually("calls are served", 30 * SECOND, async || {
        let enough = |(role, before): (&Role, &u64)| {
            calls(&bed.part(*role).log().after(*before), READ.0) >= more
        };
        roles.iter().zip(&before).all(enough).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_of_three_killed_costs_nobody_anything_and_is_back_soon_after_its_restart() {
    let bed = setup().three_products().start().await;
    let crowd = crowd(&bed).await;
    let ear = Ear::at(&bed);

    let killed = Instant::now();
    bed.part(Role::Product3).kill_9();
    ear.hears(LEFT_OUT, bed.ports().address(Role::Product3), 5 * SECOND).await;
    let missed = killed.elapsed();
    served(&bed, &[Role::Product, Role::Product2], 300).await;

    let restarted = Instant::now();
    bed.start(Role::Product3).await;
    served(&bed, &[Role::Product3], 1).await;
    let back = restarted.elapsed();
    // Its whole share, in the end.
    served(&bed, &[Role::Product3], 150).await;

    let visits = crowd.stop().await;
    tell(&format!(
        "killed: {} requests in {:?}, {} failed; left out after {missed:?}, back {back:?} after its restart; \
         p50 {:?}, p99 {:?}, all within {:?}",
        visits.count(),
        visits.time(),
        visits.failed().len(),
        visits.percentile(50),
        visits.percentile(99),
        visits.percentile(100),
    ));
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    assert!(missed < SECOND, "{missed:?}");
    assert!(back < 5 * SECOND, "{back:?}");
}

#[tokio::test]
async fn one_of_three_frozen_costs_a_few_no_more_than_one_try() {
    let bed = setup().three_products().start().await;
    let crowd = crowd(&bed).await;
    let ear = Ear::at(&bed);

    let frozen = Instant::now();
    bed.part(Role::Product3).pause();
    ear.hears(LEFT_OUT, bed.ports().address(Role::Product3), 10 * SECOND).await;
    let missed = frozen.elapsed();
    served(&bed, &[Role::Product, Role::Product2], 300).await;

    let thawed = Instant::now();
    bed.part(Role::Product3).resume();
    served(&bed, &[Role::Product3], 1).await;
    let back = thawed.elapsed();
    served(&bed, &[Role::Product3], 150).await;

    let visits = crowd.stop().await;
    let meanwhile = visits.between(frozen, thawed);
    let p99 = meanwhile.percentile(99);
    tell(&format!(
        "frozen: {} requests in {:?}, {} failed; left out after {missed:?}, back after {back:?}; \
         while it was frozen p50 {:?}, p99 {p99:?}, all within {:?}",
        visits.count(),
        visits.time(),
        visits.failed().len(),
        meanwhile.percentile(50),
        meanwhile.percentile(100),
    ));
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    // `try_timeout` and one more try.
    assert!(p99 < 2 * SECOND + visits.percentile(50) + SECOND / 2, "{p99:?}");
    assert!(meanwhile.percentile(100) < 5 * SECOND, "{:?}", meanwhile.percentile(100));
    assert!(missed < 6 * SECOND, "{missed:?}");
    assert!(back < 6 * SECOND, "{back:?}");
}

/// A gateway before three product services, and a way to each.
struct Ways {
    roads: Vec<Road>,
    door: Bed,
    products: Bed,
}

impl Ways {
    async fn open() -> Self {
        let products = setup().three_products().without(Role::Gateway).start().await;
        let mut roads = Vec::new();
        for role in Role::PRODUCTS {
            roads.push(Road::to(products.ports().address(role)).await);
        }
        let mut setup = setup().three_products().empty();
        let usual = ["${PRODUCT_ADDR:-127.0.0.1:50052}", "${PRODUCT_2_ADDR:-127.0.0.1:50062}"];
        for (usual, road) in usual.into_iter().chain(["${PRODUCT_3_ADDR}"]).zip(&roads) {
            setup = setup.config(usual, &road.address().to_string());
        }
        let door = setup.config("least_latency }", "round_robin }").start().await;
        door.start(Role::Gateway).await;
        Self { roads, door, products }
    }

    /// Changes a product's stock, behind the gateway's back.
    async fn change(&self) {
        let call =
            Call::new("product.v1.ProductService/AdjustStock", json!({"id": "p-1", "delta": 1}));
        let call = call.metadata("x-principal-id", "1").unwrap();
        call.send(self.products.ports().address(Role::Product)).await.unwrap().unwrap();
    }
}

/// A connection that is half open is nobody's trouble while something is sent over it. Streams on which nothing happens
/// would wait for ever, if the gateway did not ask (pings, every ten seconds, answered within five).
async fn a_lost_connection_is_found(state: State) {
    let ways = Ways::open().await;
    let shop = ways.door.shop();
    // Each endpoint in turn, two for each.
    let mut streams = JoinSet::new();
    for _ in 0..6 {
        let stream =
            shop.get("/api/products:watch").header("accept", "text/event-stream").open().await;
        assert_eq!(stream.status, 200);
        streams.spawn(async move {
            let mut stream = stream;
            let mut told = String::new();
            // Heartbeats come while it is alive.
            while let Some(piece) = stream.piece().await.unwrap() {
                told.push_str(&String::from_utf8_lossy(&piece));
                if told.contains("p-1") {
                    break;
                }
            }
            told
        });
    }
    let crowd = Crowd::come(&shop, READ.1, 50);
    served(&ways.products, &Role::PRODUCTS, 20).await;
    let ear = Ear::at(&ways.door);

    let lost = Instant::now();
    ways.roads[2].turn(state);
    ear.hears(LEFT_OUT, ways.roads[2].address(), 10 * SECOND).await;
    let left_out = lost.elapsed();
    let mut ended = Vec::new();
    for _ in 0..2 {
        let told = tokio::time::timeout(30 * SECOND, streams.join_next()).await.unwrap();
        let told = told.unwrap().unwrap();
        assert!(told.contains("UNAVAILABLE"), "{told}");
        ended.push(lost.elapsed());
    }
    // The others are as they were.
    ways.change().await;
    for _ in 0..4 {
        let told = streams.join_next().await.unwrap().unwrap();
        assert!(told.contains("p-1") && !told.contains("UNAVAILABLE"), "{told}");
    }
    ways.roads[2].turn(State::Open);
    let open = Instant::now();
    served(&ways.products, &[Role::Product3], 20).await;

    let visits = crowd.stop().await;
    tell(&format!(
        "{state:?}: left out after {left_out:?}, its streams ended after {ended:?}; well again {:?} after the way; \
         {} requests, {} failed, all within {:?}",
        open.elapsed(),
        visits.count(),
        visits.failed().len(),
        visits.percentile(100),
    ));
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    assert!(ended.iter().all(|ended| *ended < 17 * SECOND), "{ended:?}");
}

#[tokio::test]
async fn idle_streams_on_a_connection_that_is_half_open_end_within_its_pings() {
    a_lost_connection_is_found(State::HalfOpen).await;
}

#[tokio::test]
async fn idle_streams_on_a_way_that_swallows_everything_end_within_its_pings() {
    a_lost_connection_is_found(State::Silent).await;
}

/// The name service is real as the gateway sees it: UDP, RFC 1035. Half a minute of nothing is half a minute of the clock.
#[tokio::test]
async fn half_a_minute_without_a_name_is_noticed_by_nobody() {
    let products = setup().three_products().without(Role::Gateway).start().await;
    let names = Names::with_ttl(0).await;
    names.set("shop.example", [Record::A([127, 0, 0, 1].into())]);
    let service = "_grpc._tcp.product.example";
    let server = |role| Record::Srv(1, 1, products.ports().port(role), "shop.example");
    names.set(service, Role::PRODUCTS.map(server));
    let asked = format!("dns_server: \"{}\", dns_refresh: 1s }}", names.address());
    let first = "      - \"http://${PRODUCT_ADDR:-127.0.0.1:50052}\"\n";
    let door = setup()
        .three_products()
        .empty()
        .config(first, &format!("      - \"srv://{service}\"\n"))
        .config("      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"\n", "")
        .config("      - \"http://${PRODUCT_3_ADDR}\"\n", "")
        .config("least_latency }", &format!("least_latency, {asked}"))
        .start()
        .await;
    door.start(Role::Gateway).await;

    let crowd = Crowd::come(&door.shop(), READ.1, 50);
    served(&products, &Role::PRODUCTS, 10).await;
    let mut told = Vec::new();
    for (mood, at_least) in
        [(Mood::Empty, 30 * SECOND), (Mood::Failing, 3 * SECOND), (Mood::Silent, 3 * SECOND)]
    {
        let (began, before) = (Instant::now(), names.asked(service));
        names.be(mood);
        eventually("time passes", 60 * SECOND, async || {
            (began.elapsed() >= at_least && names.asked(service) > before).then_some(())
        })
        .await;
        served(&products, &Role::PRODUCTS, 5).await;
        told.push((mood, began.elapsed(), names.asked(service) - before));
    }
    names.be(Mood::Answering);
    let visits = crowd.stop().await;
    tell(&format!("{told:?}; {} requests, {} failed", visits.count(), visits.failed().len()));
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    assert!(told[0].2 >= 10, "it was asked all the time: {told:?}");
}
