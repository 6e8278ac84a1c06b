//! A REST request that reads like a sentence.

use std::pin::Pin;

use http::Method;
use serde_json::Value;

use super::gate::Gate;
use super::reply::Reply;
use super::soon;

/// A request that is sent when it is awaited.
#[must_use]
pub(crate) struct Ask {
    pub(super) request: reqwest::RequestBuilder,
}

impl Gate {
    /// Any request.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask {
        Ask { request: self.client.request(method, format!("http://{}{path}", self.address)) }
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Ask {
        self.ask(Method::POST, path).json(json)
    }

    /// Asks the admin listener.
    pub(crate) fn admin(&self, path: &str) -> Ask {
        Ask { request: self.client.get(format!("http://{}{path}", self.admin)) }
    }
}

impl Ask {
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self { request: self.request.header(name, value.as_ref()) }
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, json: &Value) -> Self {
        self.header("content-type", "application/json").body(json.to_string())
    }

    pub(crate) fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self { request: self.request.body(body) }
    }
}

impl IntoFuture for Ask {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let answer = soon("an answer", self.request.send()).await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = soon("the end of an answer", answer.bytes()).await.unwrap().to_vec();
            Reply { status, headers, body }
        })
    }
}
