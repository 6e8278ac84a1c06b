//! `demo grpc`: calls an RPC of a service directly, for people without a gRPC tool.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{complain, fail, say};
use crate::dynamic::Call;

/// Calls an RPC.
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
        match call.send(self.address).await {
            Ok(Ok(answer)) => {
                say(&format!("{:#}", answer.into_inner()));
                ExitCode::SUCCESS
            }
            Ok(Err(status)) => {
                complain(&format!("{:?}: {}", status.code(), status.message()));
                ExitCode::FAILURE
            }
            Err(error) => fail(&error.to_string()),
        }
    }
}
