use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Request};

use super::RestBinding;
use crate::message::{JsonOut, RpcType, Schema};
use crate::transcoding::{HttpRule, Options, http_rules};

const PROTO: &str = r#"
    syntax = "proto3";
    package t;
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    import "google/protobuf/field_mask.proto";
    message Item { string id = 1; string name = 2; int64 size = 3; repeated string tags = 4; map<string, string> notes = 5; Item inner = 6; }
    message Request { Item item = 1; repeated Item items = 2; int32 page = 3; google.protobuf.FieldMask mask = 4; string id = 5; }
    message Choice { oneof owner { string user = 1; string org = 2; Item item = 3; } string id = 4; Choice deep = 5; repeated string tags = 6; optional int32 size = 7; }
    service S {
      rpc Choose(Choice) returns (Choice) { option (google.api.http) = { get: "/choices/{id}" }; }
      rpc ChooseUser(Choice) returns (Choice) { option (google.api.http) = { get: "/users/{user}" }; }
      rpc ChooseBody(Choice) returns (Choice) { option (google.api.http) = { put: "/choices/{id}" body: "user" }; }
      rpc ChooseDeep(Choice) returns (Choice) { option (google.api.http) = { put: "/choices/{deep.user}" body: "*" }; }
      rpc Get(Item) returns (Item) { option (google.api.http) = { get: "/items/{id}" }; }
      rpc Put(Item) returns (Item) { option (google.api.http) = { put: "/items/{id}" body: "*" }; }
      rpc Patch(Request) returns (Request) { option (google.api.http) = { patch: "/items/{item.id}" body: "item" response_body: "items" }; }
      rpc Raw(Item) returns (google.api.HttpBody) { option (google.api.http) = { get: "/raw/{id}" }; }
    }
"#;

fn rpc(name: &str) -> RpcType {
    struct Text;
    impl protox::file::FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            if name == "t.proto" {
                return protox::file::File::from_source(name, PROTO);
            }
            let google = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
            let mut chain = protox::file::ChainFileResolver::new();
            chain.add(protox::file::GoogleFileResolver::new());
            chain.add(protox::file::IncludeFileResolver::new(google.into()));
            chain.open_file(name)
        }
    }
    let mut compiler = protox::Compiler::with_file_resolver(Text);
    let set =
        compiler.include_imports(true).open_file("t.proto").unwrap().encode_file_descriptor_set();
    Schema::load(&set).unwrap().method(&format!("t.S/{name}")).unwrap()
}

fn binding(name: &str) -> RestBinding {
    let rpc = rpc(name);
    let rule = http_rules(rpc.descriptor()).unwrap().remove(0);
    let variable = match name {
        "Patch" => "item.id",
        "ChooseUser" => "user",
        "ChooseDeep" => "deep.user",
        _ => "id",
    };
    RestBinding::compile(&rule, &rpc, &[variable], Options::default()).unwrap()
}

/// The request's message as JSON, or what is wrong with the request.
fn read(name: &str, id: &str, query: &str, body: &str) -> Result<String, String> {
    let request = Request::get(format!("/x?{query}"))
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let binding = binding(name);
    let (wire, _names) = binding
        .read(&[Cow::Borrowed(id)], &request.into_parts().0, None, body.as_bytes())
        .map_err(|error| match &error {
            crate::transcoding::Error::Json(json) => json.to_string(),
            other => other.to_string(),
        })?;
    let mut json = Vec::new();
    binding.input.wire_to_json(&wire, &JsonOut::default(), &mut json).unwrap();
    Ok(String::from_utf8(json).unwrap())
}

#[track_caller]
fn reads(name: &str, id: &str, query: &str, body: &str, expected: &str) {
    assert_eq!(read(name, id, query, body).as_deref(), Ok(expected));
}

#[track_caller]
fn refuses(name: &str, id: &str, query: &str, body: &str, expected: &str) {
    let error = read(name, id, query, body).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn without_a_body_every_unbound_field_is_a_query_parameter() {
    reads("Get", "a/b", "", "", r#"{"id":"a/b"}"#);
    reads(
        "Get",
        "1",
        "name=x+y&size=9007199254740993&tags=p&tags=q&inner.inner.id=deep",
        "",
        r#"{"id":"1","name":"x y","size":"9007199254740993","tags":["p","q"],"inner":{"inner":{"id":"deep"}}}"#,
    );
    refuses("Get", "1", "nmae=x", "", "did you mean `name`?");
    refuses("Get", "1", "size=1.5", "", "the query parameter `size`");
    refuses("Get", "1", "size", "", "the query parameter `size`");
    refuses("Get", "1", "name=a&name=b", "", "`name`: given twice");
    refuses("Get", "1", "inner.name=a&inner.name=b", "", "`inner.name`: given twice");
    refuses("Get", "1", "notes=a", "", "is a map");
    refuses("Get", "1", "inner=a", "", "is a message");
    refuses("Get", "1", "", "{}", "this route takes no body");
}

#[test]
fn with_the_whole_body_there_is_no_query() {
    reads("Put", "1", "", "", r#"{"id":"1"}"#);
    reads("Put", "1", "", r#"{"name":"x"}"#, r#"{"id":"1","name":"x"}"#);
    refuses("Put", "1", "name=x", "{}", "takes everything from the body");
    refuses("Put", "1", "", r#"{"name":"x","name":"y"}"#, "name");
    refuses("Put", "1", "", r#"{"nmae":"x"}"#, "nmae");
}

#[test]
fn with_one_field_as_body_the_rest_is_query() {
    reads(
        "Patch",
        "1",
        "mask=name,size&page=2",
        r#"{"name":"x"}"#,
        r#"{"item":{"id":"1","name":"x"},"page":2,"mask":"name,size"}"#,
    );
    refuses("Patch", "1", "item.name=x", "{}", "`item` is the body");
    refuses("Patch", "1", "items.name=x", "{}", "the query parameter `items.name`");
}

#[test]
fn the_path_wins_only_over_silence() {
    reads("Put", "1", "", r#"{"id":"1"}"#, r#"{"id":"1"}"#);
    reads("Put", "1", "", r#"{"id":""}"#, r#"{"id":"1"}"#);
    refuses(
        "Put",
        "1",
        "",
        r#"{"id":"2"}"#,
        "the path variable `id`: it has another value in the body or the query",
    );
    refuses("Get", "1", "id=2", "", "the path variable `id`: it has another value");
    refuses("Patch", "1", "", r#"{"id":"2"}"#, "the path variable `item.id`: it has another value");
    reads("Patch", "1", "", r#"{"id":"1"}"#, r#"{"item":{"id":"1"}}"#);
}

#[test]
fn only_json_in_utf8_is_taken_as_a_body() {
    let binding = binding("Put");
    let taken = |types: &[&str]| {
        let mut request = Request::put("/x");
        for content_type in types {
            request = request.header("content-type", *content_type);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        binding.admit_body(&parts.headers).is_ok()
    };
    assert!(taken(&["application/json"]) && taken(&["Application/JSON; charset=\"UTF-8\""]));
    for wrong in [
        &[][..],
        &["text/json"],
        &["application/json; charset=utf-16"],
        &["application/json", "application/json"],
        &["application/x-www-form-urlencoded"],
        &["application/jsonx"],
    ] {
        assert!(!taken(wrong), "{wrong:?}");
    }
}

#[test]
fn answers_with_the_field_that_the_rule_names() {
    let mut wire = Vec::new();
    let patch = binding("Patch");
    let json = br#"{"items":[{"id":"1"},{"id":"2"}],"page":7}"#;
    let output = rpc("Patch").output().clone();
    output.json_to_wire(json, &crate::message::JsonIn::default(), &mut wire).unwrap();
    let body = |wire: Vec<u8>| patch.render(&wire.into(), HeaderMap::new()).unwrap().into_body();
    assert_eq!(body(wire), r#"[{"id":"1"},{"id":"2"}]"#);
    assert_eq!(body(Vec::new()), "[]");
}

#[test]
fn an_http_body_is_answered_as_it_is() {
    let answer =
        |wire: &'static [u8]| binding("Raw").render(&Bytes::from_static(wire), HeaderMap::new());
    let image = answer(b"\x0a\x09image/svg\x12\x03<a>").unwrap();
    assert_eq!(
        (&image.headers()["content-type"], &image.headers()["x-content-type-options"]),
        (&"image/svg".parse().unwrap(), &"nosniff".parse().unwrap())
    );
    assert_eq!(image.into_body(), "<a>");
    assert_eq!(
        answer(b"\x0a\x03a\nb").unwrap().headers()["content-type"],
        "application/octet-stream"
    );
    assert!(answer(b"\x0a\x09ima").is_err());
}

#[test]
fn refuses_rules_that_the_types_do_not_bear() {
    let rpc = rpc("Patch");
    let mistakes = |template: &str, body: &str, response_body: &str, variables: &[&str]| {
        let rule = HttpRule {
            method: "GET".to_owned(),
            template: template.to_owned(),
            body: body.to_owned(),
            response_body: response_body.to_owned(),
        };
        RestBinding::compile(&rule, &rpc, variables, Options::default()).unwrap_err().join("; ")
    };
    let all = mistakes(
        "/{nix}/{item.tags}/{item}/{item.id.x}/{items.id}",
        "boy",
        "rest",
        &["nix", "item.tags", "item", "item.id.x", "items.id"],
    );
    for expected in [
        "t.Request has no field `nix`",
        "the variable `item.tags`: it is a repeated field",
        "`item`: it can't be given as text: it is a message",
        "`item.id.x`: `id` holds no message",
        "body: t.Request has no field `boy`",
        "response_body: t.Request has no field `rest`",
    ] {
        assert!(all.contains(expected), "{all}\n lacks {expected}");
    }
    assert_eq!(all.matches("; ").count(), 6, "{all}");
}

#[test]
fn two_members_of_a_oneof_are_refused_wherever_they_stand() {
    let both = |one: &str, other: &str| format!("`{one}`: not allowed beside `{other}`, of these");
    refuses("Choose", "1", "user=a&org=b", "", &both("org", "user"));
    refuses("Choose", "1", "user=&org=", "", &both("org", "user"));
    refuses("Choose", "1", "item.id=a&user=b", "", &both("user", "item"));
    refuses("Choose", "1", "user=b&item.id=a", "", &both("item.id", "user"));
    refuses(
        "Choose",
        "1",
        "deep.item.tags=a&deep.item.tags=b&deep.org=b",
        "",
        &both("deep.org", "deep.item"),
    );
    refuses(
        "Choose",
        "1",
        "deep.deep.user=a&deep.deep.org=b",
        "",
        &both("deep.deep.org", "deep.deep.user"),
    );
    refuses("ChooseUser", "a", "org=b", "", &both("user", "org"));
    refuses("ChooseBody", "1", "org=b", r#""a""#, &both("org", "user"));
    refuses("ChooseDeep", "a", "", r#"{"deep":{"org":"b"}}"#, &both("deep.user", "deep.org"));
    refuses("ChooseDeep", "a", "", r#"{"deep":{"item":{}}}"#, &both("deep.user", "deep.item"));
}

#[test]
fn one_member_of_a_oneof_may_stand_beside_everything_else() {
    reads(
        "Choose",
        "1",
        "item.id=a&item.name=b&size=0&tags=c",
        "",
        r#"{"item":{"id":"a","name":"b"},"id":"1","tags":["c"],"size":0}"#,
    );
    reads("Choose", "1", "user=a&deep.org=b", "", r#"{"user":"a","id":"1","deep":{"org":"b"}}"#);
    reads("ChooseUser", "a", "deep.org=b", "", r#"{"user":"a","deep":{"org":"b"}}"#);
    reads(
        "ChooseDeep",
        "a",
        "",
        r#"{"org":"b","deep":{"user":"a"}}"#,
        r#"{"org":"b","deep":{"user":"a"}}"#,
    );
    reads("ChooseBody", "1", "org=b", "", r#"{"org":"b","id":"1"}"#);
}
