//! Schemas that can't be taken, and http rules that can't be routes.

use std::fs;

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tempfile::TempDir;

use crate::stand::{compile, run};

/// Expects that a schema with these access lines is refused with a text that holds all of these.
async fn check(schema: &[u8], service: &str, access: &[&str], expected: &[&str]) {
    let folder = TempDir::new().unwrap();
    let lines: Vec<String> = access.iter().map(|rpc| format!("\n    {rpc}: public")).collect();
    let lines = if lines.is_empty() { " {}".to_owned() } else { lines.concat() };
    let text = format!(
        "schema: {{ file: schema.binpb }}\nlistener: {{ address: \"127.0.0.1:0\" }}\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         upstreams: {{ a: {{ services: [{service}], endpoints: [\"http://a:1\"] }} }}\nauthorization:\n  access:{lines}\n"
    );
    fs::write(folder.path().join("schema.binpb"), schema).unwrap();
    fs::write(folder.path().join("gateway.yaml"), text).unwrap();
    let exit = run(folder.path(), &[], ["--check"]).await;
    assert_eq!(exit.code, Some(78), "{}{}", exit.out, exit.errors);
    for expected in expected {
        assert!(exit.errors.contains(expected), "no {expected:?} in {}", exit.errors);
    }
    assert!(!exit.errors.contains("panicked"), "{}", exit.errors);
}

fn set(file: FileDescriptorProto) -> Vec<u8> {
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[tokio::test]
async fn what_is_no_descriptor_set_is_refused() {
    let not = "1:17: schema.file: `schema.binpb`: not an encoded FileDescriptorSet";
    check(b"{\"file\": []}", "a.A", &[], &[not]).await;
    check(b"\xff\xff\xff", "a.A", &[], &[not]).await;
    check(
        b"",
        "a.A",
        &[],
        &["1:17: schema.file: `schema.binpb`: the descriptor set holds no file"],
    )
    .await;
}

#[tokio::test]
async fn editions_and_missing_imports_are_refused_without_a_panic() {
    let file = FileDescriptorProto {
        name: Some("new.proto".to_owned()),
        syntax: Some("editions".to_owned()),
        ..FileDescriptorProto::default()
    };
    check(
        &set(file),
        "a.A",
        &[],
        &["new.proto is written in `editions`", "only proto2 and proto3"],
    )
    .await;
    let file = FileDescriptorProto {
        name: Some("lonely.proto".to_owned()),
        dependency: vec!["friend.proto".to_owned()],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    check(&set(file), "a.A", &[], &["lonely.proto imports friend.proto, which is not in the set"])
        .await;
}

#[tokio::test]
async fn a_set_that_contradicts_itself_is_refused_with_the_reason() {
    let message = |field: &str| prost_types::DescriptorProto {
        name: Some("M".to_owned()),
        field: vec![prost_types::FieldDescriptorProto {
            name: Some("f".to_owned()),
            number: Some(1),
            label: Some(1),
            r#type: Some(11),
            type_name: Some(field.to_owned()),
            ..prost_types::FieldDescriptorProto::default()
        }],
        ..prost_types::DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("broken.proto".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message(".Nowhere")],
        ..FileDescriptorProto::default()
    };
    check(&set(file), "a.A", &[], &["inconsistent", "Nowhere"]).await;
}

/// A service whose RPCs have these rules.
fn service(rules: &[(&str, &str)]) -> Vec<u8> {
    let rpcs = rules
        .iter()
        .map(|(rpc, rule)| format!("rpc {rpc} {{ option (google.api.http) = {{ {rule} }}; }}\n"))
        .collect::<Vec<_>>()
        .concat();
    compile(&format!(
        "syntax = \"proto3\"; package a; import \"google/api/annotations.proto\";\n\
         message M {{ string id = 1; repeated string tags = 2; map<string, string> labels = 3; M inner = 4; }}\n\
         service A {{ {rpcs} }}"
    ))
}

#[tokio::test]
async fn routes_that_nothing_tells_apart_are_refused_with_a_url_that_both_match() {
    let set = service(&[
        ("One(M) returns (M)", "get: \"/a/{id}\""),
        ("Two(M) returns (M)", "get: \"/a/{inner.id}\""),
    ]);
    check(&set, "a.A", &["a.A/One", "a.A/Two"], &[
        "8:14: authorization.access.a.A/Two: its http rule and that of a.A/One are the same: `GET /a/{id}` and `GET /a/{inner.id}` both match `GET /a/x`",
    ])
    .await;
}

#[tokio::test]
async fn rules_that_do_not_fit_their_messages_are_refused() {
    for (rule, complaint) in [
        ("get: \"/a/{none}\"", "none"),
        ("get: \"/a/{inner.none}\"", "inner.none"),
        ("get: \"/a/{inner}\"", "it is a message, a.M"),
        ("get: \"/a/{labels}\"", "it is a map"),
        (
            "get: \"/a/{tags}\"",
            "the variable `tags`: it is a repeated field, which a path can't hold",
        ),
        ("post: \"/a\" body: \"none\"", "body: a.M has no field `none`"),
        ("post: \"/a\" body: \"inner.id\"", "body: a.M has no field `inner.id`"),
        ("get: \"/a\" response_body: \"none\"", "response_body: a.M has no field `none`"),
        ("get: \"/a/**/b\"", "`**` takes the rest of the path"),
        ("body: \"*\"", "its http rule: it has no pattern: write one of get, put"),
        ("get: \"/a\" additional_bindings { body: \"*\" }", "its http rule: it has no pattern"),
        (
            "get: \"/a\" additional_bindings { get: \"/b\" additional_bindings { get: \"/c\" } }",
            "its http rule: an additional binding can't hold others",
        ),
        ("get: \"/a/{id\"", "the variable is not closed"),
        ("get: \"a\"", "a template begins with `/`"),
        ("get: \"/a//b\"", "a segment is empty"),
        ("get: \"/a/../b\"", "no path with a dot segment"),
        ("get: \"/a/{id}/{id}\"", "`id` stands here for the second time"),
        ("custom { kind: \"A B\" path: \"/a\" }", "`A B` is not a method that the gateway lets in"),
        (
            "custom { kind: \"LINK\" path: \"/a\" }",
            "`LINK` is not a method that the gateway lets in",
        ),
    ] {
        let set = service(&[("One(M) returns (M)", rule)]);
        check(
            &set,
            "a.A",
            &["a.A/One"],
            &["7:14: authorization.access.a.A/One: its http rule", complaint],
        )
        .await;
    }
}

#[tokio::test]
async fn an_rpc_whose_requests_are_a_stream_can_not_be_exposed() {
    let set = service(&[("One(stream M) returns (M)", "post: \"/a\" body: \"*\"")]);
    check(&set, "a.A", &["a.A/One"], &[
        "7:14: authorization.access.a.A/One: an RPC whose requests are a stream can't be exposed: make it internal",
    ])
    .await;
}
