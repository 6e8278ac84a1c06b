//! Failing on purpose, seen by a client over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::time::Duration;

use proto::{
    kit::v1::{
        ClearFaultsRequest, Fault, SetFaultRequest, fault_service_client::FaultServiceClient,
    },
    product::v1::{
        ReleaseStockRequest, ReleaseStockResponse, Reservation, ReserveStockRequest,
        SellStockRequest, SellStockResponse,
        stock_service_client::StockServiceClient,
        stock_service_server::{StockService, StockServiceServer},
    },
};
use service_kit::{Running, Shutdown, Site};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Always well.
struct Well;

#[tonic::async_trait]
impl StockService for Well {
    async fn reserve_stock(
        &self,
        _: Request<ReserveStockRequest>,
    ) -> Result<Response<Reservation>, Status> {
        Ok(Response::new(Reservation::default()))
    }

    async fn release_stock(
        &self,
        _: Request<ReleaseStockRequest>,
    ) -> Result<Response<ReleaseStockResponse>, Status> {
        Ok(Response::new(ReleaseStockResponse {}))
    }

    async fn sell_stock(
        &self,
        _: Request<SellStockRequest>,
    ) -> Result<Response<SellStockResponse>, Status> {
        Ok(Response::new(SellStockResponse {}))
    }
}

struct Bench {
    _service: Running,
    channel: Channel,
}

impl Bench {
    async fn start(site: Site) -> Self {
        let service = Running::start(site, Shutdown::new()).await.unwrap();
        let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
        Self { _service: service, channel }
    }

    async fn faulty() -> Self {
        Self::start(Site::new().grpc(StockServiceServer::new(Well)).faulty()).await
    }

    async fn set(&self, fault: Fault) -> Result<(), Status> {
        let request = SetFaultRequest { fault: Some(fault) };
        let mut faults = FaultServiceClient::new(self.channel.clone());
        faults.set_fault(request).await.map(drop)
    }

    async fn clear(&self) {
        let mut faults = FaultServiceClient::new(self.channel.clone());
        let _ = faults.clear_faults(ClearFaultsRequest {}).await.unwrap();
    }

    async fn sell(&self) -> Code {
        let mut stock = StockServiceClient::new(self.channel.clone());
        let sold = stock.sell_stock(SellStockRequest::default()).await;
        sold.map_or_else(|status| status.code(), |_| Code::Ok)
    }

    async fn release(&self) -> Code {
        let mut stock = StockServiceClient::new(self.channel.clone());
        let released = stock.release_stock(ReleaseStockRequest::default()).await;
        released.map_or_else(|status| status.code(), |_| Code::Ok)
    }
}

#[tokio::test]
async fn without_the_flag_nobody_can_make_it_fail() {
    let bench = Bench::start(Site::new().grpc(StockServiceServer::new(Well))).await;
    let refused = bench.set(Fault { error_percent: 100, ..Fault::default() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(bench.sell().await, Code::Ok);
}

#[tokio::test]
async fn so_many_of_a_hundred_fail_with_the_code_that_was_asked_for() {
    let bench = Bench::faulty().await;
    let code = proto::google::rpc::Code::ResourceExhausted as i32;
    bench.set(Fault { error_percent: 30, code, ..Fault::default() }).await.unwrap();
    let mut failed = 0;
    for _ in 0..20 {
        match bench.sell().await {
            Code::Ok => {}
            Code::ResourceExhausted => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, 6);
    bench.clear().await;
    assert_eq!(bench.sell().await, Code::Ok);
}

#[tokio::test]
async fn the_longest_name_counts_and_health_is_spared() {
    let bench = Bench::faulty().await;
    let fault = |rpc: &str, error_percent, code: Code| Fault {
        rpc: rpc.to_owned(),
        error_percent,
        code: code as i32,
        ..Fault::default()
    };
    bench.set(fault("", 100, Code::Internal)).await.unwrap();
    assert_eq!((bench.sell().await, bench.release().await), (Code::Internal, Code::Internal));
    bench.set(fault("product.v1.StockService", 100, Code::Aborted)).await.unwrap();
    bench.set(fault("product.v1.StockService/SellStock", 100, Code::Unavailable)).await.unwrap();
    assert_eq!((bench.sell().await, bench.release().await), (Code::Unavailable, Code::Aborted));
    let mut health = HealthClient::new(bench.channel.clone());
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
    bench.set(fault("grpc.health.v1.Health", 100, Code::Unavailable)).await.unwrap();
    assert!(health.check(HealthCheckRequest::default()).await.is_err(), "unless it is named");
}

#[tokio::test]
async fn a_call_can_be_late_and_held_until_the_fault_is_gone() {
    let bench = Bench::faulty().await;
    let latency = Some(prost_types::Duration { seconds: 0, nanos: 50_000_000 });
    bench.set(Fault { latency, ..Fault::default() }).await.unwrap();
    let began = Instant::now();
    assert_eq!(bench.sell().await, Code::Ok);
    assert!(began.elapsed() >= Duration::from_millis(50));
    bench.set(Fault { pause: true, ..Fault::default() }).await.unwrap();
    let held = bench.sell();
    let mut held = std::pin::pin!(held);
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut held).await;
    assert!(waited.is_err(), "{waited:?}");
    bench.clear().await;
    assert_eq!(held.await, Code::Ok);
}

#[tokio::test]
async fn a_fault_that_is_none_is_refused() {
    let bench = Bench::faulty().await;
    let negative = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    for fault in [
        Fault::default(),
        Fault { error_percent: 101, ..Fault::default() },
        Fault { latency: negative, pause: true, ..Fault::default() },
    ] {
        assert_eq!(bench.set(fault).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(bench.sell().await, Code::Ok);
}
