//! `demo trouble`: what clients notice when services die, freeze, slow down or fail.
//!
//! Nothing is played: a gateway and three product services of their own are started as in the shop, clients come at a
//! steady pace, and what is counted is what they got and what the services saw.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;

use super::{fail, say};
use crate::bed::{Bed, Setup};
use crate::pace::{Crowd, Visits};
use crate::role::Role;
use crate::wait::until;

const RPC: &str = "product.v1.ProductService/GetProduct";
const PATH: &str = "/api/products/p-1";

/// Clients each second.
const PACE: u32 = 100;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

const NO_BREAKER: &str = "  attempts: 3\n  breaker: { enabled: false }\n";

/// Makes product services fail, in a small shop of its own, and counts what clients notice.
#[derive(Debug, Args)]
pub(super) struct Trouble {
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// One of three is killed (kill -9) and started again.
    Kill,
    /// One of three is frozen (SIGSTOP) and goes on.
    Pause,
    /// One of three takes many times as long as the others.
    Slow,
    /// Every call fails, with the budget for retries and with one that is so large that it is none.
    Storm,
    /// Every call fails, until the breakers open and let nothing but probes through.
    Breaker,
}

impl Trouble {
    pub(super) async fn main(self) -> ExitCode {
        let Ok(program) = std::env::current_exe() else { return fail("can't find myself") };
        let shown = match self.what {
            What::Kill => kill(program).await,
            What::Pause => pause(program).await,
            What::Slow => slow(program).await,
            What::Storm => storm(program).await,
            What::Breaker => breaker(program).await,
        };
        shown.map_or_else(|late| fail(&late), |()| ExitCode::SUCCESS)
    }
}

/// A gateway, three product services and their clients.
struct Scene {
    bed: Bed,
    crowd: Crowd,
}

impl Scene {
    async fn begin(program: PathBuf) -> Result<Self, String> {
        let bed = Setup::new(program).three_products().start().await;
        say(&format!("a gateway, three product services, {PACE} clients each second"));
        let crowd = Crowd::come(&bed.shop(), PATH, PACE);
        let scene = Self { bed, crowd };
        scene.watch("all are well", 150).await?;
        Ok(scene)
    }

    /// Tells who takes the next calls.
    async fn watch(&self, how: &str, calls: usize) -> Result<(), String> {
        let before = Seen::now(&self.bed);
        let taken = until(PATIENCE, async || {
            Some(before.calls(&self.bed)).filter(|taken| taken.iter().sum::<usize>() >= calls)
        });
        let taken = taken.await.ok_or("no calls are served")?;
        say(&format!("\n{how}\n    calls: {taken:?}; the third gets {}", share(taken)));
        Ok(())
    }

    /// Tells after how long the gateway says that it leaves the third out.
    async fn left_out(&self, from: u64, since: Instant) -> Result<(), String> {
        let third = self.bed.ports().address(Role::Product3).to_string();
        let log = self.bed.part(Role::Gateway).log();
        let said = async || {
            let text = log.after(from);
            let about = |line: &str| line.contains("is left out") && line.contains(&third);
            text.lines().any(about).then_some(())
        };
        until(PATIENCE, said).await.ok_or("nobody misses the third")?;
        say(&format!("    left out after {:.1} s", since.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Tells after how long the third is called again.
    async fn is_back(&self, before: &Seen, since: Instant) -> Result<(), String> {
        let called = async || (before.calls(&self.bed)[2] > 0).then_some(());
        until(PATIENCE, called).await.ok_or("the third is not called any more")?;
        say(&format!("    called again after {:.1} s", since.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Tells what the clients got, those who came since then.
    async fn end(self, since: Instant) {
        let visits = self.crowd.stop().await.between(since, Instant::now());
        say(&format!("\n{}", noticed(&visits)));
    }
}

/// How much the services had written at some moment.
struct Seen([u64; 3]);

impl Seen {
    fn now(bed: &Bed) -> Self {
        Self(Role::PRODUCTS.map(|role| bed.part(role).log().length()))
    }

    /// How many calls each has taken since.
    fn calls(&self, bed: &Bed) -> [usize; 3] {
        let [first, second, third] = self.0;
        let calls = |role, from| bed.part(role).log().after(from).matches(RPC).count();
        [calls(Role::Product, first), calls(Role::Product2, second), calls(Role::Product3, third)]
    }
}

async fn kill(program: PathBuf) -> Result<(), String> {
    let scene = Scene::begin(program).await?;
    let (from, killed) = (scene.bed.part(Role::Gateway).log().length(), Instant::now());
    scene.bed.part(Role::Product3).kill_9();
    say("\nkill -9: the third");
    scene.left_out(from, killed).await?;
    scene.watch("without the third", 100).await?;
    let (before, started) = (Seen::now(&scene.bed), Instant::now());
    scene.bed.start(Role::Product3).await;
    say("\nthe third is started again");
    scene.is_back(&before, started).await?;
    scene.end(killed).await;
    Ok(())
}

async fn pause(program: PathBuf) -> Result<(), String> {
    let scene = Scene::begin(program).await?;
    let (from, frozen) = (scene.bed.part(Role::Gateway).log().length(), Instant::now());
    scene.bed.part(Role::Product3).pause();
    say("\nSIGSTOP: the third says nothing any more, and its connections stay open");
    scene.left_out(from, frozen).await?;
    scene.watch("without the third", 100).await?;
    let (before, thawed) = (Seen::now(&scene.bed), Instant::now());
    scene.bed.part(Role::Product3).resume();
    say("\nSIGCONT: the third goes on");
    scene.is_back(&before, thawed).await?;
    scene.end(frozen).await;
    Ok(())
}

async fn slow(program: PathBuf) -> Result<(), String> {
    let scene = Scene::begin(program).await?;
    let since = Instant::now();
    scene.bed.slow(Role::Product3, Duration::from_millis(500)).await;
    scene.watch("the third takes half a second longer", 300).await?;
    scene.end(since).await;
    Ok(())
}

async fn storm(program: PathBuf) -> Result<(), String> {
    say("a gateway, three product services that fail every call, 500 requests, no breakers");
    for (how, budget) in [("a budget of 20 %", "20%"), ("a budget of 100 %", "100%")] {
        let bed = Setup::new(program.clone())
            .three_products()
            .config("  attempts: 3\n", NO_BREAKER)
            .config("retry_budget: 20%", &format!("retry_budget: {budget}"))
            .start()
            .await;
        everything_fails(&bed).await;
        let before = Seen::now(&bed);
        let mut clients = JoinSet::new();
        for _ in 0..25 {
            let shop = bed.shop();
            clients.spawn(async move {
                for _ in 0..20 {
                    let _fails = shop.get(PATH).await;
                }
            });
        }
        clients.join_all().await;
        let tries: usize = before.calls(&bed).iter().sum();
        let tenths = (tries + 25) / 50;
        say(&format!(
            "\n{how}\n    calls: {tries}, {}.{} for each request",
            tenths / 10,
            tenths % 10
        ));
    }
    Ok(())
}

async fn breaker(program: PathBuf) -> Result<(), String> {
    let bed = Setup::new(program).three_products().start().await;
    everything_fails(&bed).await;
    say("a gateway, three product services that fail every call");
    let before = Seen::now(&bed);
    let open = until(PATIENCE, async || {
        let answer = bed.shop().get(PATH).await;
        answer.text.contains("upstream-failing").then_some(answer)
    });
    let answer = open.await.ok_or("the breakers stay closed")?;
    let first: usize = before.calls(&bed).iter().sum();
    say(&format!(
        "\nall three breakers are open after {first} calls\n    {} {}, Retry-After: {}",
        answer.status,
        answer.json["title"],
        answer.header("retry-after").unwrap_or("none")
    ));

    let (before, since) = (Seen::now(&bed), Instant::now());
    let crowd = Crowd::come(&bed.shop(), PATH, PACE);
    until(PATIENCE, async || (since.elapsed() >= Duration::from_secs(3)).then_some(())).await;
    let asked = crowd.stop().await.count();
    let probes: usize = before.calls(&bed).iter().sum();
    let verdict = if probes * 10 < asked { "hardly any" } else { "too many" };
    say(&format!("\nthree seconds of clients\n    requests: {asked}; probes: {probes}, {verdict}"));

    for role in Role::PRODUCTS {
        bed.heal(role).await;
    }
    let since = Instant::now();
    let answered = until(PATIENCE, async || {
        Some(bed.shop().get(PATH).await.status).filter(|status| *status == 200)
    });
    let status = answered.await.ok_or("it does not answer again")?;
    say(&format!(
        "\nthe services are well again\n    {status} after {:.1} s: a probe was answered, and its breaker closed",
        since.elapsed().as_secs_f64()
    ));
    Ok(())
}

async fn everything_fails(bed: &Bed) {
    for role in Role::PRODUCTS {
        bed.fail(role, Code::Unavailable).await;
    }
}

/// How much of the calls the third gets, in words.
fn share([first, second, third]: [usize; 3]) -> &'static str {
    match (third * 100).checked_div(first + second + third).unwrap_or_default() {
        0..8 => "next to nothing",
        8..20 => "less than its share",
        _ => "its share",
    }
}

/// What clients noticed.
fn noticed(visits: &Visits) -> String {
    format!(
        "clients since then: {}\n    turned away: {}\n    half within {:.0?}, 99 of 100 within {:.0?}, all within {:.0?}",
        visits.count(),
        visits.failed().len(),
        visits.percentile(50),
        visits.percentile(99),
        visits.percentile(100),
    )
}
