//! The client that tests speak through: one line per request, and answers that explain themselves.

use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::open::Open;

/// The password of every seeded user.
pub const PASSWORD: &str = "correct-horse";

/// How long a test waits for an answer: longer than any deadline of the gateway.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shop behind one door.
#[derive(Clone, Debug)]
pub struct Shop {
    base: String,
    client: reqwest::Client,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id.
    pub id: String,
    /// What the user signed in with.
    pub email: String,
    /// The access token.
    pub token: String,
}

impl Shop {
    /// The shop at a base such as `http://127.0.0.1:8080`.
    pub fn at(base: &str) -> Self {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        match client {
            Ok(client) => Self { base: base.trim_end_matches('/').to_owned(), client },
            Err(error) => panic!("can't make an HTTP client: {error}"),
        }
    }

    /// Where it is, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Prepares a GET.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// Prepares a POST.
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// Prepares a PATCH.
    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    /// Prepares a DELETE.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Prepares a request with any method.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let what = format!("{method} {path}");
        Request { what, builder: self.client.request(method, format!("{}{path}", self.base)) }
    }

    /// Signs a seeded user in and answers the token.
    pub async fn login(&self, email: &str) -> String {
        self.sign_in(email, PASSWORD).await
    }

    /// Registers somebody nobody has heard of, and signs them in.
    pub async fn newcomer(&self) -> Person {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let body = json!({"email": email, "name": "New Comer", "password": PASSWORD});
        let user = self.post("/api/users").json(&body).await.expect_status(200);
        let id = user.text_at("/id");
        let token = self.login(&email).await;
        Person { id, email, token }
    }

    async fn sign_in(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password});
        self.post("/api/auth/login").json(&body).await.expect_status(200).text_at("/accessToken")
    }
}

/// A request that is sent when awaited.
#[derive(Debug)]
pub struct Request {
    what: String,
    builder: reqwest::RequestBuilder,
}

impl Request {
    /// Signs it with a token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Gives it an idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Gives it a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Gives it a body as it stands, declared as JSON.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.builder = self.builder.header("content-type", "application/json").body(body.into());
        self
    }

    /// Sends it, and answers as soon as the answer has begun. Panics when there is none.
    pub async fn open(self) -> Open {
        match self.builder.send().await {
            Ok(response) => Open::new(self.what, response),
            Err(error) => panic!("{}: no answer: {error:?}", self.what),
        }
    }

    /// Sends it, and tells a failure of the connection apart from an answer.
    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let start = Instant::now();
        let response = self.builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { what: self.what, status, headers, text, json, elapsed: start.elapsed() })
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let what = self.what.clone();
        Box::pin(async move {
            match self.attempt().await {
                Ok(answer) => answer,
                Err(error) => panic!("{what}: no answer: {error:?}"),
            }
        })
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    what: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null when it is not JSON.
    pub json: Value,
    /// How long the whole exchange took.
    pub elapsed: Duration,
}

impl Answer {
    /// Panics with the whole answer unless it has that status.
    #[must_use]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self
    }

    /// Panics unless it is a problem (RFC 9457) with this HTTP status and gRPC code, complete in every field that
    /// a client may rely on.
    #[must_use]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect_status(status);
        let (what, text, json) = (&answer.what, &answer.text, &answer.json);
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{what}: {text}"
        );
        assert_eq!(json["status"], status, "{what}: {text}");
        assert_eq!(json["code"], code, "{what}: {text}");
        for field in ["type", "title", "detail"] {
            assert!(
                json[field].as_str().is_some_and(|value| !value.is_empty()),
                "{what}: no {field}: {text}"
            );
        }
        assert_eq!(json["requestId"].as_str(), answer.header("x-request-id"), "{what}: {text}");
        answer
    }

    /// Panics unless the problem gives this reason (`google.rpc.ErrorInfo.reason`).
    #[must_use]
    pub fn expect_reason(self, reason: &str) -> Self {
        assert_eq!(self.json["reason"], reason, "{}: {}", self.what, self.text);
        self
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The id under which the logs know this exchange. Panics when the answer does not say it.
    pub fn request_id(&self) -> &str {
        match self.header("x-request-id") {
            Some(id) => id,
            None => panic!("{}: the answer has no x-request-id: {:?}", self.what, self.headers),
        }
    }

    /// The text at a JSON pointer (RFC 6901). Panics when there is none.
    pub fn text_at(&self, pointer: &str) -> String {
        match self.json.pointer(pointer).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => panic!("{}: no text at {pointer}: {}", self.what, self.text),
        }
    }
}
