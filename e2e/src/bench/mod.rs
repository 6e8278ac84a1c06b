//! `bench`: what one request costs the gateway, and what it costs others who stand in the same place.
//!
//! Everybody stands before the same [`upstream`] and is asked for the same [`shape`]s by the same [`load`], in turn, so
//! that what disturbs the machine disturbs all. What counts is the time on the processors that the operating system
//! accounts to each [`contestant`] ([`cpu`]): how fast this machine is and who else uses it changes it far less than it
//! changes requests per second.

mod contestant;
mod cpu;
mod load;
mod machine;
mod open;
mod proxy;
mod shape;
mod table;
mod upstream;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::sleep;

use self::contestant::{Contestant, Kind, Stand};
use self::load::Load;
use self::shape::Shape;
use self::table::Measured;
use crate::wait::asked_to_stop;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// `EX_USAGE` of sysexits.h.
const BAD_COMMAND_LINE: u8 = 64;

/// How long a contestant is under load before its time is taken: connections are opened, caches filled.
const WARM_UP: Duration = Duration::from_millis(300);

/// Measures the CPU time of one request: of the gateway, and of others before the same service.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Line {
    /// How often each contestant is measured with each shape.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long one measurement takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(50..))]
    window: u64,
    /// How many connections ask, each for one thing at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Measure this shape alone; may be given again.
    #[arg(long, value_name = "SHAPE", value_parser = shape::NAMES)]
    only: Vec<String>,
    /// Measure the gateway and this contestant alone; may be given again.
    #[arg(long, value_name = "CONTESTANT", value_enum)]
    against: Vec<Kind>,
    /// One short round of the gateway alone: whether the bench works, not what anything costs.
    #[arg(long)]
    smoke: bool,
}

/// The whole life of the program; its exit code is the process's.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match Line::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            let bad = error.use_stderr();
            return if bad { ExitCode::from(BAD_COMMAND_LINE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = tokio::runtime::Runtime::new().map_err(AnyError::from).and_then(|runtime| {
        runtime.block_on(async {
            tokio::select! {
                outcome = line.measure() => outcome,
                () = asked_to_stop() => Err("interrupted".into()),
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Line {
    async fn measure(self) -> Result<(), AnyError> {
        let shapes: Vec<Shape> = Shape::all()?
            .into_iter()
            .filter(|shape| self.only.is_empty() || self.only.iter().any(|name| name == shape.name))
            .collect();
        let (rounds, window) = if self.smoke {
            (1, Duration::from_millis(300))
        } else {
            (self.rounds, Duration::from_millis(self.window))
        };
        let stand = Stand::build(&self.kinds()).await?;
        let load = Load { connections: self.connections, token: stand.token().to_owned() };
        say(&machine::describe(&stand, self.connections, rounds, window));

        for shape in &shapes {
            let mut measured: Vec<Measured> =
                stand.contestants().iter().map(Measured::new).collect();
            for round in 0..rounds {
                // Whoever is first in one round is last in the next.
                measured.rotate_left(usize::from(round > 0));
                for one in &mut measured {
                    one.windows.push(take(&load, shape, &one.contestant, window).await?);
                    stand.forget_logs();
                }
            }
            say(&table::of(shape, measured));
        }
        say(&machine::load_average());
        Ok(())
    }

    /// Who is measured, the gateway first.
    fn kinds(&self) -> Vec<Kind> {
        let wanted = |kind: &Kind| {
            let ours = matches!(kind, Kind::Gateway | Kind::GatewayOpen | Kind::GatewayGrpc);
            match kind {
                Kind::Gateway => true,
                _ if self.smoke => ours,
                kind => self.against.is_empty() || self.against.contains(kind),
            }
        };
        Kind::ALL.into_iter().filter(wanted).collect()
    }
}

/// What a contestant did in one window.
#[derive(Clone, Copy, Debug)]
struct Window {
    requests: u64,
    cpu: Duration,
    took: Duration,
}

async fn take(
    load: &Load,
    shape: &Shape,
    contestant: &Contestant,
    window: Duration,
) -> Result<Window, AnyError> {
    let mut running = load.start(shape, contestant)?;
    running.go_on(sleep(WARM_UP)).await?;
    let (before, cpu_before) = (running.answered(), cpu::spent(contestant.process)?);
    let start = tokio::time::Instant::now();
    running.go_on(sleep(window)).await?;
    let (after, cpu_after) = (running.answered(), cpu::spent(contestant.process)?);
    let took = start.elapsed();
    running.stop().await?;
    let requests = after - before;
    if requests == 0 {
        let name = contestant.kind.name();
        return Err(format!("{name} answered nothing in {window:?} ({})", shape.name).into());
    }
    Ok(Window { requests, cpu: cpu_after.saturating_sub(cpu_before), took })
}

/// Tells a person something. Nothing is left to do when nobody can read it.
fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
