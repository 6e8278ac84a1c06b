//! Failing on purpose: latency, errors, pauses and a crash, asked for from outside (`kit.v1.FaultService`).
//!
//! It stands in front of every call and is there only under `--faults`. It decides nothing about a service's business.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use proto::kit::v1::{
    AbortRequest, AbortResponse, ClearFaultsRequest, ClearFaultsResponse, Fault, SetFaultRequest,
    SetFaultResponse, fault_service_server::FaultService,
};
use tokio::{sync::watch, time};
use tonic::{Code, Request, Response, Status};

use crate::Violations;

/// The faults of one service, shared by whoever sets them and whatever they befall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<watch::Sender<BTreeMap<String, Arc<Planned>>>>);

/// A fault, checked, with how many calls it has befallen.
#[derive(Debug)]
struct Planned {
    latency: Duration,
    error_percent: u64,
    code: Code,
    pause: bool,
    calls: AtomicU64,
}

impl Faults {
    /// What befalls a call of `package.Service/Method`: perhaps after a while, perhaps a failure.
    pub(crate) async fn befall(&self, rpc: &str) -> Result<(), Status> {
        let mut planned = self.0.subscribe();
        loop {
            let Some(fault) = find(&planned.borrow_and_update(), rpc) else { return Ok(()) };
            if !fault.pause {
                time::sleep(fault.latency).await;
                return fault.turn();
            }
            if planned.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The fault with the longest name that fits.
fn find(planned: &BTreeMap<String, Arc<Planned>>, rpc: &str) -> Option<Arc<Planned>> {
    let service = rpc.split('/').next().unwrap_or_default();
    let business = !service.starts_with("grpc.") && !service.starts_with("kit.");
    let fault = planned.get(rpc).or_else(|| planned.get(service));
    fault.or_else(|| planned.get("").filter(|_| business)).cloned()
}

impl Planned {
    /// Whether it is this call's turn to fail. Evenly spread: of ten calls at 30 % each ten have three.
    fn turn(&self) -> Result<(), Status> {
        let before = self.calls.fetch_add(1, Relaxed).wrapping_mul(self.error_percent);
        if before / 100 == (before + self.error_percent) / 100 {
            return Ok(());
        }
        Err(Status::new(self.code, "a fault that was asked for"))
    }
}

#[tonic::async_trait]
impl FaultService for Faults {
    async fn set_fault(
        &self,
        request: Request<SetFaultRequest>,
    ) -> Result<Response<SetFaultResponse>, Status> {
        let fault = request.into_inner().fault.unwrap_or_default();
        let (rpc, planned) = check(fault)?;
        tracing::warn!(rpc, fault = ?planned, "a fault was asked for");
        self.0.send_modify(|all| {
            all.insert(rpc, Arc::new(planned));
        });
        Ok(Response::new(SetFaultResponse {}))
    }

    async fn clear_faults(
        &self,
        _: Request<ClearFaultsRequest>,
    ) -> Result<Response<ClearFaultsResponse>, Status> {
        self.0.send_replace(BTreeMap::new());
        Ok(Response::new(ClearFaultsResponse {}))
    }

    async fn abort(&self, _: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        std::process::abort()
    }
}

fn check(fault: Fault) -> Result<(String, Planned), Status> {
    let mut violations = Violations::new();
    let latency = Duration::try_from(fault.latency.unwrap_or_default());
    if latency.is_err() {
        violations.add("fault.latency", "must not be negative");
    }
    if fault.error_percent > 100 {
        violations.add("fault.error_percent", "must be from 0 to 100");
    }
    let code = if fault.code == 0 { Code::Unavailable } else { Code::from_i32(fault.code) };
    let latency = latency.unwrap_or_default();
    if latency.is_zero() && fault.error_percent == 0 && !fault.pause {
        violations.add("fault", "does nothing: give it latency, error_percent or pause");
    }
    violations.check()?;
    let (error_percent, pause) = (fault.error_percent.into(), fault.pause);
    let planned = Planned { latency, error_percent, code, pause, calls: AtomicU64::new(0) };
    Ok((fault.rpc, planned))
}
