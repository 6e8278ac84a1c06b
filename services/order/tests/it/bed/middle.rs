//! Stands between the order service and its peers: passes calls on, counts them, and does what goes wrong in life.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
};

use proto::{
    payment::v1::{
        FollowRequest, GetIntentRequest, Intent, OpenIntentRequest, PaymentEvent,
        VoidIntentRequest,
        intent_service_client::IntentServiceClient,
        intent_service_server::{IntentService, IntentServiceServer},
        payment_events_service_client::PaymentEventsServiceClient,
        payment_events_service_server::{PaymentEventsService, PaymentEventsServiceServer},
    },
    product::v1::{
        ReleaseStockRequest, ReleaseStockResponse, Reservation, ReserveStockRequest,
        SellStockRequest, SellStockResponse,
        stock_service_client::StockServiceClient,
        stock_service_server::{StockService, StockServiceServer},
    },
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{
    Request, Response, Status, async_trait,
    transport::{Channel, Server, server::TcpIncoming},
};

/// The calls that the order service makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rpc {
    Reserve,
    Release,
    Sell,
    Open,
    Look,
    Void,
    Follow,
}

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It does not arrive.
    Unreachable,
    /// It arrives and is done, but the answer is lost.
    AnswerLost,
    /// It waits at the gate before it is done.
    HeldBefore(Gate),
    /// It is done, and its answer waits at the gate.
    HeldAfter(Gate),
}

/// Where calls wait: the test sees them come and lets them go.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    came: Arc<Semaphore>,
    may_go: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { came: Arc::new(Semaphore::new(0)), may_go: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until a call has come.
    pub(crate) async fn reached(&self) {
        let came = tokio::time::timeout(std::time::Duration::from_secs(10), self.came.acquire());
        came.await.unwrap_or_else(|_| panic!("no call came to the gate")).unwrap().forget();
    }

    pub(crate) fn open(&self) {
        self.may_go.add_permits(1000);
    }

    async fn pass(&self) {
        self.came.add_permits(1);
        self.may_go.acquire().await.unwrap().forget();
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Middle {
    pub(crate) address: SocketAddr,
    product: Channel,
    payment: Channel,
    script: Arc<Mutex<HashMap<Rpc, VecDeque<Fault>>>>,
    down: Arc<Mutex<Vec<Rpc>>>,
    stopped: Arc<Mutex<Vec<Rpc>>>,
    calls: Arc<Mutex<Vec<Rpc>>>,
    cuts: watch::Sender<u32>,
}

impl Middle {
    pub(crate) async fn start(product: Channel, payment: Channel) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = watch::Sender::new(0);
        let middle = Self {
            address,
            product,
            payment,
            script: Arc::default(),
            down: Arc::default(),
            stopped: Arc::default(),
            calls: Arc::default(),
            cuts,
        };
        let server = Server::builder()
            .add_service(StockServiceServer::new(middle.clone()))
            .add_service(IntentServiceServer::new(middle.clone()))
            .add_service(PaymentEventsServiceServer::new(middle.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        middle
    }

    /// The next calls of this kind go wrong like this, one after the other.
    pub(crate) fn plan(&self, rpc: Rpc, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().unwrap().entry(rpc).or_default().extend(faults);
    }

    /// These calls do not arrive; all others do.
    pub(crate) fn down(&self, rpcs: &[Rpc]) {
        *self.down.lock().unwrap() = rpcs.to_vec();
    }

    /// These calls arrive and are never answered, like those to a stopped process; all others are.
    pub(crate) fn stop(&self, rpcs: &[Rpc]) {
        *self.stopped.lock().unwrap() = rpcs.to_vec();
    }

    /// How many calls of this kind were made.
    pub(crate) fn calls(&self, rpc: Rpc) -> usize {
        self.calls.lock().unwrap().iter().filter(|made| **made == rpc).count()
    }

    /// Cuts the streams of events that are open now.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    async fn through<A>(
        &self,
        rpc: Rpc,
        work: impl Future<Output = Result<Response<A>, Status>>,
    ) -> Result<Response<A>, Status> {
        self.calls.lock().unwrap().push(rpc);
        let lost = || Status::unavailable("the network is what it is");
        if self.down.lock().unwrap().contains(&rpc) {
            return Err(lost());
        }
        let stopped = self.stopped.lock().unwrap().contains(&rpc);
        if stopped {
            std::future::pending::<()>().await;
        }
        let fault = self.script.lock().unwrap().get_mut(&rpc).and_then(VecDeque::pop_front);
        match fault {
            None => work.await,
            Some(Fault::Unreachable) => Err(lost()),
            Some(Fault::AnswerLost) => work.await.and_then(|_| Err(lost())),
            Some(Fault::HeldBefore(gate)) => {
                gate.pass().await;
                work.await
            }
            Some(Fault::HeldAfter(gate)) => {
                let answer = work.await;
                gate.pass().await;
                answer
            }
        }
    }

    fn stock(&self) -> StockServiceClient<Channel> {
        StockServiceClient::new(self.product.clone())
    }

    fn intents(&self) -> IntentServiceClient<Channel> {
        IntentServiceClient::new(self.payment.clone())
    }
}

#[async_trait]
impl StockService for Middle {
    async fn reserve_stock(
        &self,
        request: Request<ReserveStockRequest>,
    ) -> Result<Response<Reservation>, Status> {
        self.through(Rpc::Reserve, self.stock().reserve_stock(request.into_inner())).await
    }

    async fn release_stock(
        &self,
        request: Request<ReleaseStockRequest>,
    ) -> Result<Response<ReleaseStockResponse>, Status> {
        self.through(Rpc::Release, self.stock().release_stock(request.into_inner())).await
    }

    async fn sell_stock(
        &self,
        request: Request<SellStockRequest>,
    ) -> Result<Response<SellStockResponse>, Status> {
        self.through(Rpc::Sell, self.stock().sell_stock(request.into_inner())).await
    }
}

#[async_trait]
impl IntentService for Middle {
    async fn open_intent(
        &self,
        request: Request<OpenIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        self.through(Rpc::Open, self.intents().open_intent(request.into_inner())).await
    }

    async fn get_intent(
        &self,
        request: Request<GetIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        self.through(Rpc::Look, self.intents().get_intent(request.into_inner())).await
    }

    async fn void_intent(
        &self,
        request: Request<VoidIntentRequest>,
    ) -> Result<Response<Intent>, Status> {
        self.through(Rpc::Void, self.intents().void_intent(request.into_inner())).await
    }
}

#[async_trait]
impl PaymentEventsService for Middle {
    type FollowStream = Pin<Box<dyn Stream<Item = Result<PaymentEvent, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        if self.down.lock().unwrap().contains(&Rpc::Follow) {
            return Err(Status::unavailable("down"));
        }
        let mut client = PaymentEventsServiceClient::new(self.payment.clone());
        let events = client.follow(request.into_inner()).await?.into_inner();
        let mut cuts = self.cuts.subscribe();
        let cut = Box::pin(async move { drop(cuts.changed().await) });
        let cut = futures_util::stream::once(cut).map(|()| None);
        let events = events.map(Some).merge(cut).take_while(Option::is_some).map(Option::unwrap);
        Ok(Response::new(Box::pin(events)))
    }
}
