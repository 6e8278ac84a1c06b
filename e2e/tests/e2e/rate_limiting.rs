//! Responsibility 4: how often who may ask.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use e2e::bed::Setup;
use e2e::doors::{Doors, passed};
use e2e::role::Role;
use e2e::shop::{Answer, PASSWORD, Shop};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{Witness as _, setup};

/// What a busy machine adds to anything.
const BUSY: Duration = Duration::from_millis(150);

/// A shop whose limit by principal lets so many through and no more for a long time.
fn with_burst(burst: u32) -> Setup {
    let setup = setup().config("${PRINCIPAL_RATE:-600/1m}", "1/1h");
    setup.config("${PRINCIPAL_BURST:-100}", &burst.to_string())
}

async fn doors(burst: u32) -> Doors {
    let _refuses_other_shops = setup();
    Doors::open(Path::new(env!("CARGO_BIN_EXE_demo")), burst).await.unwrap()
}

async fn at_once(shop: &Shop, token: &str, times: usize) -> Vec<Answer> {
    let asked: Vec<_> = (0..times)
        .map(|_| tokio::spawn(shop.get("/api/users/123").token(token).into_future()))
        .collect();
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    answers
}

fn header(answer: &Answer, name: &str) -> String {
    answer.header(name).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_hundred_at_once_on_a_burst_of_ten_are_exactly_ten() {
    let bed = with_burst(10).start().await;
    let shop = bed.shop();
    let ada = shop.login("ada@example.com").await;
    let answers = at_once(&shop, &ada, 100).await;
    assert_eq!(passed(&answers), 10);
    for answer in answers {
        if answer.status == 200 {
            assert_eq!(header(&answer, "ratelimit-policy"), "\"principal\";q=10;w=36000");
            bed.service_saw(&answer, "user.v1.UserService/GetUser", "123", "OK").await;
        } else {
            let answer = answer.expect_problem(429, "RESOURCE_EXHAUSTED");
            let wait: u64 = header(&answer, "retry-after").parse().unwrap();
            assert!((1..=3600).contains(&wait), "{wait}");
            assert_eq!(header(&answer, "ratelimit"), format!("\"principal\";r=0;t={wait}"));
            bed.no_service_saw(&answer).await;
        }
    }
}

#[tokio::test]
async fn a_person_is_one_client_with_twenty_tokens_and_another_person_another() {
    let bed = with_burst(5).start().await;
    let shop = bed.shop();
    let mut tokens = BTreeSet::new();
    // Signing in is asked anonymously, and counts by address: five times here, and more elsewhere.
    for _ in 0..5 {
        tokens.insert(shop.login("ada@example.com").await);
    }
    let mut statuses = Vec::new();
    for token in tokens.iter().cycle().take(20) {
        statuses.push(shop.get("/api/users/123").token(token).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert_eq!(
        shop.get("/api/products/p-1").await.status,
        429,
        "nobody in particular has asked 5 times"
    );
}

#[tokio::test]
async fn signing_in_is_limited_by_address_as_the_shop_says() {
    let strict = setup().config("${LOGIN_RATE:-10/1m}", "10/1m").config("${LOGIN_BURST:-5}", "5");
    let bed = strict.start().await;
    let shop = bed.shop();
    let mut answers = Vec::new();
    for number in 0..10 {
        // Another password, another person, another RPC: all of it is guessing from one place.
        let password = if number % 2 == 0 { "wrong-horse" } else { PASSWORD };
        let email = ["ada@example.com", "bob@example.com"][number % 2];
        let login = shop.post("/api/auth/login");
        answers.push(login.json(&json!({"email": email, "password": password})).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses[..5], [401, 200, 401, 200, 401]);
    assert_eq!(statuses[5..], [429; 5]);
    assert_eq!(header(&answers[0], "ratelimit-policy"), "\"login\";q=5;w=30");
    assert_eq!(header(&answers[5], "retry-after"), "6");
    bed.no_service_saw(&answers[5]).await;
    let body = json!({"email": "new@example.com", "name": "New", "password": PASSWORD});
    let account = shop.post("/api/users").json(&body).await;
    assert_eq!(account.status, 429);
    // Everything else goes on.
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
}

#[tokio::test]
async fn who_waits_as_long_as_told_passes() {
    let bed = setup()
        .config("${PRINCIPAL_RATE:-600/1m}", "2/3s")
        .config("${PRINCIPAL_BURST:-100}", "1")
        .start()
        .await;
    let shop = bed.shop();
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
    let refused = shop.get("/api/products/p-1").await.expect_problem(429, "RESOURCE_EXHAUSTED");
    let wait = header(&refused, "retry-after").parse().unwrap();
    assert!(wait <= 2, "{wait}");
    // It is what the client was told to do, not waiting for something to happen.
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let _ = shop.get("/api/products/p-1").await.expect_status(200);
}

#[tokio::test]
async fn behind_a_proxy_a_client_is_whom_the_proxy_names() {
    let setup = with_burst(2).config("trusted_hops: 0", "trusted_hops: 1");
    let bed = setup.start().await;
    let shop = bed.shop();
    let ask = async |forwarded: &str| {
        shop.get("/api/products/p-1").header("x-forwarded-for", forwarded).await.status
    };
    let mut statuses = Vec::new();
    for spoofed in ["6.6.6.1, 192.0.2.1", "6.6.6.2, 192.0.2.1", "6.6.6.3, 192.0.2.1"] {
        statuses.push(ask(spoofed).await);
    }
    for address in ["2001:db8:1:1::1", "2001:db8:1:1::2", "[2001:db8:1:1:9::3]:80"] {
        statuses.push(ask(address).await);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 200, 429]);
    assert_eq!(ask("2001:db8:1:2::1").await, 200);
    assert_eq!(ask("::ffff:192.0.2.1").await, 429, "the IPv4 address from above");
    assert_eq!(ask("unknown").await, 200, "the peer");
}

#[tokio::test]
async fn a_hundred_at_once_at_two_doors_are_exactly_ten() {
    let doors = doors(10).await;
    let [first, second] = doors.ask(50).await;
    assert_eq!(passed(&first) + passed(&second), 10);
    for (bed, answers) in doors.beds.iter().zip([first, second]) {
        for answer in answers {
            // The product service is in the first bed, whichever door was used.
            bed.access_line(answer.request_id()).await;
            let seen = doors.beds[0].service_lines_now(answer.request_id()).len();
            assert_eq!(seen, usize::from(answer.status == 200), "{}", answer.status);
        }
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_leaves_each_door_its_share_and_comes_back_by_itself() {
    let doors = doors(10).await;
    let [first, second] = doors.ask(3).await;
    assert_eq!(passed(&first) + passed(&second), 6);
    doors.redis.part().kill_9();
    let [first, second] = doors.ask(30).await;
    assert_eq!((passed(&first), passed(&second)), (5, 5));
    doors.counted_alone(1).await.unwrap();
    doors.redis.restart().await.unwrap();
    doors.counted_together(2).await.unwrap();
    let [first, second] = doors.ask(30).await;
    assert_eq!(passed(&first) + passed(&second), 10);
    // One line each way, at each door.
    for bed in &doors.beds {
        let text = bed.part(Role::Gateway).log().text();
        assert_eq!(text.matches("the store of limits can't be used").count(), 1);
        assert_eq!(text.matches("limits are counted together").count(), 2);
    }
}

#[tokio::test]
async fn a_redis_that_is_frozen_costs_each_request_under_way_fifty_milliseconds_and_later_ones_nothing()
 {
    let doors = doors(1000).await;
    let slowest = |answers: &[Vec<Answer>; 2]| {
        assert!(answers.iter().flatten().all(|answer| answer.status == 200));
        answers.iter().flatten().map(|answer| answer.elapsed).max().unwrap()
    };
    let before = slowest(&doors.ask(20).await);
    doors.redis.part().pause();
    let during = slowest(&doors.ask(20).await);
    let most = 2 * before + Duration::from_millis(50) + BUSY;
    assert!(during < most, "{during:?}, and {before:?} before");
    doors.counted_alone(1).await.unwrap();
    for _ in 0..10 {
        let answer = Doors::product(&doors.beds[0]).await.expect_status(200);
        let line = doors.beds[0].access_line(answer.request_id()).await;
        let took = line["steps_us"]["limit_principal"].as_u64().unwrap();
        assert!(took < 20_000, "{line}");
    }
    let thawed = Instant::now();
    doors.redis.part().resume();
    doors.counted_together(2).await.unwrap();
    assert!(thawed.elapsed() < Duration::from_secs(5));
    let _ = Doors::product(&doors.beds[0]).await.expect_status(200);
}

#[tokio::test]
async fn limits_hold_while_a_redis_comes_and_goes() {
    let doors = doors(20).await;
    let mut passed_in_all = 0;
    for round in 1..=2 {
        let [first, second] = doors.ask(15).await;
        passed_in_all += passed(&first) + passed(&second);
        doors.redis.part().pause();
        let [first, second] = doors.ask(15).await;
        // At most its half at each door: ten, and once.
        passed_in_all += passed(&first) + passed(&second);
        doors.counted_alone(round).await.unwrap();
        doors.redis.part().resume();
        doors.counted_together(round + 1).await.unwrap();
    }
    // The burst that is shared, and the burst that both have alone; no outage gives a third. A call that the frozen
    // Redis had taken before it froze may be counted there as well.
    assert!((20..=40).contains(&passed_in_all), "{passed_in_all}");
}
