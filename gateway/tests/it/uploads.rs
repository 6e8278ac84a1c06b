//! Bodies that are no JSON: the request, or one field of it, is a `google.api.HttpBody`.

use http::Method;
use prost::Message as _;
use serde_json::{Value, json};

use crate::stand::{Gate, Reply, Upstream, Wire, compile};

const STORE: &str = r#"
    syntax = "proto3";
    package store;
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    message PutRequest { string name = 1; google.api.HttpBody file = 2; bool public = 3; repeated google.api.HttpBody more = 4; }
    service Store {
      rpc Put(PutRequest) returns (PutRequest) { option (google.api.http) = { put: "/files/{name}" body: "file" additional_bindings { post: "/json/{name}" body: "*" } additional_bindings { post: "/more/{name}" body: "more" } }; }
      rpc Raw(google.api.HttpBody) returns (PutRequest) { option (google.api.http) = { post: "/raw" body: "*" }; }
    }
"#;

/// `google.api.HttpBody`.
#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

/// `store.PutRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, tag = "2")]
    file: Option<HttpBody>,
    #[prost(bool, tag = "3")]
    public: bool,
    #[prost(message, repeated, tag = "4")]
    more: Vec<HttpBody>,
}

async fn store() -> (Upstream, Gate) {
    let store = Upstream::content().await;
    let gate = Gate::start(|config| {
        let config =
            config.schema(compile(STORE)).upstream("store", "store.Store", &[&store.url()]);
        config.access("store.Store/Put", "public").access("store.Store/Raw", "public")
    })
    .await;
    (store, gate)
}

/// Sends these bytes with these content types.
async fn send(gate: &Gate, line: &str, types: &[&str], body: &[u8]) -> Reply {
    let types: Vec<String> =
        types.iter().map(|value| format!("Content-Type: {value}\r\n")).collect();
    let types = types.concat();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n{types}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut replies = Wire::talk(gate, [head.as_bytes(), body].concat()).await;
    replies.remove(0)
}

#[tokio::test]
async fn raw_bytes_become_the_field_or_the_request_with_their_type() {
    let (store, gate) = store().await;
    let (binary, text) = (b"\x00\xff{not json".as_slice(), b"{\"name\": 1}".as_slice());
    for (types, body, expected) in [
        (&["image/png"][..], binary, Some("image/png")),
        (&["application/json"], text, Some("application/json")),
        (&["text/plain; charset=\"utf-8\""], text, Some("text/plain; charset=\"utf-8\"")),
        (&["application/x-www-form-urlencoded"], text, Some("application/x-www-form-urlencoded")),
        (&[], binary, Some("application/octet-stream")),
        (&["text/csv"], b"", Some("text/csv")),
        (&[], b"", None),
    ] {
        let file = expected.map(|content_type| HttpBody {
            content_type: content_type.to_owned(),
            data: body.to_vec(),
        });
        send(&gate, "PUT /files/a%2Fb?public=true", types, body).await.is(200);
        let seen = PutRequest::decode(store.only_call().message).unwrap();
        let put =
            PutRequest { name: "a/b".to_owned(), file: file.clone(), public: true, more: vec![] };
        assert_eq!(seen, put, "{types:?}");
        send(&gate, "POST /raw", types, body).await.is(200);
        let seen = HttpBody::decode(store.only_call().message).unwrap();
        assert_eq!(seen, file.unwrap_or_default(), "{types:?}");
    }
}

#[tokio::test]
async fn a_body_whose_type_can_not_be_told_is_refused() {
    let (store, gate) = store().await;
    for types in [&["image/png", "image/gif"][..], &["image/png\u{e9}"], &["application/grpc"]] {
        for line in ["PUT /files/a", "POST /raw"] {
            let reply = send(&gate, line, types, b"x").await;
            assert_eq!(reply.status, 415, "{types:?}: {reply}");
        }
    }
    // What stands beside the body is read as ever.
    assert_eq!(send(&gate, "PUT /files/a?file.content_type=x", &[], b"x").await.status, 400);
    assert_eq!(send(&gate, "POST /raw?content_type=x", &[], b"x").await.status, 400);
    store.saw_nothing();
}

#[tokio::test]
async fn an_upload_is_taken_up_to_the_limit_of_bodies() {
    let (store, gate) = store().await;
    let upload = async |bytes: usize| {
        gate.ask(Method::PUT, "/files/a").header("content-type", "a/b").body(vec![7; bytes]).await
    };
    upload(4 * 1024 * 1024).await.is(200);
    let seen = PutRequest::decode(store.only_call().message).unwrap();
    assert_eq!(seen.file.unwrap().data.len(), 4 * 1024 * 1024);
    // Refused by its length, before it is sent.
    let headers = "Content-Type: a/b\r\nContent-Length: 4194305\r\n";
    Wire::ask_with(&gate, "PUT /files/a", headers).await.is(413);
    store.saw_nothing();
}

/// In JSON an `HttpBody` is a message like every other.
#[tokio::test]
async fn within_json_and_in_lists_it_is_an_ordinary_message() {
    let (store, gate) = store().await;
    let file = HttpBody { content_type: "a/b".to_owned(), data: b"hi".to_vec() };
    let body = json!({"contentType": "a/b", "data": "aGk="});
    gate.post("/json/a", &json!({ "file": body })).await.is(200);
    let seen = PutRequest::decode(store.only_call().message).unwrap();
    assert_eq!(seen.file, Some(file.clone()));
    gate.post("/more/a", &Value::from(vec![body.clone(), body])).await.is(200);
    let seen = PutRequest::decode(store.only_call().message).unwrap();
    assert_eq!(seen.more, [file.clone(), file]);
    assert_eq!(send(&gate, "POST /json/a", &["image/png"], b"x").await.status, 415);
    store.saw_nothing();
}
