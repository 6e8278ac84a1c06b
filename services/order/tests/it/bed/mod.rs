//! A shop of three services on temporary files, where the order service can be killed and started again.

mod middle;
mod truth;

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;
use proto::{
    order::v1::{
        CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, Order,
        OrderItem, OrderStatus, order_service_client::OrderServiceClient,
    },
    payment::v1::{CreatePaymentRequest, Payment, payment_service_client::PaymentServiceClient},
};
use service_kit::{Boot, Clock, Running, Shutdown, Timestamp};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tonic::{Request, Response, Status, transport::Channel};
use tonic_types::StatusExt as _;

pub(crate) use self::middle::{Fault, Gate, Middle, Rpc};

pub(crate) struct Bed {
    pub(crate) clock: Clock,
    pub(crate) middle: Middle,
    pub(crate) payment: Channel,
    folder: TempDir,
    _peers: [Running; 2],
}

/// An order service in a runtime of its own, so that it can be killed.
pub(crate) struct Service {
    pub(crate) channel: Channel,
    runtime: Option<Runtime>,
}

impl Service {
    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// One that runs somewhere else.
    pub(crate) fn elsewhere(channel: Channel) -> Self {
        Self { channel, runtime: None }
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(crate) fn client(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel.clone())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

impl Bed {
    /// The shop without its order service.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::set_to("2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let product = {
            let shutdown = Shutdown::new();
            let boot = boot((), folder.path().join("product.db"), &clock, &shutdown);
            Running::start(product::start(boot).await.unwrap(), shutdown).await.unwrap()
        };
        let payment = {
            let shutdown = Shutdown::new();
            let boot =
                boot(payment::Args::default(), folder.path().join("payment.db"), &clock, &shutdown);
            Running::start(payment::start(boot).await.unwrap(), shutdown).await.unwrap()
        };
        let (to_product, to_payment) = (connect(&product.url()), connect(&payment.url()));
        let middle = Middle::start(to_product, to_payment.clone()).await;
        Self { clock, middle, payment: to_payment, folder, _peers: [product, payment] }
    }

    /// The shop with its order service.
    pub(crate) async fn start() -> (Self, Service) {
        let bed = Self::new().await;
        let service = bed.serve().await;
        (bed, service)
    }

    /// One more order service, over the same file.
    pub(crate) async fn serve(&self) -> Service {
        let at = self.middle.address;
        self.serve_with(&at.to_string(), &at.to_string()).await
    }

    pub(crate) async fn serve_with(&self, product: &str, payment: &str) -> Service {
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let args =
            order::Args { product: product.parse().unwrap(), payment: payment.parse().unwrap() };
        let shutdown = Shutdown::new();
        let boot = boot(args, self.folder.path().join("order.db"), &self.clock, &shutdown);
        let started = runtime
            .spawn(async { Running::start(order::start(boot).await.unwrap(), shutdown).await });
        let channel = connect(&started.await.unwrap().unwrap().url());
        Service { channel, runtime: Some(runtime) }
    }

    /// The file of the order service.
    pub(crate) fn order_database(&self) -> String {
        self.folder.path().join("order.db").to_str().unwrap().to_owned()
    }

    /// Lets calendar time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(crate) async fn pay(&self, user: &str, key: &str, order: &str) -> Result<Payment, Status> {
        let request =
            CreatePaymentRequest { order_id: order.to_owned(), method: "tok_visa".to_owned() };
        let mut client = PaymentServiceClient::new(self.payment.clone());
        client.create_payment(speaking(user, key, request)).await.map(Response::into_inner)
    }
}

impl Service {
    pub(crate) async fn create(
        &self,
        user: &str,
        key: &str,
        items: &[(&str, i32)],
    ) -> Result<Response<Order>, Status> {
        create(self.channel.clone(), user, key, items).await
    }

    /// An order of one keyboard by ada.
    pub(crate) async fn ordered(&self, key: &str) -> Order {
        self.create("123", key, &[("p-1", 1)]).await.unwrap().into_inner()
    }

    pub(crate) async fn cancel(&self, user: &str, id: &str) -> Result<Order, Status> {
        let request = speaking(user, "", CancelOrderRequest { id: id.to_owned() });
        self.client().cancel_order(request).await.map(Response::into_inner)
    }

    pub(crate) async fn read(&self, user: &str, id: &str) -> Result<Order, Status> {
        let request = speaking(user, "", GetOrderRequest { id: id.to_owned() });
        self.client().get_order(request).await.map(Response::into_inner)
    }

    pub(crate) async fn orders_of(&self, user: &str) -> Vec<Order> {
        let request = ListOrdersRequest {
            user_id: user.to_owned(),
            page_size: 100,
            page_token: String::new(),
        };
        let answer = self.client().list_orders(speaking(user, "", request)).await.unwrap();
        answer.into_inner().orders
    }

    /// Waits until ada's order has come to `status`.
    pub(crate) async fn reaches(&self, id: &str, status: OrderStatus) -> Order {
        let mut last = None;
        let reached = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let order = self.read("123", id).await.unwrap();
                if order.status() == status {
                    return order;
                }
                last = Some(order);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        reached.await.unwrap_or_else(|_| panic!("{id} did not reach {status:?}: {last:?}"))
    }
}

pub(crate) async fn create(
    channel: Channel,
    user: &str,
    key: &str,
    items: &[(&str, i32)],
) -> Result<Response<Order>, Status> {
    let item = |(product, quantity): &(&str, i32)| OrderItem {
        product_id: (*product).to_owned(),
        quantity: *quantity,
        ..OrderItem::default()
    };
    let request = CreateOrderRequest { items: items.iter().map(item).collect() };
    OrderServiceClient::new(channel).create_order(speaking(user, key, request)).await
}

/// A request of a user; `1` is an admin, an empty key is none.
pub(crate) fn speaking<T>(user: &str, key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    if !user.is_empty() {
        metadata.insert("x-principal-id", user.parse().unwrap());
    }
    if user == "1" {
        metadata.insert("x-principal-roles", "admin".parse().unwrap());
    }
    if !key.is_empty() {
        metadata.insert("idempotency-key", key.parse().unwrap());
    }
    request
}

/// The reason of an answer's `ErrorInfo`.
#[track_caller]
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let details = answer.unwrap_err().get_error_details();
    details.error_info().map_or_else(String::new, |info| info.reason.clone())
}

/// Waits until `condition` holds, at most ten seconds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} did not come true"));
}

fn boot<A>(args: A, database: PathBuf, clock: &Clock, shutdown: &Shutdown) -> Boot<A> {
    Boot { args, database, clock: clock.clone(), shutdown: shutdown.clone() }
}

fn connect(url: &str) -> Channel {
    Channel::from_shared(url.to_owned()).unwrap().connect_lazy()
}
