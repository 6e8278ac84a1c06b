//! The balancer beside a model of it so simple that it can be read at once: generated picks, ends, checks and pauses.

use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::*;

const COUNT: usize = 5;

#[derive(Clone, Debug)]
enum Event {
    /// A call begins.
    Begin,
    /// One of the calls under way ends, well or badly or because the client left.
    End(usize, Option<bool>),
    /// An endpoint says how it is.
    Checked(usize, bool),
    /// Time passes, in milliseconds.
    Pass(u64),
    /// The set now has the endpoints from the first on, so many of them.
    Resize(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Begin),
        // Mostly badly: that is what this is about.
        8 => (any::<usize>(), prop_oneof![
            6 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)
        ]).prop_map(|(call, good)| Event::End(call, good)),
        1 => (0..COUNT, any::<bool>()).prop_map(|(endpoint, up)| Event::Checked(endpoint, up)),
        3 => (0..1500_u64).prop_map(Event::Pass),
        1 => (1..=COUNT).prop_map(Event::Resize),
    ]
}

/// One endpoint in the model.
#[derive(Clone, Copy, Default)]
struct Modelled {
    in_flight: usize,
    row: u32,
    down: bool,
    /// When it comes back or came back.
    back: Option<Instant>,
}

impl Modelled {
    fn is_out(&self, now: Instant) -> bool {
        self.down || self.is_ejected(now)
    }

    fn is_ejected(&self, now: Instant) -> bool {
        self.back.is_some_and(|back| now < back)
    }
}

/// Only failures in a row eject in the model, so the rest is turned off.
fn limits() -> Ejection {
    Ejection { failures: 3, volume: u32::MAX, ..Ejection::default() }
}

async fn run(algorithm: Algorithm, events: Vec<Event>) {
    let all = members(&[1; COUNT]);
    let balancer = Balancer::new(algorithm, limits(), all.clone());
    let mut model = [Modelled::default(); COUNT];
    let mut size = COUNT;
    let mut calls = Vec::new();
    for event in events {
        let now = Instant::now();
        match event {
            Event::Begin => {
                let pick = balancer.pick(|_| true, |_| true).unwrap();
                let picked = name(&pick);
                assert!(picked < size, "it is not in the set");
                let (set, picked) = (&model[..size], &model[picked]);
                let others = set.iter().any(|other| !other.is_out(now));
                assert!(!picked.is_out(now) || !others, "out, and others are not");
                let up = set.iter().any(|other| !other.down);
                assert!(!picked.down || !up, "down, and others are not");
                model[name(&pick)].in_flight += 1;
                calls.push((now, pick));
            }
            Event::End(call, good) if !calls.is_empty() => {
                let (began, pick) = calls.swap_remove(call % calls.len());
                let endpoint = name(&pick);
                model[endpoint].in_flight -= 1;
                match good {
                    None => drop(pick),
                    Some(true) => pick.end(Outcome::Answered),
                    Some(false) => pick.end(Outcome::Failed),
                }
                let own = &mut model[endpoint];
                if good.is_some() && own.back.is_none_or(|back| began >= back) {
                    own.row = if good == Some(true) { 0 } else { own.row + 1 };
                    let out = model[..size].iter().filter(|other| other.is_out(now)).count();
                    let own = &mut model[endpoint];
                    let trips = good == Some(false) && own.row >= 3;
                    if trips && endpoint < size && !own.is_out(now) && out < size / 2 {
                        // For how long is told by a test of its own.
                        let mut back = now;
                        while is_ejected(&all[endpoint].peer, back) {
                            back += Duration::from_millis(500);
                        }
                        assert!(back - now >= Duration::from_secs(1), "it was not ejected");
                        own.back = Some(back);
                        own.row = 0;
                    }
                }
            }
            Event::End(..) => {}
            Event::Checked(endpoint, up) => {
                let answer = if up { Answer::Serving } else { Answer::NotServing };
                all[endpoint].peer.checked(answer);
                let own = &mut model[endpoint];
                if up && own.down {
                    (own.back, own.row) = (Some(now), 0);
                }
                own.down = !up;
            }
            Event::Pass(millis) => advance(Duration::from_millis(millis)).await,
            Event::Resize(count) => {
                balancer.update(all[..count].to_vec());
                size = count;
                let ejected =
                    model[..size].iter_mut().filter(|own| !own.down && own.is_ejected(now));
                for own in ejected.skip(size / 2) {
                    own.back = Some(now);
                }
            }
        }
        let now = Instant::now();
        let snapshot = balancer.snapshot();
        let mut ejected = 0;
        for (own, real) in model[..size].iter().zip(&snapshot) {
            assert_eq!(own.in_flight, real.in_flight, "{real:?}");
            let out = match real.standing {
                Standing::Down => own.down,
                Standing::Ejected(_) => !own.down && own.is_ejected(now),
                Standing::In | Standing::Returning(_) => !own.is_out(now),
            };
            assert!(out, "{real:?}");
            ejected += usize::from(matches!(real.standing, Standing::Ejected(_)));
        }
        assert!(ejected <= size / 2, "{ejected} of {size} are ejected");
    }
}

fn is_ejected(endpoint: &Endpoint, at: Instant) -> bool {
    matches!(endpoint.standing(&limits(), at), Standing::Ejected(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn does_what_the_model_does(
        events in prop::collection::vec(event(), 0..200),
        algorithm in prop_oneof![
            Just(Algorithm::LeastLatency), Just(Algorithm::LeastRequests), Just(Algorithm::RoundRobin)
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(algorithm, events));
    }
}
