//! `demo kill`: a stream whose service dies in the middle of it.
//!
//! Nothing is played: a product service and a gateway are started as in the shop, and the service ends like in a power
//! cut. They are not those of the shop that runs, which loses nothing.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{fail, say};
use crate::bed::{Bed, Setup};
use crate::dynamic::Call;
use crate::role::Role;

const PATH: &str = "/api/products:watch?afterSequence=0";

/// Watches products over REST and kills the product service in the middle: what is the client told?
#[derive(Debug, Args)]
pub(super) struct Kill {
    /// The framing: application/json, application/x-ndjson or text/event-stream.
    #[arg(default_value = "*/*")]
    accept: String,
}

impl Kill {
    pub(super) async fn main(self) -> ExitCode {
        let Ok(program) = std::env::current_exe() else { return fail("can't find myself") };
        let mut setup = Setup::new(program);
        for role in [Role::User, Role::Product2, Role::Payment, Role::Order] {
            setup = setup.without(role);
        }
        let bed = setup.start().await;
        match change(&bed).await {
            Ok(()) => self.show(&bed).await,
            Err(sentence) => fail(&format!("can't change a product: {sentence}")),
        }
    }

    async fn show(&self, bed: &Bed) -> ExitCode {
        let mut stream = bed.shop().get(PATH).header("accept", &self.accept).open().await;
        let kind = stream.header("content-type").unwrap_or("none").to_owned();
        say(&format!(
            "client to gateway\n    GET {PATH} HTTP/1.1\n    accept: {}\n\n\
             gateway to client\n    HTTP/1.1 {}\n    content-type: {kind}\n",
            self.accept, stream.status
        ));
        if stream.status != 200 {
            let (problem, _) = stream.rest().await;
            return fail(&problem);
        }
        let first = stream.until("\"}}").await;
        say(&format!("{}\n\nkill -9: the product service\n", indented(&first)));
        bed.part(Role::Product).kill_9();
        let (rest, clean) = stream.rest().await;
        let end = if clean { "the body ended in order" } else { "the connection broke off" };
        say(&format!("{}\n\n{end}", indented(rest.trim_start_matches('\n'))));
        ExitCode::SUCCESS
    }
}

/// Changes a product, so that there is something to tell.
async fn change(bed: &Bed) -> Result<(), String> {
    let message = json!({"id": "p-1", "delta": 1});
    let call = Call::new("product.v1.ProductService/AdjustStock", message);
    let call = call.metadata("x-principal-id", "1").map_err(|error| error.to_string())?;
    let answer = call.send(bed.ports().address(Role::Product)).await;
    answer.map_err(|error| error.to_string())?.map_err(|status| status.to_string())?;
    Ok(())
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
