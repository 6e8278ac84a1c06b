//! `--probe`: whether the service at an address serves, asked as a load balancer would ask (grpc.health.v1).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{About, BootError};

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn probe(about: &About, address: SocketAddr) -> Result<(), BootError> {
    let address = reachable(address);
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        BootError::Other(format!("no answer from {address}"), Some(error))
    };
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|error| failed(error.into()))?;
    let endpoint = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE);
    let channel = endpoint.connect().await.map_err(|error| failed(error.into()))?;
    let request = HealthCheckRequest { service: about.probe.to_owned() };
    let answer =
        HealthClient::new(channel).check(request).await.map_err(|error| failed(error.into()))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        status => Err(BootError::Other(
            format!("{} at {address} is {}", about.probe, status.as_str_name()),
            None,
        )),
    }
}

/// Who listens on all addresses is asked on the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
