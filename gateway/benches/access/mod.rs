//! One request for an order by its owner, as it meets the steps before and behind its call: a token that was proven
//! before, a limit by principal, a rule about the answer. By `gateway.yaml` as it is in the repository.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::FutureExt as _;
use gateway::message::{JsonIn, Schema};
use gateway::steps::{Client, Steps};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::runtime::Runtime;

const RPC: &str = "order.v1.OrderService/GetOrder";

/// The request, and the steps that it takes.
pub(crate) struct Access {
    steps: Steps,
    headers: HeaderMap,
    request: Bytes,
    answer: Bytes,
    ada: Client,
    _runtime: Runtime,
}

impl Access {
    /// Everything ready, the token proven once. Panics where that can't be had.
    pub(crate) fn prepared() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let issuer = serve_keys(&key);
        let headers = HeaderMap::from_iter(
            [(AUTHORIZATION, format!("Bearer {}", token(&key)))]
                .map(|(name, value)| (name, HeaderValue::try_from(value).unwrap())),
        );

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.binpb"), proto::DESCRIPTORS).unwrap();
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gateway.yaml");
        let config = std::fs::read_to_string(file).unwrap();
        let variable = |name: &str| match name {
            "USER_ADDR" => Some(issuer.to_string()),
            // What is measured is what a limit costs, not what it refuses.
            "PRINCIPAL_RATE" => Some("1000000/1s".to_owned()),
            "PRINCIPAL_BURST" => Some("100000000".to_owned()),
            _ => None,
        };
        let runtime = Runtime::new().unwrap();
        let entered = runtime.enter();
        let steps = Steps::of(RPC, &config, folder.path().to_owned(), variable).unwrap();
        drop(entered);

        let schema = Schema::load(proto::DESCRIPTORS).unwrap();
        let wire = |message: &str, text: &str| {
            let mut wire = Vec::new();
            let message = schema.message(message).unwrap();
            message.json_to_wire(text.as_bytes(), &JsonIn::default(), &mut wire).unwrap();
            Bytes::from(wire)
        };
        let request =
            wire("order.v1.GetOrderRequest", r#"{"id": "01a20be1-ddc2-7626-a397-c511a662b99e"}"#);
        let answer = wire("order.v1.Order", include_str!("../shapes/order.json"));
        let proven = runtime.block_on(steps.prove(&headers, &mut HeaderMap::new()));
        Self { steps, headers, request, answer, ada: proven.unwrap(), _runtime: runtime }
    }

    /// The cached token: found, still good, told to the service.
    pub(crate) fn token(&self) -> (Client, HeaderMap) {
        let mut metadata = HeaderMap::with_capacity(8);
        let proven = self.steps.prove(&self.headers, &mut metadata).now_or_never();
        (proven.unwrap().unwrap(), metadata)
    }

    /// The limit: counted, and told to the client.
    pub(crate) fn limit(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        self.steps.count(&self.ada, &mut headers).now_or_never().unwrap().unwrap();
        headers
    }

    /// The rule: asked about the principal, the request and the answer.
    pub(crate) fn rule(&self) {
        self.steps.decide(&self.ada, &self.request, &self.answer).unwrap();
    }

    /// All three.
    pub(crate) fn together(&self) -> (Client, HeaderMap, HeaderMap) {
        let (client, metadata) = self.token();
        self.rule();
        (client, metadata, self.limit())
    }
}

/// A token as long as those of the shop, of whom the order belongs to.
fn token(key: &EcdsaKeyPair) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header =
        json!({"typ": "JWT", "alg": "ES256", "kid": "01a20f32-8c10-7626-a397-c511a662b99e"});
    let claims = json!({
        "iss": "https://shop.example", "aud": "gateway", "sub": "123", "roles": ["customer"],
        "iat": now, "exp": now + 3600, "jti": "01a20f32-90fe-766c-8d0a-d76ee48441a7",
    });
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An issuer that publishes this key to whoever asks first.
fn serve_keys(key: &EcdsaKeyPair) -> SocketAddr {
    let point = key.public_key().as_ref();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    let body = json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "kid": "01a20f32-8c10-7626-a397-c511a662b99e", "x": coordinate(1), "y": coordinate(33),
    }]})
    .to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _whatever_was_asked = client.read(&mut [0; 4096]).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        write!(client, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    address
}
