//! `ProductService`: what a request may ask, checked before it reaches the tables. Who may ask it was decided before.

use std::{collections::HashSet, pin::Pin};

use futures_util::{Stream, StreamExt as _};
use proto::{
    google::api::HttpBody,
    product::v1::{
        AdjustStockRequest, BatchGetProductsRequest, BatchGetProductsResponse,
        CreateProductRequest, GetProductImageRequest, GetProductRequest, ListProductsRequest,
        ListProductsResponse, Product, UpdateProductRequest, WatchProductsRequest,
        WatchProductsResponse, product_service_server::ProductService,
    },
};
use service_kit::{
    Caller, Cents, Clock, Events, Page, Store, Violations,
    events::{self, Follow},
    ids,
    mask::{Mask, Writable},
};
use tonic::{Request, Response, Status};

use crate::{
    catalogue::{self, Text},
    image, stock,
};

const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 2000;
const MOST_IDS: usize = 100;

#[derive(Debug)]
pub(crate) struct Products {
    pub(crate) store: Store,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl ProductService for Products {
    type WatchProductsStream =
        Pin<Box<dyn Stream<Item = Result<WatchProductsResponse, Status>> + Send>>;

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let request = request.into_inner();
        let page = Page::<i64>::of("products", request.page_size, &request.page_token)?;
        let (after, limit) = (page.after, page.limit());
        let rows = self.store.read(move |db| catalogue::list(db, after, limit)).await?;
        let (rows, next_page_token) = page.cut(rows, |row| row.position);
        let products = rows.into_iter().map(|row| row.product).collect();
        Ok(Response::new(ListProductsResponse { products, next_page_token }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let id = named(request.into_inner().id)?;
        let product = self.store.read(move |db| catalogue::read(db, &id)).await?;
        Ok(Response::new(product))
    }

    async fn batch_get_products(
        &self,
        request: Request<BatchGetProductsRequest>,
    ) -> Result<Response<BatchGetProductsResponse>, Status> {
        let ids = request.into_inner().ids;
        let mut violations = Violations::new();
        if ids.is_empty() || ids.len() > MOST_IDS {
            violations.add("ids", format!("must have 1 to {MOST_IDS} ids"));
        }
        if let Some(place) = ids.iter().position(String::is_empty) {
            violations.add(format!("ids[{place}]"), "is empty");
        }
        violations.check()?;
        let answer = self.store.read(move |db| {
            let (mut seen, mut answer) = (HashSet::new(), BatchGetProductsResponse::default());
            for id in ids {
                if seen.insert(id.clone()) {
                    match catalogue::find(db, &id)? {
                        Some(product) => answer.products.push(product),
                        None => answer.missing_ids.push(id),
                    }
                }
            }
            Ok(answer)
        });
        Ok(Response::new(answer.await?))
    }

    async fn watch_products(
        &self,
        request: Request<WatchProductsRequest>,
    ) -> Result<Response<Self::WatchProductsStream>, Status> {
        let after = match request.into_inner().after_sequence {
            Some(after) if after < 0 => {
                return Err(Violations::one("after_sequence", "must not be negative"));
            }
            Some(after) => after,
            None => self.store.read(events::latest).await?,
        };
        let events = self.events.follow(Follow { topic: catalogue::TOPIC, subject: None, after });
        Ok(Response::new(Box::pin(events.map(|event| catalogue::told(&event?)))))
    }

    async fn get_product_image(
        &self,
        request: Request<GetProductImageRequest>,
    ) -> Result<Response<HttpBody>, Status> {
        let id = named(request.into_inner().id)?;
        let product = self.store.read(move |db| catalogue::read(db, &id)).await?;
        let (content_type, data) = ("image/svg+xml".to_owned(), image::draw(&product).into_bytes());
        Ok(Response::new(HttpBody { content_type, data, extensions: Vec::new() }))
    }

    async fn create_product(
        &self,
        request: Request<CreateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let product = request.into_inner().product;
        let product = product.ok_or_else(|| Violations::one("product", "is required"))?;
        let mut violations = Violations::new();
        violations.output_only("product.id", !product.id.is_empty());
        let text = text(product, |_| true, &mut violations);
        violations.check()?;
        let now = self.clock.now();
        let product =
            self.store.write(move |tx| catalogue::add(tx, &ids::fresh(), &text, now)).await?;
        Ok(Response::new(product))
    }

    async fn update_product(
        &self,
        request: Request<UpdateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let UpdateProductRequest { product, update_mask } = request.into_inner();
        let product = product.ok_or_else(|| Violations::one("product", "is required"))?;
        let writable = [
            Writable { name: "name", is_set: !product.name.is_empty() },
            Writable { name: "description", is_set: !product.description.is_empty() },
            Writable { name: "price", is_set: product.price.is_some() },
        ];
        let mut violations = Violations::new();
        violations.required("product.id", !product.id.is_empty());
        let mask = Mask::of(update_mask.as_ref(), &writable, &mut violations);
        let id = product.id.clone();
        let text = text(product, |field| mask.has(field), &mut violations);
        violations.check()?;
        let now = self.clock.now();
        let product = if mask.is_empty() {
            self.store.read(move |db| catalogue::read(db, &id)).await?
        } else {
            self.store.write(move |tx| catalogue::change(tx, &id, &text, now)).await?
        };
        Ok(Response::new(product))
    }

    async fn adjust_stock(
        &self,
        request: Request<AdjustStockRequest>,
    ) -> Result<Response<Product>, Status> {
        let principal = Caller::of(&request).id().unwrap_or_default().to_owned();
        let AdjustStockRequest { id, delta } = request.into_inner();
        let mut violations = Violations::new();
        violations.required("id", !id.is_empty());
        if delta == 0 {
            violations.add("delta", "must not be zero");
        }
        violations.check()?;
        let now = self.clock.now();
        let product =
            self.store.write(move |tx| stock::adjust(tx, &id, delta, &principal, now)).await?;
        Ok(Response::new(product))
    }
}

fn named(id: String) -> Result<String, Status> {
    if id.is_empty() { Err(Violations::one("id", "is required")) } else { Ok(id) }
}

/// The fields that the request `sets`, each checked, and none that the service sets itself.
fn text(product: Product, sets: impl Fn(&str) -> bool, violations: &mut Violations) -> Text {
    violations.output_only("product.stock", product.stock != 0);
    violations.output_only("product.create_time", product.create_time.is_some());
    violations.output_only("product.update_time", product.update_time.is_some());
    let mut text = Text { name: None, description: None, price: None };
    if sets("name") {
        violations.text("product.name", &product.name, 1, LONGEST_NAME);
        text.name = Some(product.name);
    }
    if sets("description") {
        // Of all texts the only one that may have several lines.
        let line = product.description.replace('\n', " ");
        violations.text("product.description", &line, 0, LONGEST_DESCRIPTION);
        text.description = Some(product.description);
    }
    if sets("price") {
        text.price = Cents::read(product.price.as_ref(), "product.price", violations);
    }
    text
}
