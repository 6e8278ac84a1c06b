use std::time::Duration;

use tokio::time;

use super::*;
use crate::context::{Allowance, Identity};
use crate::rate_limiting::store::{Location, Store};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn limit(name: &str, by: By, burst: u32) -> Limit {
    let allowance = Allowance { name: name.into(), burst, interval: Duration::from_secs(1) };
    let memory = Arc::new(Memory::new(Arc::new(allowance)));
    Limit { by, class: None, dry_run: false, memory }
}

fn limits(limits: Vec<Limit>) -> Limits {
    Limits::new(RpcId::new("a.B", "C"), limits, Arc::default(), None)
}

fn user(id: &str) -> Principal {
    let (id, roles) = (id.to_owned(), Vec::new());
    Principal::Known(Arc::new(Identity::new(id, roles, None).unwrap()))
}

async fn passing(limits: &Limits, principal: &Principal) -> usize {
    let mut passed = 0;
    while passed < 1000 && limits.after(principal, HERE).await.is_ok() {
        passed += 1;
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn without_limits_everybody_passes_and_nothing_is_told() {
    let none = limits(Vec::new());
    assert_eq!(none.before(HERE).unwrap(), Counted::default());
    assert_eq!(none.after(&user("ada"), HERE).await.unwrap(), Counted::default());
}

#[tokio::test(start_paused = true)]
async fn limits_by_address_stand_before_and_all_others_behind() {
    let both = limits(vec![limit("near", By::Principal, 1), limit("far", By::Address, 2)]);
    let name = |counted: Counted| counted.tightest.unwrap().allowance.name.to_string();
    assert_eq!(name(both.before(HERE).unwrap()), "far");
    assert_eq!(name(both.after(&user("ada"), HERE).await.unwrap()), "near");
    assert!(both.before(HERE).is_ok(), "what stands behind took nothing of it");
    assert!(both.before(HERE).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_tightest_of_several_answers() {
    let several = limits(vec![
        limit("wide", By::Principal, 100),
        limit("tight", By::Principal, 2),
        limit("middle", By::Rpc, 2),
    ]);
    let tightest = several.after(&user("ada"), HERE).await.unwrap().tightest.unwrap();
    assert_eq!((&*tightest.allowance.name, tightest.remaining), ("tight", 1));
    // Bob leaves less of what everybody shares than of his own.
    let tightest = several.after(&user("bob"), HERE).await.unwrap().tightest.unwrap();
    assert_eq!((&*tightest.allowance.name, tightest.remaining), ("middle", 0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_takes_nothing_from_the_other_limits() {
    let both = limits(vec![limit("all", By::Rpc, 5), limit("each", By::Principal, 2)]);
    assert_eq!(passing(&both, &user("ada")).await, 2);
    for _ in 0..20 {
        let refusal = both.after(&user("ada"), HERE).await.unwrap_err();
        assert_eq!(&*refusal.standing.allowance.name, "each");
    }
    assert_eq!(passing(&both, &user("bob")).await, 2, "ada's refusals left it to bob");
    assert_eq!(passing(&both, &user("eve")).await, 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_by_several_is_told_the_longest_wait() {
    let mut slow = limit("slow", By::Principal, 1);
    let allowance = Allowance { name: "slow".into(), burst: 1, interval: Duration::from_mins(1) };
    slow.memory = Arc::new(Memory::new(Arc::new(allowance)));
    let both = limits(vec![slow, limit("fast", By::Principal, 1)]);
    assert_eq!(passing(&both, &user("ada")).await, 1);
    let refusal = both.after(&user("ada"), HERE).await.unwrap_err();
    assert_eq!(refusal.standing.next, Duration::from_mins(1));
    assert!(refusal.to_string().contains("the limit `slow` lets the next one through in 60 s"));
    time::advance(refusal.standing.next).await;
    assert!(both.after(&user("ada"), HERE).await.is_ok(), "who obeys passes");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_only_counts_lets_pass_and_says_so() {
    let trial = Limit { dry_run: true, ..limit("trial", By::Principal, 1) };
    let both = limits(vec![trial, limit("real", By::Principal, 3)]);
    let first = both.after(&user("ada"), HERE).await.unwrap();
    assert_eq!((first.tightest.unwrap().remaining, first.overrun.len()), (2, 0));
    let second = both.after(&user("ada"), HERE).await.unwrap();
    assert_eq!(&*second.overrun[0].name, "trial");
    assert_eq!(&*second.tightest.unwrap().allowance.name, "real", "clients are not told of it");
    let _ = both.after(&user("ada"), HERE).await.unwrap();
    let refusal = both.after(&user("ada"), HERE).await.unwrap_err();
    assert_eq!((&*refusal.standing.allowance.name, refusal.overrun.len()), ("real", 1));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_a_class_is_for_nobody_else() {
    let of = |class: &str, burst| Limit {
        class: Some(class.into()),
        ..limit(class, By::Principal, burst)
    };
    let classes = limits(vec![of("anonymous", 1), of("user", 2), of("admin", 3)]);
    let roles = vec!["admin".to_owned()];
    let admin = Identity::new("root".to_owned(), roles, None).unwrap();
    assert_eq!(passing(&classes, &Principal::Anonymous).await, 1);
    assert_eq!(passing(&classes, &user("ada")).await, 2);
    assert_eq!(passing(&classes, &Principal::Known(Arc::new(admin))).await, 3);
}

/// Every way in which a limit can fail to be decided. None of them is a yes without a count.
#[tokio::test(start_paused = true)]
async fn what_can_not_be_decided_elsewhere_is_decided_here() {
    let location = Location::parse("redis://127.0.0.1:1").unwrap();
    let nowhere = || Arc::new(Store::new(location.clone(), "one".into()));
    let of = |store| {
        let limits = vec![limit("a", By::Principal, 4)];
        let shared = Shared { store, names: Names::default() };
        Limits::new(RpcId::new("a.B", "C"), limits, Arc::default(), Some(shared))
    };
    assert_eq!(passing(&of(nowhere()), &user("ada")).await, 4, "never connected");
    let refused = nowhere();
    refused.warm();
    let mut known = refused.snapshot();
    let tried = known.wait_for(|known| known.cause.is_some()).await.unwrap().clone();
    assert!(!tried.shared && refused.tried());
    assert_eq!(passing(&of(refused), &user("ada")).await, 4, "refused");
}

/// What limits cost a request is written in chapter 4; this only notices when that is off by far.
#[test]
fn a_decision_is_cheap() {
    const TIMES: u32 = 100_000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let both = limits(vec![
            limit("address", By::Address, 1_000_000_000 / 32),
            limit("principal", By::Principal, 1_000_000_000 / 32),
        ]);
        let ada = user("01a20be2-2f2d-74ab-8f67-6b472f4f99d2");
        let started = time::Instant::now();
        for _ in 0..TIMES {
            assert!(both.before(HERE).is_ok() && both.after(&ada, HERE).await.is_ok());
        }
        let each = started.elapsed() / TIMES;
        assert!(each < Duration::from_micros(50), "{each:?}");
    });
}
