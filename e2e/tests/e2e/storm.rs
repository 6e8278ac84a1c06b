//! Everything fails, and clients come nevertheless: what reaches the services.

use std::time::Duration;

use e2e::bed::{Bed, Setup};
use e2e::pace::{Crowd, Visits};
use e2e::role::Role;
use e2e::wait::eventually;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use crate::stand::{calls, setup, tell};

const READ: (&str, &str) = ("product.v1.ProductService/GetProduct", "/api/products/p-1");

/// Clients each second.
const PACE: u32 = 1_000;

/// How long they come: longer than the period of the budget.
const LONG: Duration = Duration::from_secs(12);

/// All three services fail every call while the crowd comes.
async fn storm(setup: Setup) -> (Bed, Visits) {
    let bed = setup.start().await;
    for role in Role::PRODUCTS {
        bed.fail(role, Code::Unavailable).await;
    }
    let began = Instant::now();
    let crowd = Crowd::come(&bed.shop(), READ.1, PACE);
    eventually("it is over", 2 * LONG, async || (began.elapsed() >= LONG).then_some(())).await;
    let visits = crowd.stop().await;
    let all = visits.failed();
    assert_eq!(all.len(), visits.count(), "everything fails");
    // A machine that is too busy for so many answers some of them too late.
    let other = all.iter().find(|visit| ![503, 504].contains(&visit.status));
    assert!(other.is_none(), "{other:?}");
    (bed, visits)
}

fn tries(bed: &Bed) -> usize {
    let of = |role| calls(&bed.part(role).log().text(), READ.0);
    Role::PRODUCTS.into_iter().map(of).sum()
}

/// The requests that were tried at all. A machine that is too busy turns others away before.
fn tried(bed: &Bed) -> usize {
    let lines = bed.part(Role::Gateway).log().records();
    lines.iter().filter(|line| line["tries"].as_u64().is_some_and(|tries| tries > 0)).count()
}

/// What the budget allows of so many requests in so long: a fifth more, and three in ten seconds.
fn allowed(requests: usize, time: Duration) -> usize {
    let periods = usize::try_from(time.as_secs() / 10 + 1).unwrap();
    requests * 12 / 10 + 3 * periods
}

fn told(how: &str, visits: &Visits, rest: &str) {
    tell(&format!(
        "{how}: {} requests in {:?}, {rest}; p50 {:?}, p99 {:?}",
        visits.count(),
        visits.time(),
        visits.percentile(50),
        visits.percentile(99),
    ));
}

#[tokio::test]
async fn without_breakers_the_tries_are_the_requests_and_a_fifth() {
    let breaker = "  attempts: 3\n  breaker: { enabled: false }\n";
    let (bed, visits) = storm(setup().three_products().config("  attempts: 3\n", breaker)).await;
    let (tries, tried) = (tries(&bed), tried(&bed));
    let allowed = allowed(tried, visits.time());
    told(
        "breakers off",
        &visits,
        &format!("{tried} of them tried: {tries} tries, {allowed} allowed"),
    );
    assert!(tried > 1_000, "{tried}");
    assert!(tries <= allowed, "{tries} tries of {tried} requests");
}

#[tokio::test]
async fn with_breakers_hardly_anything_reaches_the_services() {
    let (bed, visits) = storm(setup().three_products()).await;
    let tries = tries(&bed);
    let allowed = allowed(visits.count(), visits.time());
    told("breakers on", &visits, &format!("{tries} tries, {allowed} allowed"));
    assert!(tries <= allowed, "{tries} tries");
    assert!(tries * 50 <= visits.count(), "{tries} tries: the services are to have their quiet");
}

#[tokio::test]
async fn the_budget_is_there_to_be_used() {
    let breaker = "  attempts: 3\n  breaker: { enabled: false }\n";
    let bed = setup().three_products().config("  attempts: 3\n", breaker).start().await;
    for role in Role::PRODUCTS {
        bed.fail(role, Code::Unavailable).await;
    }
    // Who waits for an answer before the next question asks no more than the machine can bear.
    let (requests, mut clients) = (1_000, JoinSet::new());
    for _ in 0..8 {
        let shop = bed.shop();
        clients.spawn(async move {
            for _ in 0..requests / 8 {
                let _ = shop.get(READ.1).await.expect_problem(503, "UNAVAILABLE");
            }
        });
    }
    clients.join_all().await;
    let tries = tries(&bed);
    assert!(tries * 10 >= requests * 11, "{tries} tries of {requests} requests");
}
