//! Streams cost what their clients read, and end when their clients do.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use e2e::bed::{Bed, Setup};
use e2e::dynamic::{Call, Messages, encode, method, shop_descriptors};
use e2e::role::Role;
use e2e::scripted::{Piece, Scripted};
use e2e::wait::until;
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tonic::Code;

use crate::stand::{before_product, setup, shop_and};
use crate::streaming::{EVENTS, LINES, WATCH, WATCH_PRODUCTS, comes, open};

/// Opens a stream of a gateway, reads its first message, drops it, and answers how long it took until the service saw
/// that. The fastest of three: what else the machine does is not the gateway's.
async fn goes_after<T>(begin: impl AsyncFn(&Bed) -> T) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let (told, ended) = oneshot::channel();
        let told = Mutex::new(Some(told));
        let service = Scripted::streaming(move |_, _| {
            let (sender, receiver) = mpsc::channel(1);
            let told = told.lock().unwrap().take();
            tokio::spawn(async move {
                sender.send(Piece::Message(Bytes::from_static(b"\x08\x01"))).await.unwrap();
                sender.closed().await;
                let _ = told.unwrap().send(Instant::now());
            });
            receiver
        })
        .await;
        let gateway = before_product(setup(), service.address()).await;
        let stream = begin(&gateway).await;
        let gone = Instant::now();
        drop(stream);
        let ended = timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
        fastest = fastest.min(ended - gone);
    }
    fastest
}

#[tokio::test]
async fn a_client_that_goes_takes_the_call_with_it_within_a_tenth_of_a_second() {
    let over_rest = goes_after(async |gateway| {
        let mut stream = open(&gateway.shop(), WATCH, EVENTS).await;
        comes(&mut stream, "event: message\nid: 1\ndata: {\"sequence\":\"1\"}\n\n").await;
        stream
    });
    let over_grpc = goes_after(async |gateway| {
        let mut stream = over_grpc(gateway).await;
        assert_eq!(stream.next().await.unwrap(), Some(json!({"sequence": "1"})));
        stream
    });
    for took in [over_rest.await, over_grpc.await] {
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}

async fn over_grpc(gateway: &Bed) -> Messages {
    let call = Call::new(WATCH_PRODUCTS, json!({}));
    call.stream(gateway.ports().address(Role::Gateway)).await.unwrap().unwrap()
}

/// How many messages of a megabyte, and how large each is.
const MESSAGES: usize = 100;
const MEGABYTE: usize = 1 << 20;

/// What a gateway may need more for a hundred megabytes than for none: some messages on their way, not all of them.
const ROOM: u64 = 16 << 20;

/// A service that sends a message a hundred times, as fast as it may; and how often it has been taken.
async fn flood(message: Bytes) -> (Scripted, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let service = Scripted::streaming(move |_, _| {
        let (sender, receiver) = mpsc::channel(1);
        let (message, count) = (message.clone(), Arc::clone(&count));
        tokio::spawn(async move {
            for _ in 0..MESSAGES {
                if sender.send(Piece::Message(message.clone())).await.is_err() {
                    return;
                }
                count.fetch_add(1, Relaxed);
            }
            let _ = sender.send(Piece::End(Code::Ok, "")).await;
        });
        receiver
    });
    (service.await, taken)
}

/// Waits until nothing has been taken for a while.
async fn standstill(taken: &AtomicUsize) -> usize {
    loop {
        let before = taken.load(Relaxed);
        let more = async || (taken.load(Relaxed) != before).then_some(());
        if before > 0 && until(Duration::from_millis(500), more).await.is_none() {
            return before;
        }
    }
}

fn most_memory(bed: &Bed) -> u64 {
    bed.part(Role::Gateway).most_memory().unwrap()
}

/// A gateway before a service that sends more than anybody reads, and what it took before.
struct Flooded {
    gateway: Bed,
    change: Value,
    taken: Arc<AtomicUsize>,
    before: u64,
    service: Scripted,
}

async fn flooded() -> Flooded {
    let output = method(&shop_descriptors(), WATCH_PRODUCTS).unwrap().output();
    let change = json!({"sequence": "7", "product": {"description": "x".repeat(MEGABYTE)}});
    let (service, taken) = flood(encode(output, &change).unwrap()).await;
    let gateway = before_product(setup(), service.address()).await;
    let _ = gateway.shop().get("/api/nothing").await.expect_status(404);
    let before = most_memory(&gateway);
    Flooded { gateway, change, taken, before, service }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_service_and_costs_no_memory() {
    let Flooded { gateway, change, taken, before, service: _service } = flooded().await;

    let mut stream = open(&gateway.shop(), WATCH, LINES).await;
    stream.until("{").await;
    let sent = standstill(&taken).await;
    assert!(sent < MESSAGES / 4, "{sent} of {MESSAGES} messages were sent to a client that sleeps");
    let grown = most_memory(&gateway) - before;
    assert!(grown < ROOM, "it grew by {grown} bytes");

    let mut read = "{".len();
    while let Some(piece) = stream.piece().await.unwrap() {
        read += piece.len();
    }
    assert_eq!(read, MESSAGES * format!("{change}\n").len());
    let grown = most_memory(&gateway) - before;
    assert!(grown < ROOM, "it grew by {grown} bytes");
}

#[tokio::test]
async fn a_grpc_client_that_does_not_read_costs_no_more() {
    let Flooded { gateway, change, taken, before, service: _service } = flooded().await;
    let mut stream = over_grpc(&gateway).await;
    assert_eq!(stream.next().await.unwrap(), Some(change));
    let sent = standstill(&taken).await;
    assert!(sent < MESSAGES / 4, "{sent} of {MESSAGES} messages were sent to a client that sleeps");
    for number in 2..=MESSAGES {
        assert!(stream.next().await.unwrap().is_some(), "message {number}");
    }
    assert_eq!(stream.next().await.unwrap(), None);
    let grown = most_memory(&gateway) - before;
    assert!(grown < ROOM, "it grew by {grown} bytes");
}

/// A service with a download.
const ARCHIVE: &str = r#"
syntax = "proto3";
package archive.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";

service ArchiveService {
  rpc Download(DownloadRequest) returns (stream google.api.HttpBody) {
    option (google.api.http) = { get: "/archive/{name}" };
  }
}

message DownloadRequest { string name = 1; }
"#;

fn with_archive(setup: Setup, at: &str, descriptors: Vec<u8>) -> Setup {
    let upstreams = "upstreams:\n";
    let access = "  access:\n";
    setup
        .schema(descriptors)
        .config(
            upstreams,
            &format!("{upstreams}  archive:\n    services: [archive.v1.ArchiveService]\n    endpoints: [\"http://{at}\"]\n"),
        )
        .config(access, &format!("{access}    archive.v1.ArchiveService/Download: public\n"))
}

#[tokio::test]
async fn a_download_of_a_hundred_megabytes_needs_no_memory() {
    let descriptors = shop_and(ARCHIVE);
    let pool = DescriptorPool::decode(descriptors.as_slice()).unwrap();
    let output = method(&pool, "archive.v1.ArchiveService/Download").unwrap().output();
    // In base64 "QUFB" is "AAA".
    let data = "QUFB".repeat(MEGABYTE / 4);
    let piece = encode(output, &json!({"contentType": "application/x-tar", "data": data})).unwrap();
    let length = data.len() / 4 * 3;
    let (service, _) = flood(piece).await;
    let setup = with_archive(setup().empty(), &service.address().to_string(), descriptors);
    let gateway = setup.start().await;
    gateway.start(Role::Gateway).await;
    let _ = gateway.shop().get("/api/nothing").await.expect_status(404);
    let before = most_memory(&gateway);

    let mut download = gateway.shop().get("/archive/all").open().await;
    assert_eq!(download.status, 200);
    assert_eq!(download.header("content-type"), Some("application/x-tar"));
    let mut read = 0;
    while let Some(piece) = download.piece().await.unwrap() {
        assert!(piece.iter().all(|byte| *byte == b'A'));
        read += piece.len();
    }
    assert_eq!(read, MESSAGES * length);
    let grown = most_memory(&gateway) - before;
    assert!(grown < ROOM, "it grew by {grown} bytes for {read}");
}
