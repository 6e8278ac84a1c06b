//! The commands for people: `demo run`, `demo tour` and the small tools that the tour shows things with.

mod compare;
mod grpc;
mod kill;
mod limits;
mod ports;
mod run;
mod sides;
mod tap;
pub mod tour;
mod trouble;

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::role::{Ports, Role, become_part};

/// `EX_USAGE` of sysexits.h.
const BAD_COMMAND_LINE: u8 = 64;

/// Runs the shop of this repository and shows what its gateway does.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the whole shop: the gateway, four services, the product service twice. Ctrl-C stops it.
    Run(run::Run),
    /// Play the lessons against the shop that runs, or against one of their own when none does.
    Tour(tour::Tour),
    /// Load one page as Ada, through the door and from the services themselves, and count what it takes. Only reads.
    Compare(compare::Compare),
    /// Send one REST request and show both sides of the gateway: what came in and what the service saw.
    Sides(sides::Sides),
    /// Call an RPC with JSON, of a service or through the gateway: what people with a gRPC tool do.
    Grpc(grpc::Grpc),
    /// Watch products over REST, in a small shop of its own, and kill the product service in the middle.
    Kill(kill::Kill),
    /// Ask two gateways that share a limit more often than it allows, in a small shop of their own. Needs redis-server.
    Limits(limits::Limits),
    /// Kill, freeze, slow down or fail product services, in a small shop of its own, and count what clients notice.
    Trouble(trouble::Trouble),
    /// Be one part of the shop: user, product, order, payment or gateway, with that part's own arguments.
    Part(PartLine),
}

#[derive(Debug, Args)]
struct PartLine {
    /// End when standard input ends, so that no part outlives who started it.
    #[arg(long)]
    leash: bool,
    /// The part's name and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Where the shop listens.
#[derive(Clone, Debug, Args)]
struct PortArgs {
    /// The port for clients.
    #[arg(long = "gateway-port", env = "GATEWAY_PORT", default_value_t = Role::Gateway.usual_port())]
    gateway: u16,
    /// The port for operators.
    #[arg(long = "console-port", env = "CONSOLE_PORT", default_value_t = crate::role::USUAL_CONSOLE)]
    console: u16,
    /// The port of the user service.
    #[arg(long = "user-port", env = "USER_PORT", default_value_t = Role::User.usual_port())]
    user: u16,
    /// The port of the product service.
    #[arg(long = "product-port", env = "PRODUCT_PORT", default_value_t = Role::Product.usual_port())]
    product: u16,
    /// The port of the second product service.
    #[arg(long = "product-2-port", env = "PRODUCT_2_PORT", default_value_t = Role::Product2.usual_port())]
    product_2: u16,
    /// The port of the order service.
    #[arg(long = "order-port", env = "ORDER_PORT", default_value_t = Role::Order.usual_port())]
    order: u16,
    /// The port of the payment service.
    #[arg(long = "payment-port", env = "PAYMENT_PORT", default_value_t = Role::Payment.usual_port())]
    payment: u16,
}

impl PortArgs {
    fn ports(&self) -> Ports {
        let mut ports = Ports::usual();
        ports.console = self.console;
        ports
            .with(Role::Gateway, self.gateway)
            .with(Role::User, self.user)
            .with(Role::Product, self.product)
            .with(Role::Product2, self.product_2)
            .with(Role::Order, self.order)
            .with(Role::Payment, self.payment)
    }
}

/// The whole life of the program; its exit code is the process's.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Line::try_parse_from(arguments) {
        Ok(Line { command: Command::Part(line) }) => part(line),
        Ok(Line { command }) => run_command(command),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(BAD_COMMAND_LINE) } else { ExitCode::SUCCESS }
        }
    }
}

fn run_command(command: Command) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the system has no threads for us: {error}")),
    };
    runtime.block_on(async {
        match command {
            Command::Run(run) => run.main().await,
            Command::Tour(tour) => tour.main().await,
            Command::Compare(compare) => compare.main().await,
            Command::Sides(sides) => sides.main().await,
            Command::Grpc(grpc) => grpc.main().await,
            Command::Kill(kill) => kill.main().await,
            Command::Limits(limits) => limits.main().await,
            Command::Trouble(trouble) => trouble.main().await,
            Command::Part(line) => part(line),
        }
    })
}

fn part(line: PartLine) -> ExitCode {
    if line.leash {
        std::thread::spawn(end_with_input);
    }
    become_part(line.words).unwrap_or_else(|| {
        complain("demo part: name one of user, product, order, payment, gateway");
        ExitCode::from(BAD_COMMAND_LINE)
    })
}

/// Whoever started us holds the other end of our standard input; the system closes it when they end, in whatever way.
#[expect(clippy::exit, reason = "the owner is gone: nobody waits for an orderly end")]
fn end_with_input() {
    let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
    std::process::exit(1);
}

/// Tells a person something. Nothing is left to do when nobody can read it.
fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn fail(text: &str) -> ExitCode {
    complain(&format!("demo: {text}"));
    ExitCode::FAILURE
}
