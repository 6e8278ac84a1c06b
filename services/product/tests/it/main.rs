//! The product service over a real socket.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

mod catalogue;
mod process;
mod stock;
mod watch;

use std::path::Path;

use proto::product::v1::{
    AdjustStockRequest, GetProductRequest, Product, Reservation, ReserveStockRequest, StockItem,
    product_service_client::ProductServiceClient, stock_service_client::StockServiceClient,
};
use service_kit::{Boot, Clock, Running, Shutdown};
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt as _;

struct Bench {
    folder: TempDir,
    service: Running,
    channel: Channel,
}

impl Bench {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (service, channel) = serve(folder.path()).await;
        Self { folder, service, channel }
    }

    /// A second process in all but name: another server over the same file.
    async fn replica(&self) -> (Running, Channel) {
        serve(self.folder.path()).await
    }

    fn products(&self) -> ProductServiceClient<Channel> {
        ProductServiceClient::new(self.channel.clone())
    }

    fn stock(&self) -> StockServiceClient<Channel> {
        StockServiceClient::new(self.channel.clone())
    }

    async fn product(&self, id: &str) -> Result<Product, Status> {
        Ok(self.products().get_product(GetProductRequest { id: id.to_owned() }).await?.into_inner())
    }

    async fn adjust(&self, id: &str, delta: i64) -> Result<Product, Status> {
        let request = AdjustStockRequest { id: id.to_owned(), delta };
        Ok(self.products().adjust_stock(request).await?.into_inner())
    }

    async fn reserve(&self, order_id: &str, items: &[(&str, i32)]) -> Result<Reservation, Status> {
        reserve(&self.channel, order_id, items).await
    }

    /// Available, reserved and sold pieces, as an outside checker reads them; they add up or the test ends.
    fn pieces(&self, id: &str) -> (i64, i64, i64) {
        let db = rusqlite::Connection::open(self.folder.path().join("product.db")).unwrap();
        let sql = "SELECT available, reserved, sold,
                   (SELECT sum(delta) FROM adjustments WHERE product_id = products.id) FROM products WHERE id = ?1";
        let (available, reserved, sold, adjusted): (i64, i64, i64, i64) = db
            .query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap();
        assert_eq!(available + reserved + sold, adjusted, "{id}");
        (available, reserved, sold)
    }
}

async fn serve(folder: &Path) -> (Running, Channel) {
    let shutdown = Shutdown::new();
    let boot = Boot {
        args: (),
        database: folder.join("product.db"),
        clock: Clock::system(),
        shutdown: shutdown.clone(),
    };
    let service = Running::start(product::start(boot).await.unwrap(), shutdown).await.unwrap();
    let channel = Channel::from_shared(service.url()).unwrap().connect_lazy();
    (service, channel)
}

async fn reserve(
    channel: &Channel,
    order_id: &str,
    items: &[(&str, i32)],
) -> Result<Reservation, Status> {
    let items = items
        .iter()
        .map(|&(id, quantity)| StockItem { product_id: id.to_owned(), quantity })
        .collect();
    let request = ReserveStockRequest { order_id: order_id.to_owned(), items };
    Ok(StockServiceClient::new(channel.clone()).reserve_stock(request).await?.into_inner())
}

/// The fields that an `INVALID_ARGUMENT` complains of.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

/// Checks the code of a refusal and the reason it gives.
fn check(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(status.get_error_details().error_info().unwrap().reason, reason);
}
