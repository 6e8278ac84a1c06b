//! What is asked for: one RPC with one answer, as REST and as gRPC.

use bytes::Bytes;
use serde_json::{Value, json};

use super::AnyError;
use crate::dynamic::{encode, method, shop_descriptors};
use crate::scripted::framed;

/// What the shapes are called. A new one is a name here and an arm in [`Shape::of`].
pub(super) const NAMES: [&str; 2] = ["small", "order"];

/// A request and its one right answer.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// What it is called.
    pub(super) name: &'static str,
    /// For whoever reads the table.
    pub(super) about: &'static str,
    /// `package.Service/Method`.
    pub(super) rpc: &'static str,
    /// The path of its REST form, a GET.
    pub(super) path: &'static str,
    /// The request as gRPC sends it.
    pub(super) request: Bytes,
    /// The answer as gRPC sends it.
    pub(super) answer: Bytes,
    /// The answer in JSON.
    pub(super) json: Value,
}

impl Shape {
    /// Every shape, in the order of [`NAMES`].
    pub(super) fn all() -> Result<Vec<Self>, AnyError> {
        NAMES.into_iter().map(Self::of).collect()
    }

    /// The messages are those that the gateway's own benchmarks translate.
    fn of(name: &'static str) -> Result<Self, AnyError> {
        match name {
            "small" => Self::new(
                name,
                "GET one product: 0.2 kB of JSON, public",
                "product.v1.ProductService/GetProduct",
                "/api/products/p-7",
                &json!({"id": "p-7"}),
                include_str!("../../../gateway/benches/shapes/product.json"),
            ),
            "order" => Self::new(
                name,
                "GET one order of 8 items: 1.4 kB of JSON, for those who are signed in",
                "order.v1.OrderService/GetOrder",
                "/api/orders/01a20be1-ddc2-7626-a397-c511a662b99e",
                &json!({"id": "01a20be1-ddc2-7626-a397-c511a662b99e"}),
                include_str!("../../../gateway/benches/shapes/order.json"),
            ),
            _ => Err(format!("no shape is called {name}: there are {}", NAMES.join(", ")).into()),
        }
    }

    fn new(
        name: &'static str,
        about: &'static str,
        rpc: &'static str,
        path: &'static str,
        request: &Value,
        answer: &str,
    ) -> Result<Self, AnyError> {
        let rpc_type = method(&shop_descriptors(), rpc)?;
        let json: Value = serde_json::from_str(answer)?;
        Ok(Self {
            name,
            about,
            rpc,
            path,
            request: framed(&encode(rpc_type.input(), request)?),
            answer: framed(&encode(rpc_type.output(), &json)?),
            json,
        })
    }
}
