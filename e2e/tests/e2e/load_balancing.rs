//! Responsibility 5: which endpoint takes a call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use e2e::bed::Bed;
use e2e::pace::{Crowd, Visits};
use e2e::role::Role;
use e2e::wait::eventually;
use tonic::Code;

use crate::stand::{calls, product_that_answered, setup, shared, tell};

#[tokio::test]
async fn two_endpoints_share_the_calls() {
    let bed = shared().await;
    let shop = bed.shop();
    let mut shares = BTreeMap::new();
    for _ in 0..40 {
        let answer = shop.get("/api/products/p-1").await.expect_status(200);
        let line = bed.access_line(answer.request_id()).await;
        let endpoint = line["endpoint"].as_str().unwrap().to_owned();
        let served_by = product_that_answered(&bed, &answer).await;
        assert!(
            endpoint.contains(&bed.ports().port(served_by).to_string()),
            "{endpoint} is not {served_by}"
        );
        *shares.entry(served_by).or_insert(0) += 1;
    }
    // The quicker one takes more, and which one that is changes.
    assert!(shares.get(&Role::Product).is_some_and(|share| *share >= 2), "{shares:?}");
    assert!(shares.get(&Role::Product2).is_some_and(|share| *share >= 2), "{shares:?}");
}

#[tokio::test]
async fn turns_are_even_for_one_client() {
    let bed = setup().config("algorithm: least_latency", "algorithm: round_robin").start().await;
    let mut shares = BTreeMap::new();
    for _ in 0..20 {
        let answer = bed.shop().get("/api/products/p-1").await.expect_status(200);
        *shares.entry(product_that_answered(&bed, &answer).await).or_insert(0) += 1;
    }
    assert_eq!(shares, [(Role::Product, 10), (Role::Product2, 10)].into());
}

#[tokio::test]
async fn one_of_two_endpoints_killed_costs_at_most_its_own_share() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    bed.part(Role::Product2).kill_9();
    let mut good = 0;
    for _ in 0..20 {
        let answer = shop.get("/api/products/p-1").await;
        if answer.status == 200 {
            good += 1;
        } else {
            let _ = answer.expect_problem(503, "UNAVAILABLE");
        }
    }
    assert!(good >= 10, "{good} of 20 were answered");
}

#[tokio::test]
async fn an_endpoint_that_comes_back_is_used_again() {
    let bed = setup().start().await;
    let shop = bed.shop();
    bed.part(Role::Product2).kill_9();
    for _ in 0..4 {
        let _ = shop.get("/api/products/p-1").await;
    }
    bed.start(Role::Product2).await;
    eventually("product-2 answers again", Duration::from_secs(15), async || {
        let answer = shop.get("/api/products/p-1").await;
        (answer.status == 200 && product_that_answered(&bed, &answer).await == Role::Product2)
            .then_some(())
    })
    .await;
    // And from then on nothing fails any more.
    for _ in 0..10 {
        let _ = shop.get("/api/products/p-1").await.expect_status(200);
    }
}

const READ: (&str, &str) = ("product.v1.ProductService/GetProduct", "/api/products/p-1");

/// How many calls each of three product services takes of a crowd, of which so many are served.
async fn shares(bed: &Bed, each_second: u32, visits: usize) -> ([usize; 3], Visits) {
    let log = |role: Role| bed.part(role).log();
    let before = Role::PRODUCTS.map(|role| log(role).length());
    let taken = || {
        let mut places = before.iter();
        Role::PRODUCTS.map(|role| calls(&log(role).after(*places.next().unwrap_or(&0)), READ.0))
    };
    let crowd = Crowd::come(&bed.shop(), READ.1, each_second);
    eventually("they are served", Duration::from_secs(40), async || {
        (taken().iter().sum::<usize>() >= visits).then_some(())
    })
    .await;
    let visits = crowd.stop().await;
    (taken(), visits)
}

#[tokio::test]
async fn three_that_are_alike_share_evenly_and_one_that_takes_twice_as_long_gets_less() {
    let bed = setup().three_products().start().await;
    // Much beside what a busy machine adds to it.
    let latency = Duration::from_millis(60);
    for role in Role::PRODUCTS {
        bed.slow(role, latency).await;
    }
    let (even, visits) = shares(&bed, 150, 2_000).await;
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    bed.slow(Role::Product3, 2 * latency).await;
    let (uneven, visits) = shares(&bed, 150, 1_000).await;
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    tell(&format!("alike: {even:?}; the third twice as slow: {uneven:?}"));
    let third = even.iter().sum::<usize>() / 3;
    for share in even {
        assert!(share.abs_diff(third) * 10 <= third, "{even:?}");
    }
    let [first, second, slow] = uneven;
    let other = usize::midpoint(first, second);
    assert!(slow * 10 <= other * 8, "{uneven:?}");
    assert!(slow * 10 >= other * 3, "it is slow and not ill: {uneven:?}");
}

/// A service that fails at once is the quickest of all, and would be given everything.
async fn one_that_fails_gets_next_to_nothing(code: Code) {
    let bed = setup().three_products().start().await;
    let (_, visits) = shares(&bed, 200, 300).await;
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    bed.fail(Role::Product3, code).await;
    let (taken, visits) = shares(&bed, 200, 1_500).await;
    let failed = visits.failed().len();
    tell(&format!(
        "{code:?}: calls {taken:?}, {failed} of {} clients were told so",
        visits.count()
    ));
    let all: usize = taken.iter().sum();
    assert!(taken[2] * 100 <= all * 4, "{taken:?}");
    if code == Code::Unavailable {
        assert_eq!(failed, 0, "{:#?}", visits.failed());
    } else {
        assert_eq!(
            failed, taken[2],
            "{code:?} may be the request's fault: it is told to whoever got it"
        );
    }
}

#[tokio::test]
async fn one_that_is_unavailable_at_once_loses_its_calls() {
    one_that_fails_gets_next_to_nothing(Code::Unavailable).await;
}

#[tokio::test]
async fn one_that_breaks_at_once_loses_its_calls() {
    one_that_fails_gets_next_to_nothing(Code::Internal).await;
}

/// How many endpoints were left out at the same time, by what the gateway says of them.
fn most_left_out(bed: &Bed) -> usize {
    let lines = bed.part(Role::Gateway).log().records();
    // It looks at all of them at once and says then what is new, so lines of one moment belong together.
    let mut looks: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["upstream"] == "product") {
        let out = match line["message"].as_str() {
            Some("an endpoint is left out") => true,
            Some("an endpoint is back") => false,
            _ => continue,
        };
        // 2026-11-24T20:40:35.8
        let moment = line["timestamp"].as_str().unwrap()[..21].to_owned();
        looks.entry(moment).or_default().push((out, line["endpoint"].to_string()));
    }
    let (mut left_out, mut most) = (BTreeSet::new(), 0);
    for mut look in looks.into_values() {
        look.sort();
        for (out, endpoint) in look {
            if out {
                left_out.insert(endpoint)
            } else {
                left_out.remove(&endpoint)
            };
        }
        most = most.max(left_out.len());
    }
    most
}

/// Two of three fail, another two each time. Answers who took the calls, and how many clients were turned away.
async fn by_turns(bed: &Bed) -> Vec<([usize; 3], usize)> {
    let (_, visits) = shares(bed, 100, 150).await;
    assert!(visits.failed().is_empty(), "{:#?}", visits.failed());
    let mut told = Vec::new();
    for well in [0, 1, 2, 0, 1, 2] {
        for (place, role) in Role::PRODUCTS.into_iter().enumerate() {
            if place == well {
                bed.heal(role).await;
            } else {
                bed.fail(role, Code::Unavailable).await;
            }
        }
        let (taken, visits) = shares(bed, 100, 150).await;
        told.push((taken, visits.failed().len()));
    }
    told
}

#[tokio::test]
async fn however_many_fail_and_by_turns_no_more_than_half_are_left_out() {
    let bed = setup()
        .three_products()
        .config("least_latency }", "round_robin }")
        .config("  attempts: 3\n", "  attempts: 3\n  breaker: { enabled: false }\n")
        .start()
        .await;
    let told = by_turns(&bed).await;
    for role in Role::PRODUCTS {
        bed.fail(role, Code::Unavailable).await;
    }
    let (taken, _) = shares(&bed, 100, 150).await;
    let most = most_left_out(&bed);
    tell(&format!("two of three, by turns: {told:?}; all: {taken:?}; at most {most} left out"));
    assert_eq!(most, 1);
    assert!(taken.iter().filter(|taken| **taken > 20).count() >= 2, "{taken:?}");
    for role in Role::PRODUCTS {
        bed.heal(role).await;
    }
    eventually("all is well", Duration::from_secs(20), async || {
        let (taken, visits) = shares(&bed, 100, 30).await;
        (visits.failed().is_empty() && taken.iter().all(|taken| *taken > 0)).then_some(())
    })
    .await;
}

/// Who is well may be left out because of what was before, while the others fail and are not left out because one is
/// already. Breakers do not mind: they refuse those that fail, and who is left is asked as soon as its own lets a probe
/// through.
#[tokio::test]
async fn with_breakers_the_one_that_is_well_is_asked_even_if_it_is_left_out() {
    let bed = setup().three_products().config("least_latency }", "round_robin }").start().await;
    let told = by_turns(&bed).await;
    let most = most_left_out(&bed);
    tell(&format!("two of three, by turns, with breakers: {told:?}; at most {most} left out"));
    assert!(most <= 1, "{most}");
    for (well, (taken, _)) in [0, 1, 2, 0, 1, 2].into_iter().zip(&told) {
        assert!(taken[well] > 100, "{told:?}");
    }
}
