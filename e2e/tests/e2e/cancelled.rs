//! Clients who leave before they are answered: what stays behind, and who else is hit.

use std::time::Duration;

use e2e::bed::Bed;
use e2e::role::Role;
use e2e::shop::{Answer, Person, Request, Shop};
use e2e::wait::eventually;
use proto::kit::v1::Fault;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::stand::{setup, tell};

fn own_page(shop: &Shop, person: &Person) -> Request {
    shop.get(&format!("/api/users/{}", person.id)).token(&person.token)
}

/// Ten thousand requests, half of them given up by their clients at some moment of their lives. Everybody asks for
/// themselves, so that each answer says whose it is.
#[tokio::test]
async fn requests_that_are_given_up_leave_nothing_behind_and_no_answer_goes_astray() {
    let room = "  max_requests: 64\n  max_queue: 0\n  attempts: 3\n";
    let bed = setup()
        .without(Role::Product)
        .without(Role::Product2)
        .without(Role::Order)
        .without(Role::Payment)
        .argument(Role::User, &["--faults"])
        .config("  attempts: 3\n", room)
        .start()
        .await;
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(bed.shop().newcomer().await);
    }
    bed.slow(Role::User, Duration::from_millis(2)).await;
    let mut clients = JoinSet::new();
    for (client, person) in (0_u64..).zip(people.clone()) {
        let shop = bed.shop();
        clients.spawn(async move {
            let mut answered = 0;
            for round in 0..500_u64 {
                let ask = own_page(&shop, &person).attempt();
                let patience = Duration::from_micros(2_500 * ((round * 7 + client) % 20));
                if let Ok(answer) = tokio::time::timeout(patience, ask).await {
                    let answer = answer.unwrap().expect_status(200);
                    let whose = (answer.text_at("/id"), answer.text_at("/email"));
                    assert_eq!(whose, (person.id.clone(), person.email.clone()), "somebody else's");
                    answered += 1;
                }
            }
            answered
        });
    }
    let answered: usize = clients.join_all().await.into_iter().sum();
    tell(&format!(
        "{answered} of 10000 were answered, each with its own; the others were given up"
    ));
    assert!((100..9_900).contains(&answered), "{answered} of 10000 were answered");
    // Nothing is in flight: all the room there is can be taken at once.
    bed.hold(Role::User).await;
    let mut held = JoinSet::new();
    for person in people.iter().cycle().take(64) {
        let ask = own_page(&bed.shop(), person).header("grpc-timeout", "1S");
        held.spawn(async move { ask.await.status });
    }
    for status in held.join_all().await {
        assert_eq!(status, 504, "a place is still taken by one that was given up");
    }
}

const ADJUST: &str = "/api/products/p-1:adjustStock";

/// A shop with one product service, which takes a while to adjust a stock: a write that is made once.
async fn one_product() -> (Bed, String) {
    let bed = setup()
        .without(Role::Product2)
        .without(Role::Order)
        .without(Role::Payment)
        .argument(Role::Product, &["--faults"])
        .config("\n      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"", "")
        .start()
        .await;
    let root = bed.shop().login("root@example.com").await;
    let latency = Some(prost_types::Duration { seconds: 0, nanos: 700_000_000 });
    let rpc = "product.v1.ProductService/AdjustStock".to_owned();
    bed.befall(Role::Product, Fault { rpc, latency, ..Fault::default() }).await;
    (bed, root)
}

/// Somebody adjusts a stock.
fn write(shop: &Shop, root: &str) -> JoinHandle<Answer> {
    tokio::spawn(shop.post(ADJUST).token(root).json(&json!({"delta": 1})).into_future())
}

/// So many clients ask, and all leave when `moment` has come.
async fn leave_together(shop: &Shop, count: usize, moment: impl Future<Output = ()>) {
    let mut leaving = JoinSet::new();
    for _ in 0..count {
        leaving.spawn(shop.get("/api/products/p-1").attempt());
    }
    moment.await;
    leaving.shutdown().await;
}

async fn reads(shop: &Shop, count: usize) {
    for _ in 0..count {
        let _ = shop.get("/api/products/p-2").await.expect_status(200);
    }
}

#[tokio::test]
async fn many_who_leave_at_once_take_nobody_with_them() {
    let (bed, root) = one_product().await;
    let shop = bed.shop();
    let mut writes = Vec::new();
    for round in 0..20 {
        writes.push(write(&shop, &root));
        reads(&shop, 3).await;
        let moment = tokio::time::sleep(Duration::from_millis(10 * (round % 10)));
        leave_together(&shop, 300, moment).await;
    }
    for write in writes {
        let _ = write.await.unwrap().expect_status(200);
    }
}

/// Calls and their cancellation lie before a service that does not look, and when it looks, it sees them all at once.
#[tokio::test]
async fn many_who_leave_while_the_service_is_frozen_take_nobody_with_them() {
    let (bed, root) = one_product().await;
    let shop = bed.shop();
    let before = write(&shop, &root);
    // They come after it over the same connection.
    reads(&shop, 20).await;
    bed.part(Role::Product).pause();
    leave_together(&shop, 300, tokio::time::sleep(Duration::from_millis(500))).await;
    let meanwhile = write(&shop, &root);
    eventually("it is sent", Duration::from_secs(5), async || {
        // Nothing tells; another client who asks later and leaves again has been behind it.
        leave_together(&shop, 1, tokio::time::sleep(Duration::from_millis(200))).await;
        Some(())
    })
    .await;
    bed.part(Role::Product).resume();
    let (before, meanwhile) = (before.await.unwrap(), meanwhile.await.unwrap());
    tell(&format!("{} {}\n{} {}", before.status, before.text, meanwhile.status, meanwhile.text));
    let _ = before.expect_status(200);
    let _ = meanwhile.expect_status(200);
}
