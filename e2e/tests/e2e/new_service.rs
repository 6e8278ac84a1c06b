//! The gateway knows nothing of the services but their descriptors: the same executable serves one it never heard of.

use e2e::dynamic::{decode, encode, method};
use e2e::role::Role;
use e2e::scripted::{Script, Scripted};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};

use crate::stand::{setup, shop_and};

/// A service that nobody had thought of when the gateway was built.
const LIBRARY: &str = r#"
syntax = "proto3";
package library.v1;
import "google/api/annotations.proto";

service LibraryService {
  rpc Lend(LendRequest) returns (Loan) {
    option (google.api.http) = { post: "/library/{shelf=shelves/*}/books/{isbn}:lend" body: "reader" };
  }
}

enum Kind { KIND_UNSPECIFIED = 0; KIND_PAPER = 1; KIND_AUDIO = 2; }
message Reader { string name = 1; Kind kind = 2; }
message LendRequest { string shelf = 1; string isbn = 2; Reader reader = 3; uint32 days = 4; }
message Loan { string shelf = 1; string isbn = 2; Reader reader = 3; uint64 fee = 4; map<string, double> scores = 5; bytes stamp = 6; }
"#;

const OLD_UPSTREAM: &str = "  payment:\n    services: [payment.v1.PaymentService]";
const OLD_ACCESS: &str = "    payment.v1.PaymentService/RefundPayment: role:admin";

#[tokio::test]
async fn an_rpc_of_a_service_it_never_knew_is_reachable_over_rest() {
    let pool = DescriptorPool::decode(shop_and(LIBRARY).as_slice()).unwrap();
    let lend = method(&pool, "library.v1.LibraryService/Lend").unwrap();
    let (input, output) = (lend.input(), lend.output());
    let service = Scripted::answering(move |rpc, message| {
        assert_eq!(rpc, "library.v1.LibraryService/Lend");
        let mut loan = decode(input.clone(), message);
        loan.as_object_mut().unwrap().remove("days");
        loan["fee"] = json!("18446744073709551615");
        loan["scores"] = json!({"style": 0.5});
        loan["stamp"] = json!("AP8=");
        Script::ok(encode(output.clone(), &loan).unwrap())
    })
    .await;

    let with_library = |setup: e2e::bed::Setup| {
        let upstream = format!(
            "  library:\n    services: [library.v1.LibraryService]\n    endpoints: [\"http://{}\"]\n{OLD_UPSTREAM}",
            service.address()
        );
        setup.schema(shop_and(LIBRARY)).config(OLD_UPSTREAM, &upstream).config(
            OLD_ACCESS,
            &format!("{OLD_ACCESS}\n    library.v1.LibraryService/Lend: authenticated"),
        )
    };
    let bed = with_library(setup()).start().await;
    let shop = bed.shop();
    let path = "/library/shelves/7/books/978%2F3:lend?days=14";
    let body = json!({"name": "Ada", "kind": "KIND_AUDIO"});

    let anonymous = shop.post(path).json(&body).await.expect_problem(401, "UNAUTHENTICATED");
    assert!(bed.service_lines_now(anonymous.request_id()).is_empty());
    assert!(service.exchanges().is_empty(), "nobody came through without a token");

    let ada = shop.newcomer().await;
    let answer = shop.post(path).token(&ada.token).json(&body).await.expect_status(200);
    let expected: Value = json!({
        "shelf": "shelves/7",
        "isbn": "978/3",
        "reader": {"name": "Ada", "kind": "KIND_AUDIO"},
        "fee": "18446744073709551615",
        "scores": {"style": 0.5},
        "stamp": "AP8=",
    });
    assert_eq!(answer.json, expected);
    let exchanges = service.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("one call expected: {exchanges:?}") };
    assert_eq!(exchange.header("x-principal-id"), Some(ada.id.as_str()));
    assert_eq!(decode(lend.input(), &exchange.message)["days"], 14);

    for bad in ["KIND_MARBLE", "kind_audio"] {
        let body = json!({"name": "Ada", "kind": bad});
        let _ = shop
            .post(path)
            .token(&ada.token)
            .json(&body)
            .await
            .expect_problem(400, "INVALID_ARGUMENT");
    }
    let line = bed.access_line(answer.request_id()).await;
    assert_eq!(line["rpc"], "library.v1.LibraryService/Lend");
    let _ = shop.get("/api/products").await.expect_status(200);
}

#[tokio::test]
async fn the_same_executable_without_it_knows_no_such_route() {
    let bed = setup().without(Role::Payment).start().await;
    let answer = bed.shop().post("/library/shelves/7/books/1:lend").json(&json!({})).await;
    let _ = answer.expect_problem(404, "NOT_FOUND");
}
