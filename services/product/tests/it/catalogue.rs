//! Listing, reading, adding and changing products.

use prost_types::FieldMask;
use proto::{
    google::r#type::Money,
    product::v1::{
        BatchGetProductsRequest, CreateProductRequest, GetProductImageRequest, ListProductsRequest,
        ListProductsResponse, Product, UpdateProductRequest,
    },
};
use service_kit::Cents;
use tonic::{Code, Status};

use crate::{Bench, check, fields};

async fn list(
    bench: &Bench,
    page_size: i32,
    page_token: &str,
) -> Result<ListProductsResponse, Status> {
    let request = ListProductsRequest { page_size, page_token: page_token.to_owned() };
    Ok(bench.products().list_products(request).await?.into_inner())
}

async fn create(bench: &Bench, product: Product) -> Result<Product, Status> {
    let request = CreateProductRequest { product: Some(product) };
    Ok(bench.products().create_product(request).await?.into_inner())
}

async fn update(bench: &Bench, product: Product, mask: &[&str]) -> Result<Product, Status> {
    let paths = mask.iter().map(|&path| path.to_owned()).collect();
    let request =
        UpdateProductRequest { product: Some(product), update_mask: Some(FieldMask { paths }) };
    Ok(bench.products().update_product(request).await?.into_inner())
}

fn kite() -> Product {
    Product {
        name: "Kite".to_owned(),
        description: "Flies.\nComes back.".to_owned(),
        price: Some(Cents(1_999).into()),
        ..Product::default()
    }
}

fn p1() -> Product {
    Product { id: "p-1".to_owned(), ..Product::default() }
}

#[tokio::test]
async fn the_shop_opens_with_two_dozen_products_in_their_order() {
    let bench = Bench::start().await;
    let mut ids = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&bench, 7, &token).await.unwrap();
        ids.extend(page.products.iter().map(|product| product.id.clone()));
        assert!(page.products.iter().all(|product| product.stock > 0 && product.price.is_some()));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (1..=24).map(|number| format!("p-{number}")).collect();
    assert_eq!(ids, expected);
    for id in ids {
        bench.pieces(&id);
    }
}

#[tokio::test]
async fn refuses_pages_that_make_no_sense() {
    let bench = Bench::start().await;
    assert_eq!(fields(&list(&bench, -1, "").await.unwrap_err()), ["page_size"]);
    assert_eq!(fields(&list(&bench, 0, "cC0x").await.unwrap_err()), ["page_token"]);
    assert_eq!(list(&bench, 0, "").await.unwrap().products.len(), 20);
    assert_eq!(list(&bench, 1000, "").await.unwrap().products.len(), 24);
}

#[tokio::test]
async fn a_product_that_is_not_there_is_not_found() {
    let bench = Bench::start().await;
    assert_eq!(bench.product("p-1").await.unwrap().name, "Mechanical keyboard");
    assert_eq!(bench.product("p-99").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(fields(&bench.product("").await.unwrap_err()), ["id"]);
    let long = bench.product(&"x".repeat(60_000)).await.unwrap_err();
    assert_eq!((long.code(), long.message()), (Code::NotFound, "there is no such product"));
}

#[tokio::test]
async fn a_batch_tells_what_exists_and_what_does_not() {
    let bench = Bench::start().await;
    let batch = async |ids: &[&str]| {
        let ids = ids.iter().map(|&id| id.to_owned()).collect();
        bench.products().batch_get_products(BatchGetProductsRequest { ids }).await
    };
    let answer = batch(&["p-10", "x", "p-2", "p-10", "x"]).await.unwrap().into_inner();
    let found: Vec<_> = answer.products.iter().map(|product| product.id.as_str()).collect();
    assert_eq!((found, answer.missing_ids), (vec!["p-10", "p-2"], vec!["x".to_owned()]));
    assert_eq!(fields(&batch(&[]).await.unwrap_err()), ["ids"]);
    assert_eq!(fields(&batch(&["p-1"; 101]).await.unwrap_err()), ["ids"]);
    assert_eq!(fields(&batch(&["p-1", ""]).await.unwrap_err()), ["ids[1]"]);
}

#[tokio::test]
async fn a_new_product_is_last_in_the_list_and_has_no_stock() {
    let bench = Bench::start().await;
    let made = create(&bench, kite()).await.unwrap();
    assert_eq!((made.name.as_str(), made.stock), ("Kite", 0));
    assert_eq!(made.price, kite().price);
    assert_eq!(bench.product(&made.id).await.unwrap(), made);
    assert_eq!(list(&bench, 100, "").await.unwrap().products.last(), Some(&made));
}

#[tokio::test]
async fn refuses_a_product_that_sets_what_the_service_sets() {
    let bench = Bench::start().await;
    let time = Some(prost_types::Timestamp::default());
    let pushy =
        Product { id: "p-1".to_owned(), stock: 5, create_time: time, update_time: time, ..kite() };
    let refused = create(&bench, pushy).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        ["product.id", "product.stock", "product.create_time", "product.update_time"]
    );
    let stocked = Product { stock: 5, ..p1() };
    assert_eq!(
        fields(&update(&bench, stocked, &["name"]).await.unwrap_err()),
        ["product.stock", "product.name"]
    );
    for path in ["stock", "id", "create_time", "update_time", "price.units", "sold"] {
        assert_eq!(
            fields(&update(&bench, p1(), &[path]).await.unwrap_err()),
            ["update_mask"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn refuses_a_bad_name_or_price() {
    let bench = Bench::start().await;
    assert_eq!(
        fields(&create(&bench, Product::default()).await.unwrap_err()),
        ["product.name", "product.price"]
    );
    let long = Product { name: "n".repeat(201), description: "d".repeat(2001), ..kite() };
    assert_eq!(
        fields(&create(&bench, long).await.unwrap_err()),
        ["product.name", "product.description"]
    );
    let ringing = Product { description: "Rings.\u{7}".to_owned(), ..kite() };
    assert_eq!(fields(&create(&bench, ringing).await.unwrap_err()), ["product.description"]);
    for (currency_code, units, nanos) in
        [("EUR", 1, 0), ("USD", -1, 0), ("USD", 1, 5), ("USD", i64::MAX, 0)]
    {
        let price = Some(Money { currency_code: currency_code.to_owned(), units, nanos });
        assert_eq!(
            fields(&create(&bench, Product { price, ..kite() }).await.unwrap_err()),
            ["product.price"]
        );
    }
}

#[tokio::test]
async fn an_update_changes_what_the_mask_names() {
    let bench = Bench::start().await;
    let before = bench.product("p-1").await.unwrap();
    let wanted =
        Product { name: "Quiet keyboard".to_owned(), price: Some(Cents(1).into()), ..p1() };
    let named = update(&bench, wanted.clone(), &["name"]).await.unwrap();
    assert_eq!((named.name.as_str(), named.price), ("Quiet keyboard", before.price));
    let set = update(&bench, wanted, &[]).await.unwrap();
    assert_eq!((set.price, set.stock), (Some(Cents(1).into()), before.stock));
    assert_eq!(update(&bench, p1(), &["description"]).await.unwrap().description, "");
    let absent = Product { id: "p-99".to_owned(), name: "x".to_owned(), ..Product::default() };
    assert_eq!(update(&bench, absent, &[]).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_picture_is_svg_with_the_name_as_text() {
    let bench = Bench::start().await;
    let made = create(&bench, Product { name: "<b>Kite & Co".to_owned(), ..kite() }).await.unwrap();
    let image = bench
        .products()
        .get_product_image(GetProductImageRequest { id: made.id })
        .await
        .unwrap()
        .into_inner();
    let drawn = String::from_utf8(image.data).unwrap();
    assert_eq!(image.content_type, "image/svg+xml");
    assert!(drawn.starts_with("<svg") && drawn.contains("&lt;b&gt;Kite &amp; Co"), "{drawn}");
}

#[tokio::test]
async fn stock_is_added_and_taken_but_never_below_zero() {
    let bench = Bench::start().await;
    let (available, ..) = bench.pieces("p-1");
    assert_eq!(bench.adjust("p-1", 10).await.unwrap().stock, available + 10);
    assert_eq!(bench.adjust("p-1", -available).await.unwrap().stock, 10);
    check(
        &bench.adjust("p-1", -11).await.unwrap_err(),
        Code::FailedPrecondition,
        "INSUFFICIENT_STOCK",
    );
    check(
        &bench.adjust("p-1", i64::MIN).await.unwrap_err(),
        Code::FailedPrecondition,
        "INSUFFICIENT_STOCK",
    );
    assert_eq!(fields(&bench.adjust("p-1", 0).await.unwrap_err()), ["delta"]);
    assert_eq!(fields(&bench.adjust("p-1", 1_000_000_000_000).await.unwrap_err()), ["delta"]);
    assert_eq!(fields(&bench.adjust("p-1", i64::MAX).await.unwrap_err()), ["delta"]);
    assert_eq!(bench.adjust("p-99", 1).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bench.pieces("p-1"), (10, 0, 0));
}
