//! What every service does on its port, seen by a client over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use proto::product::v1::{
    ReleaseStockRequest, ReleaseStockResponse, Reservation, ReserveStockRequest, SellStockRequest,
    SellStockResponse,
    stock_service_client::StockServiceClient,
    stock_service_server::{StockService, StockServiceServer},
};
use service_kit::{Running, Shutdown, Site};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, metadata::MetadataValue, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

const NAME: &str = "product.v1.StockService";

/// Reserving is not offered, releasing panics, selling ends when it is told to.
#[derive(Clone, Default)]
struct Odd {
    selling: Arc<Notify>,
    sell: Arc<Notify>,
}

#[tonic::async_trait]
impl StockService for Odd {
    async fn reserve_stock(
        &self,
        _: Request<ReserveStockRequest>,
    ) -> Result<Response<Reservation>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn release_stock(
        &self,
        _: Request<ReleaseStockRequest>,
    ) -> Result<Response<ReleaseStockResponse>, Status> {
        panic!("a bug")
    }

    async fn sell_stock(
        &self,
        _: Request<SellStockRequest>,
    ) -> Result<Response<SellStockResponse>, Status> {
        self.selling.notify_one();
        self.sell.notified().await;
        Ok(Response::new(SellStockResponse {}))
    }
}

struct Bench {
    odd: Odd,
    service: Running,
    channel: Channel,
}

impl Bench {
    async fn start() -> Self {
        let odd = Odd::default();
        let site = Site::new().grpc(StockServiceServer::new(odd.clone()));
        let service = Running::start(site, Shutdown::new()).await.unwrap();
        let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
        Self { odd, service, channel }
    }

    fn stock(&self) -> StockServiceClient<Channel> {
        StockServiceClient::new(self.channel.clone())
    }

    async fn sell(
        &self,
        request: Request<SellStockRequest>,
    ) -> Result<Response<SellStockResponse>, Status> {
        self.odd.sell.notify_one();
        self.stock().sell_stock(request).await
    }

    async fn health(&self, service: &str) -> Result<ServingStatus, Status> {
        let request = HealthCheckRequest { service: service.to_owned() };
        Ok(HealthClient::new(self.channel.clone()).check(request).await?.into_inner().status())
    }
}

#[tokio::test]
async fn health_is_told_for_the_server_and_for_each_service() {
    let bench = Bench::start().await;
    for name in ["", NAME] {
        assert_eq!(bench.health(name).await.unwrap(), ServingStatus::Serving);
    }
    assert_eq!(bench.health("product.v1.ProductService").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_keeps_the_http_rules() {
    let bench = Bench::start().await;
    let asked = MessageRequest::FileContainingSymbol("product.v1.ProductService".to_owned());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
    let mut client = ServerReflectionClient::new(bench.channel.clone());
    let mut answers =
        client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("{answer:?}") };
    let rule = b"/api/products:watch";
    assert!(
        files
            .file_descriptor_proto
            .iter()
            .any(|file| file.windows(rule.len()).any(|bytes| bytes == rule))
    );
}

#[tokio::test]
async fn reflection_lists_what_is_served_here() {
    let bench = Bench::start().await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(bench.channel.clone());
    let mut answers =
        client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let mut names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["grpc.health.v1.Health", NAME]);
}

#[tokio::test]
async fn a_panic_is_the_end_of_one_call_only() {
    let bench = Bench::start().await;
    let mut other = bench.stock();
    let other = tokio::spawn(async move { other.sell_stock(SellStockRequest::default()).await });
    bench.odd.selling.notified().await;
    let failed = bench.stock().release_stock(ReleaseStockRequest::default()).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Internal, "internal error"));
    bench.odd.sell.notify_one();
    other.await.unwrap().unwrap();
}

#[tokio::test]
async fn refuses_headers_of_more_than_16_kib_and_goes_on() {
    let bench = Bench::start().await;
    let mut request = Request::new(SellStockRequest::default());
    let long = MetadataValue::try_from("x".repeat(20 * 1024)).unwrap();
    request.metadata_mut().insert("x-long", long);
    assert!(bench.stock().sell_stock(request).await.is_err());
    bench.sell(Request::new(SellStockRequest::default())).await.unwrap();
}

#[tokio::test]
async fn refuses_a_message_of_more_than_64_kib_and_goes_on() {
    let bench = Bench::start().await;
    let request = |length| SellStockRequest { order_id: "x".repeat(length) };
    let refused = bench.stock().sell_stock(request(70_000)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    bench.sell(Request::new(request(64 * 1024 - 4))).await.unwrap();
}

#[tokio::test]
async fn a_drain_says_so_first_and_lets_calls_end() {
    let bench = Bench::start().await;
    let request = HealthCheckRequest { service: NAME.to_owned() };
    let mut health =
        HealthClient::new(bench.channel.clone()).watch(request).await.unwrap().into_inner();
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let mut client = bench.stock();
    let in_flight =
        tokio::spawn(async move { client.sell_stock(SellStockRequest::default()).await });
    bench.odd.selling.notified().await;

    let address = bench.service.address;
    let stopped = tokio::spawn(bench.service.stop());
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let end = tokio::time::timeout(Duration::from_secs(5), health.next()).await;
    assert!(end.unwrap().is_none());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());

    bench.odd.sell.notify_one();
    in_flight.await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(5), stopped).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn tasks_are_waited_for() {
    let (shutdown, ended) = (Shutdown::new(), Arc::new(Mutex::new(false)));
    let (stop, end) = (shutdown.clone(), Arc::clone(&ended));
    let site =
        Site::new().grpc(StockServiceServer::new(Odd::default())).task("sweep", async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            *end.lock().unwrap() = true;
        });
    Running::start(site, shutdown).await.unwrap().stop().await.unwrap();
    assert!(*ended.lock().unwrap());
}

#[tokio::test]
async fn a_task_that_ends_early_ends_the_service_after_a_drain() {
    let (odd, shutdown, end) = (Odd::default(), Shutdown::new(), Arc::new(Notify::new()));
    let told = Arc::clone(&end);
    let site = Site::new().grpc(StockServiceServer::new(odd.clone())).task("sweep", async move {
        told.notified().await;
        panic!("a bug")
    });
    let service = Running::start(site, shutdown.clone()).await.unwrap();
    let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
    let mut client = StockServiceClient::new(channel);
    let call = tokio::spawn(async move { client.sell_stock(SellStockRequest::default()).await });
    odd.selling.notified().await;
    end.notify_one();
    shutdown.cancelled().await;
    odd.sell.notify_one();
    call.await.unwrap().unwrap();
    let failed = service.stop().await.unwrap_err();
    assert!(matches!(failed, service_kit::BootError::Task("sweep")), "{failed:?}");
}

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_call_is_one_line_in_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let _log = tracing::subscriber::set_default(log);
    let bench = Bench::start().await;
    let mut request = Request::new(SellStockRequest::default());
    request.metadata_mut().insert("x-request-id", MetadataValue::from_static("r-1"));
    request.metadata_mut().insert("x-principal-id", MetadataValue::from_static("123"));
    bench.sell(request).await.unwrap();
    let _ = bench.stock().release_stock(ReleaseStockRequest::default()).await;
    let mut doubled = Request::new(SellStockRequest::default());
    for name in ["x-request-id", "x-principal-id"] {
        for _ in 0..2 {
            doubled.metadata_mut().append(name, MetadataValue::from_static("forged"));
        }
    }
    bench.sell(doubled).await.unwrap();
    let mut long = Request::new(SellStockRequest::default());
    long.metadata_mut().insert("x-request-id", "y".repeat(1000).parse().unwrap());
    bench.sell(long).await.unwrap();
    bench.health("").await.unwrap();
    bench.service.stop().await.unwrap();

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let access: Vec<_> =
        text.lines().filter(|line| line.contains(r#""target":"access""#)).collect();
    assert_eq!(access.len(), 4, "{text}");
    // The handler takes neither of two for the one, and nor does the line.
    assert!(access[2].contains(r#""principal":"""#) && !text.contains("forged"), "{text}");
    assert!(access[3].contains(&"y".repeat(128)) && !text.contains(&"y".repeat(129)), "{text}");
    for part in [
        r#""request_id":"r-1""#,
        r#""principal":"123""#,
        r#""rpc":"product.v1.StockService/SellStock""#,
    ] {
        assert!(access[0].contains(part), "{part} is not in {}", access[0]);
    }
    assert!(
        access[0].contains(r#""code":"OK""#) && access[0].contains(r#""micros":"#),
        "{}",
        access[0]
    );
    assert!(access[1].contains(r#""code":"INTERNAL""#), "{}", access[1]);
}
