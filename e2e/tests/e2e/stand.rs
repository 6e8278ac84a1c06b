//! What the tests stand on: a shop to look at, or one to break.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Duration;

use e2e::bed::{Bed, Setup};
use e2e::role::Role;
use e2e::shop::{Answer, Shop};
use e2e::wait::{eventually, until};
use serde_json::Value;
use tokio::sync::Mutex;

/// How long a line may take to reach a log.
const PATIENCE: Duration = Duration::from_secs(5);

/// The shop that the tests of one process share.
static SHARED: Mutex<Weak<Bed>> = Mutex::const_new(Weak::new());

/// A shop of one's own, to be changed before it is started.
pub(crate) fn setup() -> Setup {
    assert!(
        target().is_none(),
        "this test starts its own shop, so it says nothing about E2E_TARGET: run the tests named any_shop"
    );
    Setup::new(env!("CARGO_BIN_EXE_demo"))
}

/// A shop as the repository configures it, shared with other tests: look at it, don't break it.
pub(crate) async fn shared() -> Arc<Bed> {
    let mut shared = SHARED.lock().await;
    if let Some(bed) = shared.upgrade() {
        return bed;
    }
    let bed = Arc::new(setup().start().await);
    *shared = Arc::downgrade(&bed);
    bed
}

/// A shop seen from outside: the one at `E2E_TARGET`, or else the shared one.
pub(crate) async fn any_shop() -> AnyShop {
    if let Some(base) = target() {
        return AnyShop { shop: Shop::at(&base), bed: None };
    }
    let bed = shared().await;
    AnyShop { shop: bed.shop(), bed: Some(bed) }
}

fn target() -> Option<String> {
    std::env::var("E2E_TARGET").ok().filter(|base| !base.is_empty())
}

/// A shop that may be somebody else's.
pub(crate) struct AnyShop {
    shop: Shop,
    bed: Option<Arc<Bed>>,
}

impl Deref for AnyShop {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl AnyShop {
    /// Asserts that a service took a call for this answer's request, by this principal (empty: nobody), with this end.
    /// The logs of somebody else's shop can't be read; there, what the client sees has to do.
    pub(crate) async fn service_saw(
        &self,
        answer: &Answer,
        rpc: &str,
        principal: &str,
        code: &str,
    ) {
        if let Some(bed) = &self.bed {
            bed.service_saw(answer, rpc, principal, code).await;
        }
    }

    /// Asserts that no service heard of this answer's request: it was refused at the door.
    pub(crate) async fn no_service_saw(&self, answer: &Answer) {
        if let Some(bed) = &self.bed {
            bed.no_service_saw(answer).await;
        }
    }
}

/// What a test asks a bed about an answer.
pub(crate) trait Witness {
    /// See [`AnyShop::service_saw`].
    async fn service_saw(&self, answer: &Answer, rpc: &str, principal: &str, code: &str);

    /// See [`AnyShop::no_service_saw`].
    async fn no_service_saw(&self, answer: &Answer);
}

impl Witness for Bed {
    async fn service_saw(&self, answer: &Answer, rpc: &str, principal: &str, code: &str) {
        let fits = |line: &Value| {
            line["rpc"] == rpc && line["principal"] == principal && line["code"] == code
        };
        // An order service calls others, and each writes its line when its own call has ended.
        let lines = || self.service_lines_now(answer.request_id());
        let fitting = async || lines().iter().any(|(_, line)| fits(line)).then_some(());
        assert!(
            until(PATIENCE, fitting).await.is_some(),
            "no service's line about {rpc} by {principal:?} with {code}: {:#?}",
            lines()
        );
    }

    async fn no_service_saw(&self, answer: &Answer) {
        // The access line comes last: when it is there, a call would have been written down before.
        self.access_line(answer.request_id()).await;
        let lines = self.service_lines_now(answer.request_id());
        assert!(lines.is_empty(), "a refused request reached a service: {lines:#?}");
    }
}

/// A gateway without services, but with `address` as the one endpoint of the product service.
pub(crate) async fn before_product(setup: Setup, address: SocketAddr) -> Bed {
    let setup = setup.empty().config("\n      - \"http://${PRODUCT_2_ADDR:-127.0.0.1:50062}\"", "");
    let bed = setup.config("${PRODUCT_ADDR:-127.0.0.1:50052}", &address.to_string()).start().await;
    bed.start(Role::Gateway).await;
    bed
}

/// Which of the two product services answered, by their logs.
pub(crate) async fn product_that_answered(bed: &Bed, answer: &Answer) -> Role {
    let lines = bed.service_lines(answer.request_id()).await;
    let [(role, _)] = lines.as_slice() else { panic!("one call expected: {lines:#?}") };
    *role
}

/// Compiles a new service together with the shop, as its owners would.
pub(crate) fn shop_and(contract: &str) -> Vec<u8> {
    let folder = std::env::temp_dir().join(format!("contract-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("new.proto"), contract).unwrap();
    let contracts = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([folder.to_str().unwrap(), contracts]).unwrap();
    compiler.include_imports(true);
    let files = [
        "new.proto",
        "user/v1/user.proto",
        "product/v1/product.proto",
        "order/v1/order.proto",
        "payment/v1/payment.proto",
    ];
    compiler.open_files(files).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    compiler.encode_file_descriptor_set()
}

/// Changes a product's stock as an admin, and answers the product.
pub(crate) async fn adjust_stock(shop: &Shop, id: &str, delta: i64) -> Value {
    let root = shop.login("root@example.com").await;
    let request = shop.post(&format!("/api/products/{id}:adjustStock")).token(&root);
    request.json(&serde_json::json!({"delta": delta})).await.expect_status(200).json
}

/// Says what a test has measured.
#[expect(clippy::print_stdout, reason = "figures are for whoever reads them")]
pub(crate) fn tell(figures: &str) {
    println!("{figures}");
}

/// How many calls of an RPC a log tells of. A service writes a line for each.
pub(crate) fn calls(log: &str, rpc: &str) -> usize {
    log.matches(rpc).count()
}

/// What the gateway says from now on.
pub(crate) struct Ear<'a> {
    bed: &'a Bed,
    from: u64,
}

impl<'a> Ear<'a> {
    /// Begins to listen.
    pub(crate) fn at(bed: &'a Bed) -> Self {
        Self { bed, from: bed.part(Role::Gateway).log().length() }
    }

    /// Waits until it says this of the endpoint at that address.
    pub(crate) async fn hears(&self, what: &str, of: SocketAddr, patience: Duration) {
        let of = of.to_string();
        eventually(&format!("{what}: {of}"), patience, async || {
            let said = self.bed.part(Role::Gateway).log().after(self.from);
            said.lines().any(|line| line.contains(what) && line.contains(&of)).then_some(())
        })
        .await;
    }
}
