//! What a service says of a field of its request, a REST client reads in its own words.

use http::Method;
use prost_types::Any;
use serde_json::{Value, json};
use tonic::{Code, Request};
use tonic_types::{StatusExt as _, pb};

use crate::stand::{Answer, Ask, Gate, Upstream, compile};

const TASTES: &str = r#"
    syntax = "proto3";
    package bar;
    import "google/api/annotations.proto";
    message User { string display_name = 1; repeated string phone_numbers = 2; map<string, User> best_friends = 3; }
    message Change { string user_id = 1; User user = 2; repeated User all_users = 3; Filter row_filter = 4; }
    message Filter { string page_token = 1; }
    service Bar {
      rpc Do(Change) returns (Change) {
        option (google.api.http) = {
          post: "/all/{user_id}" body: "*"
          additional_bindings { post: "/one/{user.display_name}" body: "user" }
          additional_bindings { post: "/list" body: "all_users" }
          additional_bindings { get: "/none/{row_filter.page_token}" }
        };
      }
    }
"#;

/// A service that finds fault with all of these.
fn complaining(code: Code, fields: &[&str]) -> Answer {
    let violations = fields.iter().map(|field| pb::bad_request::FieldViolation {
        field: (*field).to_owned(),
        description: "no".to_owned(),
        ..pb::bad_request::FieldViolation::default()
    });
    let bad = pb::BadRequest { field_violations: violations.collect() };
    let value = prost::Message::encode_to_vec(&bad);
    let type_url = "type.googleapis.com/google.rpc.BadRequest".to_owned();
    Answer::error(code, "not so").details(vec![Any { type_url, value }])
}

async fn bar(code: Code, fields: &'static [&'static str]) -> (Upstream, Gate) {
    let bar = Upstream::answering(move |_| complaining(code, fields)).await;
    let gate = Gate::start(|config| {
        let config = config.schema(compile(TASTES)).upstream("bar", "bar.Bar", &[&bar.url()]);
        config.access("bar.Bar/Do", "public")
    })
    .await;
    (bar, gate)
}

/// The fields that a REST client reads of.
async fn told(ask: Ask) -> Vec<String> {
    let problem = ask.await.is(400).problem();
    let violations = problem["details"][0]["fieldViolations"].as_array().unwrap().clone();
    let field = |violation: &Value| violation["field"].as_str().unwrap_or_default().to_owned();
    violations.iter().map(field).collect()
}

const FIELDS: &[&str] = &[
    "user_id",
    "user.display_name",
    "user",
    "user.best_friends[\"a.b\"].phone_numbers[1]",
    "all_users[0].display_name",
    "allUsers[0].displayName",
    "all_users[7]",
    "row_filter.page_token",
    "a sentence. Not a field",
    "user.nix",
    "",
];

#[tokio::test]
async fn with_the_whole_body_fields_are_named_from_the_top_as_the_body_names_them() {
    let (_bar, gate) = bar(Code::InvalidArgument, FIELDS).await;
    let by_json = [
        // A path variable is named as in the template.
        "user_id",
        "user.displayName",
        "user",
        "user.bestFriends[\"a.b\"].phoneNumbers[1]",
        "allUsers[0].displayName",
        "allUsers[0].displayName",
        "allUsers[7]",
        "rowFilter.pageToken",
        "a sentence. Not a field",
        "user.nix",
        "",
    ];
    let by_contract = [
        "user_id",
        "user.display_name",
        "user",
        "user.best_friends[\"a.b\"].phone_numbers[1]",
        "all_users[0].display_name",
        "all_users[0].display_name",
        "all_users[7]",
        "row_filter.page_token",
        "a sentence. Not a field",
        "user.nix",
        "",
    ];
    for (body, expected) in [
        (json!({}), by_json),
        (json!({"user": {"displayName": "a"}}), by_json),
        (json!({"user": {"display_name": "a"}}), by_contract),
        // Anywhere, and at any depth.
        (
            json!({"allUsers": [{}, {"phone_numbers": []}], "user": {"displayName": "a"}}),
            by_contract,
        ),
    ] {
        assert_eq!(told(gate.post("/all/7", &body)).await, expected, "{body}");
    }
}

#[tokio::test]
async fn with_one_field_as_body_its_fields_are_named_from_there() {
    let (_bar, gate) = bar(Code::InvalidArgument, FIELDS).await;
    let by_json = told(gate.post("/one/ada", &json!({"phoneNumbers": []}))).await;
    // A path variable is named as in the template, and what is not in the body as in the query.
    assert_eq!(by_json[..3], ["userId", "user.display_name", "user"]);
    assert_eq!(by_json[3..5], ["bestFriends[\"a.b\"].phoneNumbers[1]", "allUsers[0].displayName"]);
    assert_eq!(by_json[7], "rowFilter.pageToken");
    let by_contract = told(gate.post("/one/ada", &json!({"phone_numbers": []}))).await;
    assert_eq!(by_contract[3], "best_friends[\"a.b\"].phone_numbers[1]");
    let list = told(gate.post("/list?userId=7", &json!([{"displayName": "a"}]))).await;
    assert_eq!(list[4..7], ["[0].displayName", "[0].displayName", "[7]"]);
}

#[tokio::test]
async fn a_query_names_fields_as_it_spelled_them() {
    let (_bar, gate) = bar(Code::InvalidArgument, FIELDS).await;
    let by_json = told(gate.get("/none/a?userId=7&user.displayName=a")).await;
    assert_eq!(by_json[..2], ["userId", "user.displayName"]);
    assert_eq!(
        by_json[7], "row_filter.page_token",
        "the path's variable as the template spells it"
    );
    let by_contract = told(gate.get("/none/a?user_id=7&user.displayName=a")).await;
    assert_eq!(by_contract[..2], ["user_id", "user.display_name"]);
}

#[tokio::test]
async fn whatever_the_code_is_and_never_over_grpc() {
    let (bar, gate) = bar(Code::FailedPrecondition, FIELDS).await;
    let told = told(gate.post("/one/ada", &json!({}))).await;
    assert_eq!(told[3], "bestFriends[\"a.b\"].phoneNumbers[1]");
    bar.only_call();
    let grpc = gate.grpc().await.call("bar.Bar/Do", Request::new("".into())).await.unwrap_err();
    let violations = grpc.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, FIELDS);
    assert_eq!((grpc.code(), grpc.message()), (Code::FailedPrecondition, "not so"));
}

/// What the gateway finds wrong itself is named in the same way.
#[tokio::test]
async fn the_gateway_names_fields_like_the_services() {
    let (bar, gate) = bar(Code::Ok, &[]).await;
    let body = json!({"phoneNumbers": ["1", 2]});
    assert_eq!(told(gate.post("/one/ada", &body)).await, ["phoneNumbers[1]"]);
    assert_eq!(
        told(gate.post("/list", &json!([{}, {"display_name": 1}]))).await,
        ["[1].display_name"]
    );
    assert_eq!(told(gate.post("/one/ada", &json!(7))).await, ["user"]);
    let empty = gate.ask(Method::POST, "/all/1").json(&json!({"user": {"displayName": 7}}));
    assert_eq!(told(empty).await, ["user.displayName"]);
    bar.saw_nothing();
}
