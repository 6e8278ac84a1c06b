//! Whatever is wrong with a configuration is said before the door opens: all of it, where it is, and what to do.

mod rooms;

use std::fs;

use tempfile::TempDir;

use crate::stand::{Exit, kitchen_set, run};

/// A configuration without a mistake.
const GOOD: &str = r#"schema: { file: schema.binpb }
listener: { address: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0" }
upstreams:
  cellar: { services: [kitchen.v1.Cellar], endpoints: ["http://127.0.0.1:1"] }
authorization:
  access:
    kitchen.v1.Cellar/GetWine: public
"#;

pub(crate) async fn check_text(text: &str) -> Exit {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("schema.binpb"), kitchen_set()).unwrap();
    fs::write(folder.path().join("gateway.yaml"), text).unwrap();
    run(folder.path(), &[("PORT".to_owned(), "8080".to_owned())], ["--check"]).await
}

/// Replaces one text of the good configuration by another, and expects exactly these complaints.
async fn check(old: &str, new: &str, expected: &[&str]) {
    assert!(GOOD.contains(old), "{old}");
    let exit = check_text(&GOOD.replacen(old, new, 1)).await;
    let expected: Vec<String> =
        expected.iter().map(|line| format!("gateway.yaml:{line}\n")).collect();
    let expected = expected.concat();
    assert_eq!((exit.errors, exit.code), (expected, Some(78)), "{old} -> {new}");
    assert_eq!(exit.out, "", "{old} -> {new}");
}

#[tokio::test]
async fn a_good_file_brings_no_complaint() {
    let exit = check_text(GOOD).await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn sections() {
    let known = "there is no such section; there are schema, listener, admin, upstreams, authentication, \
                 authorization, rate_limiting, load_balancing, resilience, transcoding, monitoring";
    check("schema: { file: schema.binpb }\n", "", &["schema: the section is missing"]).await;
    check(
        "admin:",
        "operators:",
        &[&format!("3:12: operators: {known}"), "admin: the section is missing"],
    )
    .await;
    check(
        "listener:",
        "listeners:",
        &[
            "2:12: listeners: there is no such section; did you mean listener?",
            "listener: the section is missing",
        ],
    )
    .await;
    check("schema:", "schema: {}\nschema:", &["2:1: (file): duplicate mapping key: schema"]).await;
    check("schema: {", "schema: [{", &["2:9: (file): illegal placement of ':' indicator"]).await;
    check(GOOD, "- a\n", &["1:1: (file): expected lines of the form `name: value`"]).await;
    let missing = ["schema", "listener", "admin", "upstreams", "authorization"]
        .map(|section| format!("{section}: the section is missing"));
    check(GOOD, "", &missing.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn schema() {
    let write =
        "write it with `buf build -o FILE` or `protoc --include_imports --descriptor_set_out=FILE`";
    check("schema.binpb", "none.binpb", &[&format!(
        "1:17: schema.file: `none.binpb` can't be read (No such file or directory (os error 2)): {write}"
    )])
    .await;
    check("file:", "files:", &["1:11: schema: unknown field `files`, expected one of file"]).await;
    check(
        "{ file: schema.binpb }",
        "7",
        &["1:9: schema: expected lines of the form `name: value`"],
    )
    .await;
}

#[tokio::test]
async fn addresses() {
    let advice = "is not an address: write HOST:PORT, such as 127.0.0.1:8080";
    for wrong in ["8080", "127.0.0.1", ":8080", "127.0.0.1:99999", "127.0.0.1:http"] {
        let complaint = format!("2:22: listener.address: `{wrong}` {advice}");
        check("\"127.0.0.1:0\"", &format!("\"{wrong}\""), &[&complaint]).await;
    }
    check(
        "admin: { address: \"127.0.0.1:0\" }",
        "admin: { address: nowhere }",
        &[&format!("3:19: admin.address: `nowhere` {advice}")],
    )
    .await;
}

#[tokio::test]
async fn upstreams() {
    check("services: [kitchen.v1.Cellar]", "services: [kitchen.v1.Cell, kitchen.v1.Cellar]", &[
        "5:24: upstreams.cellar.services: the schema has no service `kitchen.v1.Cell`; it has kitchen.v1.Kitchen, kitchen.v1.Cellar",
    ])
    .await;
    check("authorization:", "  other: { services: [kitchen.v1.Cellar], endpoints: [\"http://127.0.0.1:2\"] }\nauthorization:", &[
        "6:23: upstreams.other.services: `kitchen.v1.Cellar` is served by another upstream already: it can have one",
    ])
    .await;
    // Who serves the RPCs of the access lines is not known, and no mistake of theirs.
    check(
        "[kitchen.v1.Cellar]",
        "[]",
        &["upstreams.cellar.services: there is no service: write at least one, as package.Service, or give it a part of an RPC in load_balancing.split"],
    )
    .await;
    check("[\"http://127.0.0.1:1\"]", "[]", &[
        "upstreams.cellar.endpoints: there is no endpoint: write at least one, such as http://127.0.0.1:50051",
    ])
    .await;
    check(
        "[\"http://127.0.0.1:1\"]",
        "[\"http://a:1\", \"http://a:1\"]",
        &["5:70: upstreams.cellar.endpoints: `http://a:1` is there twice"],
    )
    .await;
    check(
        "endpoints:",
        "endpoint:",
        &["5:44: upstreams: unknown field `endpoint`, expected one of services, endpoints"],
    )
    .await;
    for (endpoint, complaint) in [
        (
            r#"{ address: "http://127.0.0.1:1", weight: 0 }"#,
            "5:56: upstreams: `0` is not a weight: write a whole number from 1 to 1000, or leave the endpoint out",
        ),
        (
            r#"{ address: "http://127.0.0.1:1", wait: 2 }"#,
            "5:89: upstreams: unknown field `wait`, expected one of address, weight",
        ),
        (
            r#"{ address: "tcp://127.0.0.1:1", weight: 2 }"#,
            "5:56: upstreams.cellar.endpoints: `tcp://127.0.0.1:1` is not an endpoint: write http://HOST:PORT, or srv://NAME for what a name service knows, without a path; TLS to services is not built",
        ),
    ] {
        check("\"http://127.0.0.1:1\"", endpoint, &[complaint]).await;
    }
    let wrong = [
        "127.0.0.1:1",
        "https://127.0.0.1:1",
        "http://127.0.0.1",
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/path",
        "http://127.0.0.1:1?query",
        "http://user:secret@127.0.0.1:1",
        "http://127.0.0.1:01",
        "http://",
        "nonsense",
    ];
    for wrong in wrong {
        check("http://127.0.0.1:1", wrong, &[&format!(
            "5:56: upstreams.cellar.endpoints: `{wrong}` is not an endpoint: write http://HOST:PORT, or srv://NAME for what a name service knows, without a path; TLS to services is not built"
        )])
        .await;
    }
}

#[tokio::test]
async fn access_lines() {
    let instead = "write public, authenticated, role:<name> or internal";
    for wrong in ["publik", "PUBLIC", "self", "role", "everyone"] {
        check(": public", &format!(": {wrong}"), &[&format!(
            "8:32: authorization.access.kitchen.v1.Cellar/GetWine: `{wrong}` is not an access; {instead}"
        )])
        .await;
    }
    check(": public", ":", &["8:30: authorization: cannot deserialize null into string"]).await;
    check(
        ": public",
        ": [public]",
        &["8:32: authorization: expected one value, not a list and not lines of their own"],
    )
    .await;
    check(
        "access:",
        "acces:",
        &["7:3: authorization: unknown field `acces`, expected one of rules, access, ownership_upstream"],
    )
    .await;
    check(
        ": public",
        ": public\n    kitchen.v1.Cellar/GetWine: internal",
        &["9:5: (file): duplicate mapping key: kitchen.v1.Cellar/GetWine"],
    )
    .await;
    for nobody in ["authenticated", "role:cook"] {
        check(": public", &format!(": {nobody}"), &[
            "8:32: authorization.access.kitchen.v1.Cellar/GetWine: nobody could be admitted: no issuer is trusted and no API key known, add one to authentication.issuers or authentication.api_keys",
        ])
        .await;
    }
    check(": public", ": public\n    GetWine: public", &[
        "9:14: authorization.access.GetWine: `GetWine` is not an RPC; write package.Service/Method",
    ])
    .await;
    check(": public", ": public\n    kitchen.v1.Cellar: public", &[
        "9:24: authorization.access.kitchen.v1.Cellar: `kitchen.v1.Cellar` is not an RPC; write package.Service/Method",
    ])
    .await;
    check(": public", ": public\n    kitchen.v1.*/*: public", &[
        "9:21: authorization.access.kitchen.v1.*/*: `kitchen.v1.*/*` is not an RPC, and there are no wildcards: write a line package.Service/Method for each",
    ])
    .await;
    for (written, column) in [("kitchen.v1.Cellar.GetWine", 32), ("/kitchen.v1.Cellar/GetWine", 33)]
    {
        check("kitchen.v1.Cellar/GetWine:", &format!("{written}:"), &[&format!(
            "8:{column}: authorization.access.{written}: `{written}` is not an RPC; write kitchen.v1.Cellar/GetWine"
        )])
        .await;
    }
}

#[tokio::test]
async fn access_lines_and_the_schema() {
    let forgotten = "authorization.access: `kitchen.v1.Cellar/GetWine` has an http rule but no access line: add one \
                     (public, authenticated, role:<name>), or `internal` to hide it";
    check("    kitchen.v1.Cellar/GetWine: public\n", "    {}\n", &[forgotten]).await;
    check("Cellar/GetWine: public", "Cellar/GetWines: public", &[
        "8:33: authorization.access.kitchen.v1.Cellar/GetWines: the schema has no RPC `kitchen.v1.Cellar/GetWines`; did you mean kitchen.v1.Cellar/GetWine?",
    ])
    .await;
    check("Cellar/GetWine: public", "Cellar/Drink: public", &[
        "8:30: authorization.access.kitchen.v1.Cellar/Drink: the schema has no RPC `kitchen.v1.Cellar/Drink`; there are kitchen.v1.Cellar/GetWine, kitchen.v1.Cellar/WatchWines",
        forgotten,
    ])
    .await;
    check("kitchen.v1.Cellar/GetWine: public", "kitchen.v1.Cellar/GetWine: public\n    kitchen.v1.Kitchen/Unrelated: public", &[
        "9:35: authorization.access.kitchen.v1.Kitchen/Unrelated: the schema has no RPC `kitchen.v1.Kitchen/Unrelated`; there are kitchen.v1.Kitchen/GetDish, kitchen.v1.Kitchen/ListDishes, kitchen.v1.Kitchen/CreateDish, kitchen.v1.Kitchen/ReplaceDish, kitchen.v1.Kitchen/UpdateDish, …",
    ])
    .await;
    check("v1.Cellar/GetWine: public", "v2.Cellar/GetWine: public", &[
        "8:32: authorization.access.kitchen.v2.Cellar/GetWine: the schema has no RPC `kitchen.v2.Cellar/GetWine`; did you mean kitchen.v1.Cellar/GetWine?",
    ])
    .await;
    check(": public", ": public\n    kitchen.v1.Kitchen/GetDish: public", &[
        "9:33: authorization.access.kitchen.v1.Kitchen/GetDish: no upstream serves `kitchen.v1.Kitchen`: add it to the services of one",
    ])
    .await;
    // What nobody can reach needs nobody who serves it.
    let hidden = GOOD.replace(": public", ": public\n    kitchen.v1.Kitchen/GetDish: internal");
    assert_eq!(check_text(&hidden).await.code, Some(0));
}

#[tokio::test]
async fn issuers() {
    let issuers = |text: &str| format!("authentication: {{ issuers: [{text}] }}\nauthorization:");
    check("authorization:", &issuers(r#"{ issuer: "", audience: " a", algorithm: HS256, jwks: keys }"#), &[
        "6:39: authentication.issuers[0].issuer: it is empty; write what the claim `iss` of its tokens says",
        "6:53: authentication.issuers[0].audience: ` a` begins or ends with a space; write the name by which its tokens mean this gateway, exactly",
        "6:70: authentication.issuers[0].algorithm: `HS256` is symmetric: whoever can verify such a token can also forge one; let the issuer sign with one of ES256, ES384, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA",
        "6:83: authentication.issuers[0].jwks: `keys` is not a URL (relative URL without a base); write one such as https://issuer.example/.well-known/jwks.json",
    ])
    .await;
    let good = r#"{ issuer: a, audience: b, algorithm: ES256, jwks: "http://a/" }"#;
    check(
        "authorization:",
        &issuers(&format!("{good}, {good}")),
        &["6:104: authentication.issuers[1].issuer: the issuer `a` is written twice; keep one"],
    )
    .await;
    check(
        "authorization:",
        &issuers("{ issuer: a, audience: b, jwks: c }"),
        &["6:55: authentication: missing field `algorithm`"],
    )
    .await;
    check(
        "authorization:",
        "authentication: { issuer: [] }\nauthorization:",
        &["6:19: authentication: unknown field `issuer`, expected one of issuers, api_keys"],
    )
    .await;
}

#[tokio::test]
async fn variables() {
    check("127.0.0.1:0", "127.0.0.1:0${NO_SUCH}", &[
        "2:34: (file): the environment variable NO_SUCH is not set: set it or write ${NO_SUCH:-default}",
    ])
    .await;
    check(
        "127.0.0.1:0",
        "127.0.0.1:0${A B}",
        &["2:34: (file): `A B` is not the name of an environment variable"],
    )
    .await;
    for fine in ["127.0.0.1:${PORT}", "127.0.0.1:${NO_SUCH:-0}", "127.0.0.1:${PORT:-nonsense}"] {
        let exit = check_text(&GOOD.replacen("127.0.0.1:0", fine, 1)).await;
        assert_eq!(exit.code, Some(0), "{fine}: {}", exit.errors);
    }
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    let text = GOOD
        .replace("http://127.0.0.1:1", "tcp://127.0.0.1:1")
        .replace("\"127.0.0.1:0\"", "\"nowhere\"")
        .replace(": public", ": private")
        .replace(
            "authorization:",
            "transcoding: { problem_base: \"a b\" }\nresilience: { deadline: 5 }\nauthorization:",
        );
    let exit = check_text(&text).await;
    let places: Vec<&str> =
        exit.errors.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    let expected = [
        "listener.address",
        "admin.address",
        "upstreams.cellar.endpoints",
        "transcoding.problem_base",
        "resilience",
        "authorization.access.kitchen.v1.Cellar/GetWine",
    ];
    assert_eq!((places.as_slice(), exit.code), (expected.as_slice(), Some(78)), "{}", exit.errors);
}
