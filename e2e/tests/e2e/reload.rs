//! The gateway reads its files again when it is told to (SIGHUP), and a bad file changes nothing.

use std::time::Duration;

use e2e::bed::{Bed, GATEWAY_YAML};
use e2e::role::Role;
use e2e::wait::eventually;

use crate::stand::setup;

const PUBLIC: &str = "product.v1.ProductService/GetProduct: public";

fn write(bed: &Bed, config: &str) {
    std::fs::write(bed.folder().join("gateway.yaml"), config).unwrap();
    bed.part(Role::Gateway).hang_up();
}

async fn becomes(bed: &Bed, status: u16) {
    eventually(
        &format!("a product is answered with {status}"),
        Duration::from_secs(10),
        async || (bed.shop().get("/api/products/p-1").await.status == status).then_some(()),
    )
    .await;
}

#[tokio::test]
async fn a_new_file_holds_from_the_next_request_on_and_a_bad_one_not_at_all() {
    let bed = setup().start().await;
    becomes(&bed, 200).await;
    write(&bed, &GATEWAY_YAML.replace(PUBLIC, "product.v1.ProductService/GetProduct: role:admin"));
    becomes(&bed, 401).await;
    let root = bed.shop().login("root@example.com").await;
    let _ = bed.shop().get("/api/products/p-1").token(&root).await.expect_status(200);

    let before = bed.part(Role::Gateway).log().text().len();
    write(&bed, &GATEWAY_YAML.replace(PUBLIC, "product.v1.ProductService/Nothing: public"));
    let said = async || {
        bed.part(Role::Gateway).log().text().get(before..)?.contains("Nothing").then_some(())
    };
    eventually("the log says what is wrong", Duration::from_secs(10), said).await;
    let _ = bed.shop().get("/api/products/p-1").await.expect_status(401);
    let _ = bed.shop().get("/api/products").await.expect_status(200);

    write(&bed, GATEWAY_YAML);
    becomes(&bed, 200).await;
}

#[tokio::test]
async fn no_request_falls_while_it_reads() {
    let bed = setup().start().await;
    let shop = bed.shop();
    let client = tokio::spawn(async move {
        for _ in 0..300 {
            let _ = shop.get("/api/products/p-1").await.expect_status(200);
        }
    });
    let mut reads = 0;
    while !client.is_finished() {
        bed.part(Role::Gateway).hang_up();
        let seen = async || {
            let count = bed.part(Role::Gateway).log().text().matches("configuration").count();
            (count > reads || client.is_finished()).then_some(count)
        };
        reads = eventually("it says that it read", Duration::from_secs(10), seen).await;
    }
    client.await.unwrap();
    assert!(reads > 0, "it read at least once");
}
