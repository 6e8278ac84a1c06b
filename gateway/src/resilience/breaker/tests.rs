use proptest::prelude::*;
use tokio::time;

use super::*;

const TRIP: Trip = Trip {
    failures: Some(5),
    rate: Percent::of_hundred(50),
    volume: 20,
    window: Duration::from_secs(10),
    open: Duration::from_millis(500),
    max_open: Duration::from_secs(4),
};

fn breaker() -> Arc<CircuitBreaker> {
    Arc::default()
}

fn fail(breaker: &Arc<CircuitBreaker>) {
    breaker.admit(TRIP).unwrap().failed();
}

async fn wait_until_ready(breaker: &CircuitBreaker) -> Duration {
    let Snapshot::Open(left) = breaker.snapshot() else { panic!("{:?}", breaker.snapshot()) };
    time::advance(left).await;
    left
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    let breaker = breaker();
    for _ in 0..3 {
        (0..4).for_each(|_| fail(&breaker));
        breaker.admit(TRIP).unwrap().succeeded();
    }
    (0..5).for_each(|_| fail(&breaker));
    assert!(matches!(breaker.snapshot(), Snapshot::Open(_)));
    assert!(breaker.admit(TRIP).is_none() && !breaker.admits());
}

#[tokio::test(start_paused = true)]
async fn half_of_enough_calls_open_it_and_of_a_few_they_do_not() {
    let breaker = breaker();
    for _ in 0..9 {
        fail(&breaker);
        breaker.admit(TRIP).unwrap().succeeded();
    }
    assert_eq!(breaker.snapshot(), Snapshot::Closed, "of 18 calls a share means nothing");
    breaker.admit(TRIP).unwrap().succeeded();
    fail(&breaker);
    assert!(matches!(breaker.snapshot(), Snapshot::Open(_)), "ten of twenty");
}

#[tokio::test(start_paused = true)]
async fn what_failed_long_ago_counts_no_more() {
    let breaker = breaker();
    for _ in 0..9 {
        fail(&breaker);
        breaker.admit(TRIP).unwrap().succeeded();
    }
    time::advance(TRIP.window).await;
    (0..10).for_each(|_| breaker.admit(TRIP).unwrap().succeeded());
    fail(&breaker);
    assert_eq!(breaker.snapshot(), Snapshot::Closed);
}

#[tokio::test(start_paused = true)]
async fn half_open_there_is_one_probe_and_one_that_is_cancelled_frees_its_place() {
    let breaker = breaker();
    (0..5).for_each(|_| fail(&breaker));
    wait_until_ready(&breaker).await;
    let probe = breaker.admit(TRIP).unwrap();
    assert_eq!((breaker.snapshot(), breaker.admit(TRIP).is_none()), (Snapshot::Probing, true));
    drop(probe);
    assert_eq!(breaker.snapshot(), Snapshot::Ready);
    breaker.admit(TRIP).unwrap().succeeded();
    assert_eq!(breaker.snapshot(), Snapshot::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_opens_for_longer_each_time_up_to_a_bound_and_from_the_start_after_it_was_well() {
    let breaker = breaker();
    (0..5).for_each(|_| fail(&breaker));
    for longest in [500, 1_000, 2_000, 4_000, 4_000] {
        let longest = Duration::from_millis(longest);
        let open = wait_until_ready(&breaker).await;
        assert!(open <= longest && open >= longest.mul_f64(0.74), "{open:?} of {longest:?}");
        fail(&breaker);
    }
    wait_until_ready(&breaker).await;
    breaker.admit(TRIP).unwrap().succeeded();
    time::advance(TRIP.window).await;
    (0..5).for_each(|_| fail(&breaker));
    assert!(wait_until_ready(&breaker).await <= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_says_nothing_about_the_time_after() {
    let breaker = breaker();
    let [good, bad] = [breaker.admit(TRIP).unwrap(), breaker.admit(TRIP).unwrap()];
    (0..5).for_each(|_| fail(&breaker));
    good.succeeded();
    assert!(matches!(breaker.snapshot(), Snapshot::Open(_)));
    wait_until_ready(&breaker).await;
    let _probe = breaker.admit(TRIP).unwrap();
    bad.failed();
    assert_eq!(breaker.snapshot(), Snapshot::Probing);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_turned_off_never_opens() {
    let (breaker, off) = (breaker(), Trip { failures: None, ..TRIP });
    (0..100).for_each(|_| breaker.admit(off).unwrap().failed());
    assert_eq!(breaker.snapshot(), Snapshot::Closed);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Call,
    /// The call that was begun so many calls ago ends: well, badly or cancelled.
    End(usize, Option<bool>),
    Later(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop_oneof![4 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)];
    let event = prop_oneof![
        5 => Just(Event::Call),
        5 => (0_usize..4, outcome).prop_map(|(call, outcome)| Event::End(call, outcome)),
        1 => (0_u64..1_500).prop_map(Event::Later),
    ];
    proptest::collection::vec(event, 0..300)
}

/// What a breaker is, said as plainly as it can be: all outcomes with their times.
#[derive(Default)]
struct Model {
    phase: usize,
    /// Since the phase began; only of calls that began in it.
    outcomes: Vec<(Instant, bool)>,
    state: ModelState,
    openings: u32,
    closed: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum ModelState {
    #[default]
    Closed,
    Open,
    Half(bool),
}

impl Model {
    fn enter(&mut self, state: ModelState) {
        (self.state, self.phase) = (state, self.phase + 1);
        self.outcomes.clear();
    }

    fn open(&mut self) {
        let well = self.closed.is_some_and(|closed| closed.elapsed() >= TRIP.window);
        self.openings = if well { 1 } else { self.openings + 1 };
        self.enter(ModelState::Open);
    }

    fn end(&mut self, begun_in: usize, outcome: Option<bool>) {
        if begun_in != self.phase {
            return;
        }
        match (self.state, outcome) {
            (ModelState::Half(_), None) => self.state = ModelState::Half(false),
            (ModelState::Half(_), Some(true)) => {
                self.closed = Some(Instant::now());
                self.enter(ModelState::Closed);
            }
            (ModelState::Half(_), Some(false)) => self.open(),
            (ModelState::Closed, Some(well)) => {
                self.outcomes.push((Instant::now(), well));
                let row = self.outcomes.iter().rev().take_while(|(_, well)| !well).count();
                // Buckets are a second wide and begin with the first outcome.
                let first = self.outcomes[0].0;
                let bucket = |at: Instant| (at - first).as_secs();
                let now = bucket(Instant::now());
                let lately: Vec<bool> = { &self.outcomes }
                    .iter()
                    .filter(|(at, _)| now - bucket(*at) < 10)
                    .map(|(_, well)| *well)
                    .collect();
                let bad = lately.iter().filter(|well| !**well).count();
                if !well && (row >= 5 || lately.len() >= 20 && bad * 2 >= lately.len()) {
                    self.open();
                }
            }
            _ => {}
        }
    }
}

async fn agrees(events: Vec<Event>) {
    let (breaker, mut model) = (breaker(), Model::default());
    let mut calls: Vec<(Permit, usize)> = Vec::new();
    for event in events {
        match event {
            Event::Later(millis) => time::advance(Duration::from_millis(millis)).await,
            Event::Call => {
                let over = breaker.snapshot() == Snapshot::Ready;
                let expected = match model.state {
                    ModelState::Closed => true,
                    ModelState::Open => over,
                    ModelState::Half(probing) => !probing,
                };
                let permit = breaker.admit(TRIP);
                assert_eq!(permit.is_some(), expected, "{:?}", model.state);
                if expected && model.state != ModelState::Closed {
                    model.enter(ModelState::Half(true));
                }
                calls.extend(permit.map(|permit| (permit, model.phase)));
            }
            Event::End(call, outcome) => {
                let Some(place) = calls.len().checked_sub(call + 1) else { continue };
                let (permit, begun_in) = calls.remove(place);
                match outcome {
                    Some(true) => permit.succeeded(),
                    Some(false) => permit.failed(),
                    None => drop(permit),
                }
                let before = model.phase;
                model.end(begun_in, outcome);
                if model.state == ModelState::Open && model.phase != before {
                    let doubled = TRIP.open * 2_u32.pow((model.openings - 1).min(9));
                    let longest = doubled.min(TRIP.max_open);
                    let Snapshot::Open(left) = breaker.snapshot() else {
                        panic!("{:?}", breaker.snapshot())
                    };
                    assert!(left <= longest && left >= longest.mul_f64(0.74), "{left:?}");
                }
            }
        }
        let same = match model.state {
            ModelState::Closed => breaker.snapshot() == Snapshot::Closed,
            ModelState::Half(true) => breaker.snapshot() == Snapshot::Probing,
            ModelState::Half(false) => breaker.snapshot() == Snapshot::Ready,
            ModelState::Open => {
                matches!(breaker.snapshot(), Snapshot::Open(_) | Snapshot::Ready)
            }
        };
        assert!(same, "{:?} {:?}", model.state, breaker.snapshot());
    }
}

proptest! {
    #[test]
    fn it_does_what_a_plain_model_does(events in events()) {
        let clock = tokio::runtime::Builder::new_current_thread();
        let clock = { clock }.enable_time().start_paused(true).build().unwrap();
        clock.block_on(agrees(events));
    }
}
