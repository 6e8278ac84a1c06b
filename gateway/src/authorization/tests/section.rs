//! The section as it is written.

use super::*;

fn check(yaml: &str) -> (Vec<(String, Access)>, Vec<String>) {
    let config: Config = serde_saphyr::from_str(yaml).unwrap();
    let mut problems = Vec::new();
    let read = config.compile(None, &mut problems);
    let read =
        read.into_iter().map(|(rpc, line)| (rpc.as_str().to_owned(), line.access.value)).collect();
    (read, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn reads_each_access() {
    for (text, access) in [
        ("public", Access::Public),
        ("authenticated", Access::Authenticated),
        ("internal", Access::Internal),
        ("role:admin", Access::Role("admin".to_owned())),
        ("role:a.b:c_d-1", Access::Role("a.b:c_d-1".to_owned())),
        ("self", Access::Rule("self".to_owned())),
    ] {
        let (read, problems) = check(&format!(
            "rules: {{ self: 'true' }}\naccess:\n  user.v1.UserService/GetUser: {text}\n"
        ));
        assert_eq!(access.to_string(), text);
        assert_eq!(read, [("user.v1.UserService/GetUser".to_owned(), access)]);
        assert_eq!(problems, Vec::<String>::new());
    }
}

#[test]
fn never_takes_an_unknown_word_for_an_access() {
    let long = format!("role:{}", "a".repeat(65));
    for text in [
        "''",
        "' '",
        "Public",
        "PUBLIC",
        "public ",
        "'public '",
        "everyone",
        "'*'",
        "true",
        "null",
        "~",
        "none",
        "self",
        "admin",
        "role",
        "'role:'",
        "'role: admin'",
        "'Role:admin'",
        "'role:a,b'",
        "'role:a b'",
        "role:é",
        &long,
        "authenticated:admin",
    ] {
        let yaml = format!("access:\n  a.B/C: {text}\n");
        match serde_saphyr::from_str::<Config>(&yaml) {
            // YAML itself drops the blank behind a plain word.
            Ok(_) if text == "public " => assert_eq!(check(&yaml).0.len(), 1),
            Ok(_) => {
                let (read, problems) = check(&yaml);
                assert!(read.is_empty(), "{text}");
                assert_eq!(problems.len(), 1, "{text}");
                assert!(
                    problems[0].starts_with("2:10: authorization.access.a.B/C: "),
                    "{problems:?}"
                );
            }
            Err(_) => assert!(matches!(text, "null" | "~" | "true"), "{text}"),
        }
    }
}

#[test]
fn says_what_can_be_written_instead_of_an_unknown_word() {
    let known = "write public, authenticated, role:<name> or internal";
    for (rules, said) in [
        ("", String::new()),
        ("rules: { owner: 'true' }\n", ", or the name of one of authorization.rules".to_owned()),
        ("rules: { selb: 'true' }\n", "; did you mean the rule selb?".to_owned()),
    ] {
        let (_, problems) = check(&format!("{rules}access: {{ a.B/C: self }}"));
        let line = rules.lines().count() + 1;
        let expected = format!(
            "{line}:18: authorization.access.a.B/C: `self` is not an access; {known}{said}"
        );
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn refuses_what_cannot_be_an_rpc() {
    for rpc in ["a.B", "a.B/", "/C", "a.B/C/D", "a..B/C", "a.B/*", "'*'", "a.B /C", "/a.B/C"] {
        let (read, problems) = check(&format!("access:\n  {rpc}: public\n"));
        assert!(read.is_empty(), "{rpc}");
        assert!(problems[0].contains("package.Service/Method"), "{problems:?}");
    }
}

#[test]
fn refuses_an_rpc_that_is_written_twice_and_unknown_settings() {
    for yaml in [
        "access:\n  a.B/C: public\n  a.B/C: internal\n",
        "accesses: {}",
        "rules: { a: 'true', a: 'false' }",
        "rules: []",
        "ownership_upstream: {}",
    ] {
        assert!(serde_saphyr::from_str::<Config>(yaml).is_err(), "{yaml}");
    }
}

#[test]
fn refuses_names_of_rules_that_mean_something_else() {
    for name in ["public", "authenticated", "internal", "role"] {
        let (_, problems) = check(&format!("rules: {{ {name}: 'true' }}"));
        assert!(problems[0].contains("means something else"), "{problems:?}");
    }
    for name in ["'role:a'", "'a b'", "1a", "_a", "é", "''"] {
        let (_, problems) = check(&format!("rules: {{ {name}: 'true' }}"));
        assert!(problems[0].contains("can't be the name of a rule"), "{problems:?}");
    }
}

#[test]
fn ownership_upstream_names_rpcs_that_know_a_principal() {
    let yaml = |owned: &str| {
        format!(
            "rules: {{ reader: claims.sub == response.tree.name, own: claims.sub == request.tree.name }}\naccess: {{ sink.v1.Sink/Read: ACCESS }}\nownership_upstream: [{owned}]\n"
        )
    };
    let at = |column: usize| format!("3:{column}: authorization.ownership_upstream: ");
    for (access, owned, problem) in [
        ("authenticated", "sink.v1.Sink/Read", None),
        ("role:admin", "sink.v1.Sink/Read", None),
        ("own", "sink.v1.Sink/Read", None),
        (
            "public",
            "sink.v1.Sink/Read",
            Some(
                "`sink.v1.Sink/Read` is public, so its service knows no principal to whom an object could belong",
            ),
        ),
        (
            "internal",
            "sink.v1.Sink/Read",
            Some(
                "`sink.v1.Sink/Read` is internal, so its service knows no principal to whom an object could belong",
            ),
        ),
        (
            "reader",
            "sink.v1.Sink/Read",
            Some(
                "`sink.v1.Sink/Read` has the rule `reader`, which decides by the answer whose it is: let either the gateway decide or the service",
            ),
        ),
        ("authenticated", "sink.v1.Sink/Reed", Some("the schema has no RPC `sink.v1.Sink/Reed`")),
        (
            "authenticated",
            "sink.v1.Sink/Watch",
            Some("`sink.v1.Sink/Watch` has no access line: say who may call it at all"),
        ),
    ] {
        let (_, problems) = section(&yaml(owned).replace("ACCESS", access), "sink.v1.Sink/Read");
        let expected: Vec<String> =
            problem.map(|said| format!("{}{said}", at(22))).into_iter().collect();
        assert_eq!(problems, expected, "{access}");
    }
    let twice = yaml("sink.v1.Sink/Read, sink.v1.Sink/Read").replace("ACCESS", "authenticated");
    let (_, problems) = section(&twice, "sink.v1.Sink/Read");
    assert_eq!(problems, [format!("{}`sink.v1.Sink/Read` is there twice", at(41))]);
}

#[test]
fn a_rule_about_the_answer_needs_an_rpc_without_side_effects() {
    // Watch declares nothing.
    let (rule, problems) = section(
        "rules: { reader: claims.sub == response.name }\naccess: { sink.v1.Sink/Watch: reader }\n",
        "sink.v1.Sink/Watch",
    );
    assert!(rule.is_none());
    assert_eq!(
        problems,
        [
            "2:31: authorization.access.sink.v1.Sink/Watch: the rule `reader` reads response, and `sink.v1.Sink/Watch` does not declare idempotency_level = NO_SIDE_EFFECTS: once it has answered, it is too late for a no; make it authenticated and name it under authorization.ownership_upstream, if its service decides whose the object is"
        ]
    );
}

#[test]
fn says_who_decides() {
    for (access, said) in [
        ("public", "open to all"),
        ("authenticated", "gateway: principal"),
        ("role:admin", "gateway: principal"),
        ("own", "gateway: principal, request"),
        ("reader", "gateway: principal, answer"),
        ("small", "gateway: request"),
    ] {
        let yaml = format!(
            "rules: {{ reader: claims.sub == response.tree.name, own: claims.sub == request.tree.name, small: request.scalars.an_int32 < 5 }}\naccess: {{ sink.v1.Sink/Read: {access} }}\n"
        );
        let (rule, problems) = section(&yaml, "sink.v1.Sink/Read");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(rule.unwrap().to_string(), said);
        if access != "public" && access != "reader" {
            let owned = format!("{yaml}ownership_upstream: [sink.v1.Sink/Read]\n");
            let (rule, _) = section(&owned, "sink.v1.Sink/Read");
            assert_eq!(rule.unwrap().to_string(), format!("{said}; service: ownership"));
        }
    }
}
