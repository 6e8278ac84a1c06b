//! Responsibility 5: which endpoint takes a call.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::role::Role;
use e2e::wait::eventually;

use crate::stand::{product_that_answered, setup, shared};

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
