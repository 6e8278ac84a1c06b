use tokio::time;

use super::*;

const INTERVAL: Duration = Duration::from_secs(1);

fn bucket(burst: u32) -> Bucket {
    Bucket::new(Arc::new(Allowance { name: "a".into(), burst, interval: INTERVAL }))
}

fn decide(bucket: &Bucket, client: &str, gateways: u32) -> Decision {
    let key = bucket.table().key(&client);
    bucket.decide(Visit { key, charge: true }, gateways)
}

/// How many requests of a client pass one after the other.
fn passing(bucket: &Bucket, client: &str, gateways: u32) -> usize {
    (0..10_000).take_while(|_| !decide(bucket, client, gateways).refuses()).count()
}

#[tokio::test(start_paused = true)]
async fn lets_the_burst_through_and_then_one_for_each_interval() {
    let bucket = bucket(10);
    assert_eq!(passing(&bucket, "ada", 1), 10);
    assert_eq!(passing(&bucket, "bob", 1), 10, "everybody has a limit of their own");
    for (seconds, expected) in [(0, 0), (1, 1), (1, 1), (3, 3), (100, 10)] {
        time::advance(seconds * INTERVAL).await;
        assert_eq!(passing(&bucket, "ada", 1), expected, "after {seconds} s more");
    }
}

#[tokio::test(start_paused = true)]
async fn says_what_remains_and_when_to_come_again() {
    let bucket = bucket(3);
    for remaining in [2, 1, 0] {
        let Decision::Pass(standing) = decide(&bucket, "ada", 1) else { panic!("{remaining}") };
        assert_eq!((standing.remaining, standing.next), (remaining, INTERVAL));
    }
    time::advance(INTERVAL / 4).await;
    let Decision::Refuse(standing) = decide(&bucket, "ada", 1) else { panic!("the fourth") };
    assert_eq!((standing.remaining, standing.next), (0, INTERVAL * 3 / 4));
    // Who obeys to the nanosecond passes, and who comes a nanosecond before that does not.
    time::advance(standing.next.saturating_sub(Duration::from_nanos(1))).await;
    assert!(decide(&bucket, "ada", 1).refuses());
    time::advance(Duration::from_nanos(1)).await;
    assert!(!decide(&bucket, "ada", 1).refuses());
}

#[tokio::test(start_paused = true)]
async fn a_look_takes_nothing() {
    let bucket = bucket(2);
    let look = || bucket.decide(Visit { key: bucket.table().key(&"ada"), charge: false }, 1);
    for _ in 0..5 {
        assert!(!look().refuses());
    }
    assert_eq!(bucket.table().len(), 0);
    assert_eq!(passing(&bucket, "ada", 1), 2);
    assert!(look().refuses());
}

#[tokio::test(start_paused = true)]
async fn a_share_is_a_part_of_burst_and_rate_and_remembers_what_was_taken_before() {
    let bucket = bucket(10);
    assert_eq!(passing(&bucket, "ada", 4), 2);
    time::advance(4 * INTERVAL).await;
    assert_eq!(passing(&bucket, "ada", 4), 1, "a quarter of the rate");
    assert_eq!(passing(&bucket, "bob", 2), 5);
    // What bob took stands when the others are gone, and comes back no sooner than it would have.
    assert_eq!(passing(&bucket, "bob", 1), 0);
    time::advance(4 * INTERVAL).await;
    assert_eq!(passing(&bucket, "bob", 1), 4);
    assert_eq!(passing(&bucket, "bob", 2), 0);
}

#[tokio::test(start_paused = true)]
async fn a_share_is_never_nothing_and_its_rate_is_divided_all_the_same() {
    let bucket = bucket(1);
    assert_eq!(passing(&bucket, "ada", 3), 1);
    time::advance(2 * INTERVAL).await;
    assert_eq!(passing(&bucket, "ada", 3), 0);
    time::advance(INTERVAL).await;
    assert_eq!(passing(&bucket, "ada", 3), 1);
    // No count of gateways makes it none, or breaks the arithmetic of the longest limit there can be.
    let long = Allowance { name: "a".into(), burst: 1, interval: Duration::from_hours(366 * 24) };
    let long = Bucket::new(Arc::new(long));
    for gateways in [0, 1, u32::MAX] {
        assert_eq!(passing(&long, &gateways.to_string(), gateways), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn is_exact_when_all_come_at_once() {
    let allowance = Allowance { name: "a".into(), burst: 10, interval: Duration::from_hours(1) };
    let bucket = Arc::new(Bucket::new(Arc::new(allowance)));
    let all: Vec<_> = (0..100)
        .map(|_| {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move { !decide(&bucket, "ada", 1).refuses() })
        })
        .collect();
    let mut passed = 0;
    for one in all {
        passed += usize::from(one.await.unwrap());
    }
    assert_eq!(passed, 10);
}
