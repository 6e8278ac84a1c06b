//! What can be wrong with the section, and where that is said to be.

use crate::mistakes::check_text;

async fn check(section: &str, expected: &str) {
    let text = format!(
        "schema: {{ file: schema.binpb }}\n\
         listener: {{ address: \"127.0.0.1:0\" }}\n\
         admin: {{ address: \"127.0.0.1:0\" }}\n\
         upstreams:\n  cellar: {{ services: [kitchen.v1.Cellar], endpoints: [\"http://127.0.0.1:1\"] }}\n\
         authorization:\n  access:\n    kitchen.v1.Cellar/GetWine: public\n    kitchen.v1.Kitchen/GetDish: internal\n\
         {section}\n"
    );
    let exit = check_text(&text).await;
    if expected.is_empty() {
        assert_eq!((exit.code, exit.errors.as_str()), (Some(0), ""), "{section}");
        return;
    }
    assert_eq!(exit.code, Some(78), "{section}");
    assert_eq!(exit.errors, format!("gateway.yaml:{expected}\n"), "{section}");
}

#[tokio::test]
async fn rates_and_bursts() {
    let advice =
        "is not a rate: write a whole number above zero and a period, such as 10/1s or 600/1m";
    for rate in ["0/1m", "-1/1m", "1", "1/0s", "1/1d", "99999999999/1s", "1/99999999999999999h"] {
        check(
            &format!("rate_limiting:\n  limits:\n    a: {{ by: rpc, rate: {rate} }}"),
            &format!("12:25: rate_limiting: `{rate}` {advice}"),
        )
        .await;
    }
    check(
        "rate_limiting:\n  limits:\n    a:\n      by: rpc\n      rate: 1/1s\n      burst: 0",
        "15:14: rate_limiting.limits.a.burst: nobody would ever pass: write at least 1",
    )
    .await;
    check(
        "rate_limiting: { limits: { a: { by: rpc, rate: 1/1h, burst: 4294967295 } } }",
        "10:61: rate_limiting.limits.a.burst: it would take more than 366 days to fill again: write a smaller burst or a higher rate",
    )
    .await;
    check("rate_limiting: { limits: { a: { by: rpc, rate: 1/1s } } }", "").await;
}

#[tokio::test]
async fn rpcs_that_nobody_can_call() {
    check(
        "rate_limiting: { limits: { a: { by: rpc, rate: 1/1s, rpcs: [kitchen.v1.Cellar/GetWin] } } }",
        "10:61: rate_limiting.limits.a.rpcs: the schema has no RPC `kitchen.v1.Cellar/GetWin`; did you mean kitchen.v1.Cellar/GetWine?",
    )
    .await;
    check(
        "rate_limiting: { limits: { a: { by: rpc, rate: 1/1s, rpcs: [kitchen.v1.Kitchen/GetDish] } } }",
        "10:61: rate_limiting.limits.a.rpcs: nobody can call `kitchen.v1.Kitchen/GetDish`, it is internal, so this does nothing: say in its access line who may, or leave this out",
    )
    .await;
}

#[tokio::test]
async fn rpcs_that_have_no_access_line() {
    check(
        "rate_limiting: { limits: { a: { by: rpc, rate: 1/1s, rpcs: [kitchen.v1.Kitchen/Whisper] } } }",
        "10:61: rate_limiting.limits.a.rpcs: nobody can call `kitchen.v1.Kitchen/Whisper`, so this does nothing: give it an access line, or leave this out",
    )
    .await;
}

#[tokio::test]
async fn keys_that_nobody_has() {
    check(
        "rate_limiting: { limits: { a: { by: api_key, rate: 1/1s } } }",
        "10:37: rate_limiting.limits.a.by: no API key is known, so it would count nobody: name the file of keys under authentication.api_keys, or limit by principal",
    )
    .await;
}

#[tokio::test]
async fn classes_and_stores() {
    check(
        "rate_limiting: { limits: { a: { by: principal, rate: 1/1s, class: guests } } }",
        "10:67: rate_limiting.limits.a.class: there is no class `guests`; there are anonymous, user, admin",
    )
    .await;
    check(
        "rate_limiting: { store: \"http://:secret@cache\" }",
        "10:25: rate_limiting.store: it is not the address of a Redis: write redis://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them",
    )
    .await;
    // A store that is not there is none of it: the gateway starts without.
    check("rate_limiting: { store: \"redis://127.0.0.1:1\" }", "").await;
}

#[tokio::test]
async fn hops_that_are_no_number() {
    for hops in ["-1", "256", "all", "1.5"] {
        let listener = format!("{{ address: \"127.0.0.1:0\", trusted_hops: {hops} }}");
        let text = format!(
            "schema: {{ file: schema.binpb }}\nlistener: {listener}\nadmin: {{ address: \"127.0.0.1:0\", trusted_hops: 1 }}\n\
             upstreams: {{}}\nauthorization: {{ access: {{}} }}\n"
        );
        let exit = check_text(&text).await;
        assert_eq!(exit.code, Some(78), "{hops}");
        assert!(exit.errors.contains("gateway.yaml:2:51: listener: "), "{}", exit.errors);
        assert!(
            exit.errors.contains("gateway.yaml:3:34: admin: unknown field `trusted_hops`"),
            "{}",
            exit.errors
        );
    }
}
