//! `demo grpc`: calls an RPC, of a service or through the gateway, for people without a gRPC tool.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tonic::Status;

use super::{complain, fail, say};
use crate::dynamic::{Call, Messages, Unspeakable, details};

/// Calls an RPC and prints its answer; of a stream, a line for each message.
#[derive(Debug, Args)]
pub(super) struct Grpc {
    /// Metadata, as in `x-principal-id: 123`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The service's address: 127.0.0.1:50052.
    address: SocketAddr,
    /// The RPC: product.v1.ProductService/GetProduct.
    rpc: String,
    /// The request message in JSON.
    #[arg(default_value = "{}")]
    message: String,
}

impl Grpc {
    pub(super) async fn main(self) -> ExitCode {
        let message: Value = match serde_json::from_str(&self.message) {
            Ok(message) => message,
            Err(error) => return fail(&format!("the message is not JSON: {error}")),
        };
        let mut call = Call::new(&self.rpc, message);
        for header in &self.headers {
            let Some((name, value)) = header.split_once(':') else {
                return fail(&format!("{header} is not metadata: write NAME: VALUE"));
            };
            call = match call.metadata(name.trim(), value.trim()) {
                Ok(call) => call,
                Err(error) => return fail(&error.to_string()),
            };
        }
        let made = match call.streams() {
            Ok(true) => show_all(call, self.address).await,
            Ok(false) => show(call, self.address).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(status)) => {
                complain(&told(&status));
                ExitCode::FAILURE
            }
            Err(error) => fail(&error.to_string()),
        }
    }
}

async fn show(call: Call, to: SocketAddr) -> Result<Result<(), Status>, Unspeakable> {
    let answer = call.send(to).await?;
    Ok(answer.map(|answer| say(&format!("{:#}", answer.into_inner()))))
}

/// A stream is shown as it comes, a line for each message.
async fn show_all(call: Call, to: SocketAddr) -> Result<Result<(), Status>, Unspeakable> {
    let all = async |mut messages: Messages| {
        while let Some(message) = messages.next().await? {
            say(&message.to_string());
        }
        Ok(())
    };
    Ok(match call.stream(to).await? {
        Ok(messages) => all(messages).await,
        Err(status) => Err(status),
    })
}

/// A failure as a gRPC client gets it: code, message and details.
fn told(status: &Status) -> String {
    let said = format!("{:?}: {}", status.code(), status.message());
    match details(status) {
        Value::Null => said,
        details => format!("{said}\n{details:#}"),
    }
}
