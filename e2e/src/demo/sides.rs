//! `demo sides`: one REST request, seen from both sides of the gateway.
//!
//! Starts a second gateway of the same configuration before the services that run, with a window in between
//! ([`Scripted::before`]), so that what is shown is what really went over the wire.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::{PortArgs, fail, say};
use crate::bed::{Bed, Setup};
use crate::dynamic::{decode, listing, method, shop_descriptors};
use crate::ready::is_ready;
use crate::role::{Ports, Role};
use crate::scripted::{Exchange, Scripted};

/// Metadata that says nothing about the gateway.
const DULL: [&str; 3] = ["content-type", "te", "user-agent"];

/// Shows both sides of one request.
#[derive(Debug, Args)]
pub(super) struct Sides {
    /// A header, as in curl: 'Authorization: Bearer ...'; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The method.
    method: Method,
    /// The path with its query: /api/products/p-1.
    path: String,
    /// The body, in JSON.
    body: Option<String>,
    #[command(flatten)]
    ports: PortArgs,
}

impl Sides {
    pub(super) async fn main(self) -> ExitCode {
        let ports = self.ports.ports();
        for role in Role::SERVICES {
            if !is_ready(role, &ports).await {
                let address = ports.address(role);
                return fail(&format!(
                    "no {role} service answers at {address}: start the shop with demo run"
                ));
            }
        }
        let Ok(program) = std::env::current_exe() else { return fail("can't find myself") };
        let windows = Windows::open(&ports).await;
        let bed = windows.gateway(Setup::new(program), &ports).await;
        match self.show(&bed, &windows).await {
            Ok(text) => {
                say(&text);
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!(
                "there was no whole answer: {error:?} (a stream may have no end: watch it with curl -N)"
            )),
        }
    }

    async fn show(&self, bed: &Bed, windows: &Windows) -> Result<String, reqwest::Error> {
        let mut request = bed.shop().request(self.method.clone(), &self.path);
        let mut text = format!("client to gateway\n    {} {} HTTP/1.1\n", self.method, self.path);
        for header in &self.headers {
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            request = request.header(name.trim(), value.trim());
            let _ =
                writeln!(text, "    {}: {}", name.trim().to_lowercase(), shortened(value.trim()));
        }
        if let Some(body) = &self.body {
            request = request.text(body.clone());
            let _ = writeln!(text, "    content-type: application/json\n\n    {body}");
        }
        let answer = request.attempt().await?;
        for exchange in windows.exchanges() {
            text.push_str(&shown(&exchange));
        }
        let _ = writeln!(text, "\ngateway to client\n    HTTP/1.1 {}", answer.status);
        let kind = answer.header("content-type").unwrap_or("none");
        let _ = write!(text, "    content-type: {kind}\n\n    {}", answer.text);
        Ok(text)
    }
}

/// A window before each service.
struct Windows {
    user: Scripted,
    product: Scripted,
    order: Scripted,
    payment: Scripted,
}

impl Windows {
    async fn open(ports: &Ports) -> Self {
        Self {
            user: Scripted::before(ports.address(Role::User)).await,
            product: Scripted::before(ports.address(Role::Product)).await,
            order: Scripted::before(ports.address(Role::Order)).await,
            payment: Scripted::before(ports.address(Role::Payment)).await,
        }
    }

    /// A gateway that sees the services through the windows; keys it fetches directly, they are not gRPC.
    async fn gateway(&self, setup: Setup, ports: &Ports) -> Bed {
        let user = "${USER_ADDR:-127.0.0.1:50051}";
        let keys = "/.well-known/jwks.json";
        let bed = setup
            .empty()
            .config(&format!("{user}{keys}"), &format!("{}{keys}", ports.address(Role::User)))
            .config(user, &self.user.address().to_string())
            .config("${PRODUCT_ADDR:-127.0.0.1:50052}", &self.product.address().to_string())
            .config("\n      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"", "")
            .config("${ORDER_ADDR:-127.0.0.1:50053}", &self.order.address().to_string())
            .config("${PAYMENT_ADDR:-127.0.0.1:50054}", &self.payment.address().to_string())
            .start()
            .await;
        bed.start(Role::Gateway).await;
        bed
    }

    fn exchanges(&self) -> Vec<Exchange> {
        [&self.user, &self.product, &self.order, &self.payment]
            .into_iter()
            .flat_map(Scripted::exchanges)
            .collect()
    }
}

fn shown(exchange: &Exchange) -> String {
    let Ok(method) = method(&shop_descriptors(), &exchange.rpc) else {
        return format!("\ngateway to service\n    {}\n", exchange.rpc);
    };
    let mut text = format!("\ngateway to service\n    {} (gRPC)\n", exchange.rpc);
    for (name, value) in &exchange.headers {
        if !DULL.contains(&name.as_str()) {
            let _ = writeln!(text, "    {name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let hex: Vec<String> = exchange.message.iter().map(|byte| format!("{byte:02x}")).collect();
    let _ = writeln!(text, "\n    {} bytes: {}", exchange.message.len(), hex.join(" "));
    for line in listing(method.input(), &exchange.message).lines() {
        let _ = writeln!(text, "    {line}");
    }
    let _ = writeln!(
        text,
        "\nservice to gateway\n    grpc-status: {}, {} bytes",
        exchange.status,
        exchange.answer.len()
    );
    for line in listing(method.output(), &exchange.answer).lines() {
        let _ = writeln!(text, "    {line}");
    }
    debug_assert_ne!(decode(method.output(), &exchange.answer), Value::Null);
    text
}

/// Nobody wants to read a token, and nobody should.
fn shortened(value: &str) -> String {
    const SHOWN: usize = 24;
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}
