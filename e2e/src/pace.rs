//! Clients who come at a steady pace and do not wait for each other, as in life: a service that slows down does not
//! slow down who comes next (an open loop).

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::shop::Shop;

/// Clients who come until they are told to stop.
#[derive(Debug)]
pub struct Crowd {
    enough: watch::Sender<bool>,
    task: JoinHandle<Vec<Visit>>,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// When it was sent.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// What was said, unless all was well.
    pub said: String,
}

/// What became of all of them.
#[derive(Clone, Debug)]
pub struct Visits(pub Vec<Visit>);

impl Crowd {
    /// They begin to GET `path`, so many each second.
    pub fn come(shop: &Shop, path: &str, each_second: u32) -> Self {
        let (enough, told) = watch::channel(false);
        let task = tokio::spawn(walk_in(shop.clone(), path.to_owned(), each_second, told));
        Self { enough, task }
    }

    /// No more come; answers when the last one has been served.
    pub async fn stop(self) -> Visits {
        self.enough.send_replace(true);
        match self.task.await {
            Ok(visits) => Visits(visits),
            Err(error) => panic!("the crowd is gone: {error}"),
        }
    }
}

async fn walk_in(
    shop: Shop,
    path: String,
    each_second: u32,
    mut enough: watch::Receiver<bool>,
) -> Vec<Visit> {
    let mut pace = interval(Duration::from_secs(1) / each_second);
    // Whoever is late because the machine is busy comes at once, so that the number is right.
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut inside, mut served) = (JoinSet::new(), Vec::new());
    loop {
        tokio::select! {
            _ = pace.tick() => {
                inside.spawn(visit(shop.clone(), path.clone()));
            }
            Some(Ok(visit)) = inside.join_next() => served.push(visit),
            _ = enough.wait_for(|enough| *enough) => break,
        }
    }
    served.extend(inside.join_all().await);
    served.sort_by_key(|visit| visit.at);
    served
}

async fn visit(shop: Shop, path: String) -> Visit {
    let at = Instant::now();
    let (status, said) = match shop.get(&path).attempt().await {
        Ok(answer) if answer.status == 200 => (200, String::new()),
        Ok(answer) => (answer.status, answer.text),
        Err(error) => (0, format!("{error:?}")),
    };
    Visit { at, took: at.elapsed(), status, said }
}

impl Visits {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those between two moments.
    #[must_use]
    pub fn between(&self, from: Instant, to: Instant) -> Self {
        Self(self.0.iter().filter(|visit| (from..to).contains(&visit.at)).cloned().collect())
    }

    /// Those who did not get what they came for.
    pub fn failed(&self) -> Vec<&Visit> {
        self.0.iter().filter(|visit| visit.status != 200).collect()
    }

    /// How long all but so many of a hundred took at most; nothing for nobody.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut took: Vec<Duration> = self.0.iter().map(|visit| visit.took).collect();
        took.sort_unstable();
        let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
        took.get(place).copied().unwrap_or_default()
    }

    /// From the first to the last.
    pub fn time(&self) -> Duration {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        }
    }
}
