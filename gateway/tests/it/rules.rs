//! Rules of `google.api.http` that stand in the configuration.

use serde_json::json;

use crate::mistakes::check_text;
use crate::stand::{Gate, Upstream};

/// A configuration with these rules, a line each.
fn text(access: &str, rules: &[&str]) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("    - {rule}\n")).collect();
    format!(
        "schema: {{ file: schema.binpb }}\nlistener: {{ address: \"127.0.0.1:0\" }}\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
         upstreams:\n  cellar: {{ services: [kitchen.v1.Cellar], endpoints: [\"http://127.0.0.1:1\"] }}\n\
         authorization:\n  access: {{ {access} }}\ntranscoding:\n  rules:\n{}",
        rules.concat()
    )
}

/// Expects exactly these complaints about rules; the first of them stands in line 10.
async fn refused(rules: &[&str], expected: &[&str]) {
    let exit = check_text(&text("kitchen.v1.Cellar/GetWine: public", rules)).await;
    let lines: Vec<String> = expected.iter().map(|line| format!("gateway.yaml:{line}\n")).collect();
    assert_eq!((exit.errors, exit.code), (lines.concat(), Some(78)), "{rules:?}");
}

#[tokio::test]
async fn a_rule_that_is_none_is_refused_where_it_stands() {
    let wine = "kitchen.v1.Cellar.GetWine";
    let at = "10:19: transcoding.rules[0] (kitchen.v1.Cellar.GetWine)";
    let pattern = "it has no pattern: write one of get, put, post, delete, patch or custom";
    for (rule, expected) in [
        (
            "{ get: /a }".to_owned(),
            "10:7: transcoding.rules[0]: a rule needs a selector: write `selector: package.Service.Method`"
                .to_owned(),
        ),
        (
            "{ selector: GetWine, get: /a }".to_owned(),
            "10:19: transcoding.rules[0].selector: `GetWine` selects no RPC; write package.Service.Method"
                .to_owned(),
        ),
        (
            "{ selector: kitchen.v1.Cellar.*, get: /a }".to_owned(),
            "10:19: transcoding.rules[0].selector: a rule is for one RPC: write package.Service.Method, without a wildcard"
                .to_owned(),
        ),
        (
            "{ selector: kitchen.v1.Cellar/GetWine, get: /a }".to_owned(),
            "10:19: transcoding.rules[0].selector: write a dot before the method: kitchen.v1.Cellar.GetWine"
                .to_owned(),
        ),
        (
            "{ selector: kitchen.v1.Cellar.GetWines, get: /a }".to_owned(),
            "10:19: transcoding.rules[0] (kitchen.v1.Cellar.GetWines): the schema has no RPC `kitchen.v1.Cellar/GetWines`; did you mean kitchen.v1.Cellar/GetWine?"
                .to_owned(),
        ),
        (
            "{ selector: kitchen.v1.Kitchen.GetDish, get: /a }".to_owned(),
            "10:19: transcoding.rules[0] (kitchen.v1.Kitchen.GetDish): nobody can call `kitchen.v1.Kitchen/GetDish`, so this does nothing: give it an access line, or leave this out"
                .to_owned(),
        ),
        (format!("{{ selector: {wine} }}"), format!("{at}: {pattern}")),
        (
            format!("{{ selector: {wine}, get: /a, put: /a }}"),
            format!("{at}: one binding has one pattern: put the others into additional_bindings")
                ,
        ),
        (
            format!("{{ selector: {wine}, get: /a, custom: {{ kind: HEAD, path: /a }} }}"),
            format!("{at}: one binding has one pattern: put the others into additional_bindings")
                ,
        ),
        (
            format!("{{ selector: {wine}, get: /a//b }}"),
            format!("{at}: its http rule `/a//b`: character 4 of `/a//b`: a segment is empty; write a literal, `*`, `**` or a variable")
                ,
        ),
        (
            format!("{{ selector: {wine}, custom: {{ kind: BREW, path: /a }} }}"),
            format!("{at}: its http rule `/a`: `BREW` is not a method that the gateway lets in; write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, or `*` for all")
                ,
        ),
        (
            format!("{{ selector: {wine}, put: /a, body: vintage }}"),
            format!("{at}: its http rule `/a`: body: kitchen.v1.GetDishRequest has no field `vintage`")
                ,
        ),
        (
            format!("{{ selector: {wine}, get: \"/a/{{vintage}}\" }}"),
            format!("{at}: its http rule `/a/{{vintage}}`: the variable `vintage`: kitchen.v1.GetDishRequest has no field `vintage` (it has id, menu, taste)")
                ,
        ),
        (
            format!("{{ selector: {wine}, get: /a, additional_bindings: [{{ body: id }}] }}"),
            format!("10:77: transcoding.rules[0] ({wine}).additional_bindings[0]: {pattern}"),
        ),
        (
            format!("{{ selector: {wine}, get: /a, additional_bindings: [{{ selector: {wine}, get: /b }}] }}"),
            format!("10:77: transcoding.rules[0] ({wine}).additional_bindings[0]: an additional binding is for the RPC of its rule: leave the selector out"),
        ),
        (
            format!("{{ selector: {wine}, get: /a, additionalBindings: [{{ get: /b, additionalBindings: [{{ get: /c }}] }}] }}"),
            format!("10:76: transcoding.rules[0] ({wine}).additional_bindings[0]: an additional binding can't hold others: write them all beside each other, in the rule itself"),
        ),
        (
            format!("{{ selector: {wine}, gett: /a }}"),
            "10:46: transcoding: unknown field `gett`, expected one of selector, get, put, post, delete, patch, custom, body, responseBody, response_body, additionalBindings, additional_bindings"
                .to_owned(),
        ),
        (
            format!("{{ selector: {wine}, get: /a, additional_bindings: [{{ get: /a }}] }}"),
            format!("{at}: its http rule and that of kitchen.v1.Cellar/GetWine are the same: `GET /a` and `GET /a` both match `GET /a`; change or remove one of them")
                ,
        ),
    ] {
        refused(&[&rule], &[&expected]).await;
    }
}

#[tokio::test]
async fn a_rule_replaces_what_the_proto_says_and_the_last_one_wins() {
    let kitchen = Upstream::content().await;
    let rules = r#"{ rules: [
        { selector: kitchen.v1.Kitchen.GetDish, get: "/first/{id}" },
        { selector: kitchen.v1.Kitchen.Whisper, post: /whispers, body: "*", response_body: name },
        { selector: kitchen.v1.Kitchen.GetDish, get: "/last/{id}", additional_bindings: [{ custom: { kind: "*", path: "/any/{id}" } }] }
    ] }"#;
    let gate = Gate::start(|config| config.kitchen(&kitchen).section("transcoding", rules)).await;
    gate.get("/last/soup").await.is(200);
    assert_eq!(kitchen.only_call().json("GetDishRequest"), json!({"id": "soup"}));
    gate.ask(http::Method::PUT, "/any/soup").await.is(200);
    assert_eq!(kitchen.only_call().rpc, "kitchen.v1.Kitchen/GetDish");
    // What has no annotation is served by its rule alone.
    assert_eq!(gate.post("/whispers", &json!({"id": "a"})).await.is(200).text(), r#""""#);
    assert_eq!(kitchen.only_call().json("Dish"), json!({"id": "a"}));
    for gone in ["/first/soup", "/v1/menus/a/dishes/soup"] {
        gate.get(gone).await.is(404);
    }
    // The annotation of DeleteDish has the same path, and stays.
    gate.get("/v1/dishes/soup").await.is(405);
    kitchen.saw_nothing();
}

#[tokio::test]
async fn the_table_of_what_is_exposed_shows_the_rules_of_the_configuration() {
    let rule = r#"{ selector: kitchen.v1.Cellar.GetWine, get: "/cellar/{id}", additional_bindings: [{ custom: { kind: HEAD, path: "/wine/{id=*}" } }] }"#;
    let exit = check_text(&text("kitchen.v1.Cellar/GetWine: public", &[rule])).await;
    assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> =
        exit.out.lines().map(|line| line.split_whitespace().collect()).collect();
    for (method, template) in [("GET", "/cellar/{id}"), ("HEAD", "/wine/{id}")] {
        let rpc = "kitchen.v1.Cellar/GetWine";
        let expected =
            vec![method, template, rpc, "public", "open", "to", "all", "(by", "transcoding.rules)"];
        assert!(lines.contains(&expected), "{}", exit.out);
    }
    assert!(!exit.out.contains("/v1/wines"), "{}", exit.out);
    // However long a route is, its columns stand below their titles.
    let long = format!(
        "{{ selector: kitchen.v1.Cellar.GetWine, get: \"/{}/{{id}}\" }}",
        "wine".repeat(20)
    );
    let table = check_text(&text("kitchen.v1.Cellar/GetWine: public", &[&long])).await.out;
    let columns: Vec<_> =
        table.lines().map(|line| (line.find(" kitchen.v1."), line.find(" open"))).collect();
    let title = table.lines().next().map(|line| (line.find(" RPC"), line.find(" DECIDED")));
    assert!(columns.len() == 3 && columns.iter().skip(1).all(|at| Some(*at) == title), "{table}");
}

#[tokio::test]
async fn a_rule_for_an_internal_rpc_does_nothing() {
    let rule = "{ selector: kitchen.v1.Cellar.GetWine, get: \"/cellar/{id}\" }";
    let exit = check_text(&text("kitchen.v1.Cellar/GetWine: internal", &[rule])).await;
    let complaint = "gateway.yaml:10:19: transcoding.rules[0] (kitchen.v1.Cellar.GetWine): nobody can call `kitchen.v1.Cellar/GetWine`, it is internal, so this does nothing: say in its access line who may, or leave this out\n";
    assert_eq!((exit.errors.as_str(), exit.code), (complaint, Some(78)));
}
