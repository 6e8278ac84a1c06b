//! What a bed can ask of services that were started with `--faults`.

use std::time::Duration;

use proto::kit::v1::fault_service_client::FaultServiceClient;
use proto::kit::v1::{ClearFaultsRequest, Fault, SetFaultRequest};
use tonic::Code;
use tonic::transport::Channel;

use super::Bed;
use crate::role::Role;

impl Bed {
    /// The service's own way to fail. Panics when nobody answers.
    pub async fn faults(&self, role: Role) -> FaultServiceClient<Channel> {
        match FaultServiceClient::connect(format!("http://{}", self.ports().address(role))).await {
            Ok(client) => client,
            Err(error) => panic!("{role} does not answer: {error}"),
        }
    }

    /// Makes a service fail like that from now on.
    pub async fn befall(&self, role: Role, fault: Fault) {
        let request = SetFaultRequest { fault: Some(fault) };
        if let Err(status) = self.faults(role).await.set_fault(request).await {
            panic!("{role} takes no fault: {status}");
        }
    }

    /// Lets all its calls fail at once with this code.
    pub async fn fail(&self, role: Role, code: Code) {
        self.befall(role, Fault { error_percent: 100, code: code.into(), ..Fault::default() })
            .await;
    }

    /// Makes all its calls later by so much.
    pub async fn slow(&self, role: Role, latency: Duration) {
        let latency = prost_types::Duration::try_from(latency).ok();
        self.befall(role, Fault { latency, ..Fault::default() }).await;
    }

    /// Holds all its calls until another fault comes, or none.
    pub async fn hold(&self, role: Role) {
        self.befall(role, Fault { pause: true, ..Fault::default() }).await;
    }

    /// Makes it well again.
    pub async fn heal(&self, role: Role) {
        if let Err(status) = self.faults(role).await.clear_faults(ClearFaultsRequest {}).await {
            panic!("{role} keeps its faults: {status}");
        }
    }
}
