//! One or more payment services over one file, and clients that speak for a user.

use std::{path::Path, time::Duration};

use jiff::SignedDuration;
use proto::{
    google::r#type::Money,
    payment::v1::{
        CreatePaymentRequest, GetIntentRequest, GetPaymentRequest, Intent, OpenIntentRequest,
        Payment, RefundPaymentRequest, VoidIntentRequest,
        intent_service_client::IntentServiceClient,
        payment_events_service_client::PaymentEventsServiceClient,
        payment_service_client::PaymentServiceClient,
    },
};
use rusqlite::Connection;
use service_kit::{Boot, Clock, Running, Shutdown, Timestamp};
use tempfile::TempDir;
use tonic::{Request, Response, Status, transport::Channel};
use tonic_types::StatusExt as _;

pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

pub(crate) struct Bed {
    pub(crate) clock: Clock,
    folder: TempDir,
    pub(crate) service: Running,
    pub(crate) channel: Channel,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::set_to("2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap());
        let (service, channel) = serve(folder.path(), &clock).await;
        Self { clock, folder, service, channel }
    }

    /// Another replica over the same file.
    pub(crate) async fn replica(&self) -> Channel {
        serve(self.folder.path(), &self.clock).await.1
    }

    pub(crate) fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("payment.db")).unwrap()
    }

    /// The single number that a query answers.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) async fn open(&self, order: &str, user: &str, units: i64) -> Result<Intent, Status> {
        let request = OpenIntentRequest {
            order_id: order.to_owned(),
            user_id: user.to_owned(),
            amount: Some(Money { currency_code: "USD".to_owned(), units, nanos: 0 }),
        };
        IntentServiceClient::new(self.channel.clone())
            .open_intent(request)
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn intent(&self, order: &str) -> Result<Intent, Status> {
        let request = GetIntentRequest { order_id: order.to_owned() };
        let mut client = IntentServiceClient::new(self.channel.clone());
        client.get_intent(request).await.map(Response::into_inner)
    }

    pub(crate) async fn void(&self, order: &str) -> Result<Intent, Status> {
        void(self.channel.clone(), order).await
    }

    pub(crate) async fn pay(
        &self,
        user: &str,
        key: &str,
        order: &str,
        method: &str,
    ) -> Result<Response<Payment>, Status> {
        pay(self.channel.clone(), user, key, order, method).await
    }

    pub(crate) async fn read(&self, user: &str, roles: &str, id: &str) -> Result<Payment, Status> {
        let mut request = speaking(user, None, GetPaymentRequest { id: id.to_owned() });
        if !roles.is_empty() {
            request.metadata_mut().insert("x-principal-roles", roles.parse().unwrap());
        }
        PaymentServiceClient::new(self.channel.clone())
            .get_payment(request)
            .await
            .map(Response::into_inner)
    }

    pub(crate) async fn refund(&self, id: &str) -> Result<Payment, Status> {
        let request = speaking("1", None, RefundPaymentRequest { id: id.to_owned() });
        PaymentServiceClient::new(self.channel.clone())
            .refund_payment(request)
            .await
            .map(Response::into_inner)
    }

    pub(crate) fn events(&self) -> PaymentEventsServiceClient<Channel> {
        PaymentEventsServiceClient::new(self.channel.clone())
    }
}

pub(crate) async fn void(channel: Channel, order: &str) -> Result<Intent, Status> {
    let request = VoidIntentRequest { order_id: order.to_owned() };
    IntentServiceClient::new(channel).void_intent(request).await.map(Response::into_inner)
}

pub(crate) async fn pay(
    channel: Channel,
    user: &str,
    key: &str,
    order: &str,
    method: &str,
) -> Result<Response<Payment>, Status> {
    let request = CreatePaymentRequest { order_id: order.to_owned(), method: method.to_owned() };
    PaymentServiceClient::new(channel).create_payment(speaking(user, Some(key), request)).await
}

pub(crate) fn speaking<T>(user: &str, key: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !user.is_empty() {
        request.metadata_mut().insert("x-principal-id", user.parse().unwrap());
    }
    if let Some(key) = key {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    request
}

/// The reason of an answer's `ErrorInfo`.
#[track_caller]
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let details = answer.unwrap_err().get_error_details();
    details.error_info().map_or_else(String::new, |info| info.reason.clone())
}

/// Waits until `condition` holds, at most five seconds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(5), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} did not come true"));
}

async fn serve(folder: &Path, clock: &Clock) -> (Running, Channel) {
    let shutdown = Shutdown::new();
    let args =
        payment::Args { intent_ttl: LIFETIME, slowness: Duration::from_millis(300), places: 2 };
    let boot = Boot {
        args,
        database: folder.join("payment.db"),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
    };
    let service = Running::start(payment::start(boot).await.unwrap(), shutdown).await.unwrap();
    let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
    (service, channel)
}
