//! Work that comes round again and again while a service serves.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::Shutdown;

/// Does `work` now, and again each `period` after it began, until the service stops; never twice at once.
pub async fn every<W: Future<Output = ()>>(
    period: Duration,
    shutdown: &Shutdown,
    mut work: impl FnMut() -> W,
) {
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        work().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_comes_round_until_the_service_stops() {
        let (shutdown, begin, mut rounds) = (Shutdown::new(), Instant::now(), Vec::new());
        every(Duration::from_secs(5), &shutdown, || {
            rounds.push(begin.elapsed().as_secs());
            if rounds.len() == 3 {
                shutdown.cancel();
            }
            async {}
        })
        .await;
        assert_eq!(rounds, [0, 5, 10]);
    }
}
