//! `demo limits`: two gateways, one limit; and what of it holds when the Redis between them is gone.
//!
//! Nothing is played: two gateways of their own are started as the shop's is, and a real Redis, which ends like in a
//! power cut.

use std::process::ExitCode;

use clap::Args;

use super::{fail, say};
use crate::doors::{Doors, passed};

/// How many requests the limit lets through.
const BURST: u32 = 10;

/// How many come to each door, all at once.
const TIMES: usize = 30;

/// Asks two gateways more often than their one limit allows, and takes away the Redis in which they count.
#[derive(Debug, Args)]
pub(super) struct Limits {
    /// Take the Redis away, and bring it back.
    #[arg(long)]
    outage: bool,
}

impl Limits {
    pub(super) async fn main(self) -> ExitCode {
        let Ok(program) = std::env::current_exe() else { return fail("can't find myself") };
        match self.show(&program).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(sentence) => fail(&sentence),
        }
    }

    async fn show(&self, program: &std::path::Path) -> Result<(), String> {
        let doors = Doors::open(program, BURST).await?;
        say(&format!(
            "two gateways, one Redis, one limit of {BURST}: {TIMES} requests at once to each gateway"
        ));
        tell(&doors).await;
        if self.outage {
            doors.redis.part().kill_9();
            say("\nkill -9: the Redis. Each gateway counts alone, with its half of the limit");
            tell(&doors).await;
            doors.counted_alone(1).await?;
            doors.redis.restart().await?;
            doors.counted_together(2).await?;
            say("\nthe Redis is back, and empty");
            tell(&doors).await;
        }
        Ok(())
    }
}

async fn tell(doors: &Doors) {
    let [first, second] = doors.ask(TIMES).await;
    let (here, there) = (passed(&first), passed(&second));
    say(&format!("    passed together: {}", here + there));
    say(&format!("    at most at one gateway: {}", here.max(there)));
}
