//! What the tests stand on: a shop to look at, or one to break.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use e2e::bed::{Bed, Setup};
use e2e::role::Role;
use e2e::shop::{Answer, Shop};
use serde_json::Value;
use tokio::sync::Mutex;

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
        let what = format!("a service's line about {rpc} by {principal:?} with {code}");
        let lines = self.service_lines(answer.request_id()).await;
        assert!(lines.iter().any(|(_, line)| fits(line)), "no {what}: {lines:#?}");
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
