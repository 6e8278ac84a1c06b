//! Whether a part can be used.

use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::part::Part;
use crate::role::{Ports, Role};
use crate::wait::until;

/// How much of its log a part that ended is quoted with: all mistakes of a configuration, not a whole day.
const LINES_TOLD: usize = 20;

/// Why a part can't be used.
#[derive(Debug, Error)]
pub enum NotReady {
    /// The system could not start it.
    #[error("{part} can't be started: {source}")]
    NotStarted {
        /// The part.
        part: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ended instead of starting.
    #[error("{part} ended at once ({status}) and said:\n{said}")]
    Ended {
        /// The part.
        part: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        said: String,
    },
    /// It runs, but does not answer.
    #[error("{part} was not ready after {patience:?}; the last thing it said was: {last_line}")]
    Late {
        /// The part.
        part: &'static str,
        /// How long we waited.
        patience: Duration,
        /// The last line of its log.
        last_line: String,
    },
}

/// Waits until a part can be used, or can't be any more.
pub async fn wait(
    part: &Part,
    role: Role,
    ports: &Ports,
    patience: Duration,
) -> Result<(), NotReady> {
    let outcome = until(patience, async || {
        if let Some(status) = part.ended() {
            return Some(Err(NotReady::Ended {
                part: part.name(),
                status,
                said: part.log().end(LINES_TOLD),
            }));
        }
        is_ready(role, ports).await.then_some(Ok(()))
    });
    outcome.await.unwrap_or_else(|| {
        Err(NotReady::Late { part: part.name(), patience, last_line: part.log().last_line() })
    })
}

/// Asks a part whether it can be used: a service by gRPC health, the gateway at `/readyz`.
pub async fn is_ready(role: Role, ports: &Ports) -> bool {
    if role == Role::Gateway {
        return answers_ok(&format!("{}/readyz", ports.console_base())).await;
    }
    serves(&format!("http://{}", ports.address(role))).await.unwrap_or(false)
}

/// Whether a GET of `url` is answered with 200.
pub async fn answers_ok(url: &str) -> bool {
    reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success())
}

async fn serves(address: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let channel = Endpoint::from_shared(address.to_owned())?
        .timeout(Duration::from_secs(1))
        .connect()
        .await?;
    let answer =
        HealthClient::new(channel).check(HealthCheckRequest::default()).await?.into_inner();
    Ok(answer.status() == ServingStatus::Serving)
}
