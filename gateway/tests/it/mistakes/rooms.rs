//! What can be wrong in the sections of the rooms.

use super::{GOOD, check, check_text};

#[tokio::test]
async fn resilience() {
    let attempts = "write a number from 1, which is one try and no more, to 10";
    let shared = |key| {
        format!("all RPCs of an upstream share it: write {key} under resilience.upstreams.<name>")
    };
    for (section, complaint) in [
        ("{ attempts: 0 }", format!("6:25: resilience.attempts: {attempts}")),
        ("{ attempts: 11 }", format!("6:25: resilience.attempts: {attempts}")),
        (
            "{ deadline: 1s, try_timeout: 2s }",
            "6:42: resilience.try_timeout: no try can last longer than the deadline of its call: write less".to_owned(),
        ),
        (
            "{ upstreams: { cellar: { deadline: 1s, try_timeout: 2s } } }",
            "6:65: resilience.upstreams.cellar.try_timeout: no try can last longer than the deadline of its call: write less".to_owned(),
        ),
        (
            "{ upstreams: { cellar: { deadline: 1s } }, rpcs: { kitchen.v1.Cellar/GetWine: { try_timeout: 2s } } }",
            "6:106: resilience.rpcs.kitchen.v1.Cellar/GetWine.try_timeout: no try can last longer than the deadline of its call: write less".to_owned(),
        ),
        (
            "{ backoff: 1s }",
            "6:24: resilience.backoff: it begins above max_backoff, where it should end: write less, or more there".to_owned(),
        ),
        (
            "{ retry_budget: 20 }",
            "6:29: resilience: `20` is not a share: write a whole number from 0 to 100 and %, such as 20%".to_owned(),
        ),
        (
            "{ max_requests: 0 }",
            "6:29: resilience.max_requests: without room for a single request nothing works: write at least 1".to_owned(),
        ),
        ("{ breaker: { failures: 0 } }", "6:24: resilience.breaker.failures: write at least 1".to_owned()),
        (
            "{ breaker: { rate: 0% } }",
            "6:24: resilience.breaker.rate: no failure at all is no failure: write at least 1%".to_owned(),
        ),
        ("{ breaker: { volume: 0 } }", "6:24: resilience.breaker.volume: write at least 1".to_owned()),
        (
            "{ breaker: { open: 9s } }",
            "6:24: resilience.breaker.open: it opens for longer than max_open: write less".to_owned(),
        ),
        (
            "{ rpcs: { kitchen.v1.Cellar/GetWine: { retry_budget: 5% } } }",
            format!("6:66: resilience.rpcs.kitchen.v1.Cellar/GetWine.retry_budget: {}", shared("retry_budget")),
        ),
        (
            "{ rpcs: { kitchen.v1.Cellar/GetWine: { max_requests: 5 } } }",
            format!("6:66: resilience.rpcs.kitchen.v1.Cellar/GetWine.max_requests: {}", shared("max_requests")),
        ),
        (
            "{ rpcs: { kitchen.v1.Cellar/GetWine: { max_queue: 5 } } }",
            format!("6:63: resilience.rpcs.kitchen.v1.Cellar/GetWine.max_queue: {}", shared("max_queue")),
        ),
        (
            "{ rpcs: { kitchen.v1.Cellar/GetWine: { queue_timeout: 5s } } }",
            format!("6:67: resilience.rpcs.kitchen.v1.Cellar/GetWine.queue_timeout: {}", shared("queue_timeout")),
        ),
        (
            "{ rpcs: { kitchen.v1.Cellar/GetWine: { breaker: {} } } }",
            format!("6:61: resilience.rpcs.kitchen.v1.Cellar/GetWine.breaker: {}", shared("breaker")),
        ),
        (
            "{ upstreams: { cella: { attempts: 1 } } }",
            "6:35: resilience.upstreams.cella: there is no upstream `cella`; did you mean cellar?".to_owned(),
        ),
        (
            "{ rpcs: { kitchen.v1.Kitchen/GetDish: { attempts: 1 } } }",
            "6:51: resilience.rpcs.kitchen.v1.Kitchen/GetDish: nobody can call `kitchen.v1.Kitchen/GetDish`, so this does nothing: give it an access line, or leave this out".to_owned(),
        ),
        (
            "{ idempotency_key: [kitchen.v1.Cellar/GetWin] }",
            "6:33: resilience.idempotency_key: the schema has no RPC `kitchen.v1.Cellar/GetWin`; did you mean kitchen.v1.Cellar/GetWine?".to_owned(),
        ),
        (
            "{ idempotency_key: [kitchen.v1.Kitchen/GetDish] }",
            "6:33: resilience.idempotency_key: `kitchen.v1.Kitchen/GetDish` declares an idempotency_level, so it is safe to repeat without a key: remove it".to_owned(),
        ),
        (
            "{ idempotency_key: [kitchen.v1.Kitchen/CookDish] }",
            "6:33: resilience.idempotency_key: nobody can call `kitchen.v1.Kitchen/CookDish`, so this does nothing: give it an access line, or leave this out".to_owned(),
        ),
    ] {
        let section = format!("resilience: {section}\nauthorization:");
        check("authorization:", &section, &[&complaint]).await;
    }
}

#[tokio::test]
async fn rooms() {
    for (section, complaint) in [
        (
            "load_balancing: { algorithm: random }",
            "6:30: load_balancing: unknown variant `random`, expected one of least_latency, least_requests, round_robin",
        ),
        (
            "load_balancing: { ejection: { error_rate: 5 } }",
            "6:43: load_balancing: `5` is not a share: write a whole number from 0 to 100 and %, such as 20%",
        ),
        (
            "load_balancing: { split: { kitchen.v1.Cellar/GetWines: { cellar: 100 } } }",
            "6:56: load_balancing.split.kitchen.v1.Cellar/GetWines: the schema has no RPC `kitchen.v1.Cellar/GetWines`; did you mean kitchen.v1.Cellar/GetWine?",
        ),
        (
            "load_balancing: { split: { kitchen.v1.Cellar/GetWine: { cellars: 100 } } }",
            "6:66: load_balancing.split.kitchen.v1.Cellar/GetWine.cellars: there is no upstream `cellars`; did you mean cellar?",
        ),
        (
            "load_balancing: { split: { kitchen.v1.Cellar/GetWine: { cellar: 99 } } }",
            "6:55: load_balancing.split.kitchen.v1.Cellar/GetWine: its parts come to 99: say how many calls of 100 each upstream gets",
        ),
        (
            "load_balancing: { split: { kitchen.v1.Cellar/WatchWines: { cellar: 100 } } }",
            "6:58: load_balancing.split.kitchen.v1.Cellar/WatchWines: nobody can call `kitchen.v1.Cellar/WatchWines`, so this does nothing: give it an access line, or leave this out",
        ),
        (
            "resilience: { deadline: 5 }",
            "6:25: resilience: `5` is not a period: write a whole number above zero and a unit, such as 250ms, 5s, 15m or 24h",
        ),
        (
            "resilience: { deadline: 0s }",
            "6:25: resilience: `0s` is not a period: write a whole number above zero and a unit, such as 250ms, 5s, 15m or 24h",
        ),
        (
            "resilience: { deadline: 5s, tries: 3 }",
            "6:29: resilience: unknown field `tries`, expected one of idempotency_key, deadline, try_timeout, attempts, backoff, max_backoff, stream_idle, stream_age, retry_budget, max_requests, max_queue, queue_timeout, breaker, upstreams, rpcs",
        ),
        (
            "monitoring: { log: xml }",
            "6:20: monitoring: unknown variant `xml`, expected one of json, text",
        ),
        (
            "transcoding: { status_by_reason: { A: 200 } }",
            "6:39: transcoding.status_by_reason.A: `200` is not the HTTP status of a failure: write one from 400 to 599",
        ),
        (
            "transcoding: { status_by_reason: { A: gone } }",
            "6:39: transcoding.status_by_reason.A: `gone` is not the HTTP status of a failure: write one from 400 to 599",
        ),
        (
            "transcoding: { request_headers: [X-Tenant, Authorization] }",
            "6:44: transcoding.request_headers: `Authorization` is set by the gateway or the transport and can't be passed on: remove it",
        ),
        (
            "transcoding: { response_headers: [x-principal-id] }",
            "6:35: transcoding.response_headers: `x-principal-id` is set by the gateway or the transport and can't be passed on: remove it",
        ),
        (
            "transcoding: { request_headers: [\"a b\"] }",
            "6:34: transcoding.request_headers: `a b` is not the name of a header",
        ),
        (
            "transcoding: { upstreams: { cellars: { emit_defaults: true } } }",
            "6:38: transcoding.upstreams.cellars: there is no upstream `cellars`; did you mean cellar?",
        ),
        (
            "transcoding: { upstreams: { bakery: {} } }",
            "6:37: transcoding.upstreams.bakery: there is no upstream `bakery`; there are cellar",
        ),
        (
            "transcoding: { rpcs: { kitchen.v1.Cellar/GetWines: {} } }",
            "6:52: transcoding.rpcs.kitchen.v1.Cellar/GetWines: the schema has no RPC `kitchen.v1.Cellar/GetWines`; did you mean kitchen.v1.Cellar/GetWine?",
        ),
        (
            "transcoding: { rpcs: { kitchen.v1.Cellar/WatchWines: { event_id: id } } }",
            "6:54: transcoding.rpcs.kitchen.v1.Cellar/WatchWines: nobody can call `kitchen.v1.Cellar/WatchWines`, so this does nothing: give it an access line, or leave this out",
        ),
        (
            "transcoding: { rpcs: { kitchen.v1.Cellar/GetWine: { emit_default: true } } }",
            "6:53: transcoding: unknown field `emit_default`, expected one of emit_defaults, enum_numbers, ignore_unknown_fields, ignore_query_parameters, case_insensitive_enums, decode_slashes, event_id, last_event_id, heartbeat",
        ),
        (
            "transcoding: { upstreams: { cellar: { rpcs: {} } } }",
            "6:39: transcoding: unknown field `rpcs`, expected one of emit_defaults, enum_numbers, ignore_unknown_fields, ignore_query_parameters, case_insensitive_enums, decode_slashes, event_id, last_event_id, heartbeat",
        ),
        (
            "transcoding: { problem_base: \"ht tp\" }",
            "6:30: transcoding.problem_base: `ht tp` is not a URI reference",
        ),
    ] {
        check("authorization:", &format!("{section}\nauthorization:"), &[complaint]).await;
    }
}

#[tokio::test]
async fn options_of_an_internal_rpc_do_nothing() {
    let internal = GOOD.replace(": public", ": internal");
    let text =
        format!("{internal}transcoding: {{ rpcs: {{ kitchen.v1.Cellar/GetWine: {{}} }} }}\n");
    let complaint = "gateway.yaml:9:51: transcoding.rpcs.kitchen.v1.Cellar/GetWine: nobody can call `kitchen.v1.Cellar/GetWine`, it is internal, so this does nothing: say in its access line who may, or leave this out\n";
    let exit = check_text(&text).await;
    assert_eq!((exit.errors.as_str(), exit.out.as_str(), exit.code), (complaint, "", Some(78)));
}
