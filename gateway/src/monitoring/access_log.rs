//! One line for each request.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::context::{Denial, Journey, Origin, Step, Then, Try, code_name};
use crate::message::readable;

/// What most lines fit in, in bytes: whoever writes one need not ask for more room.
const USUAL: usize = 1024;

/// How much of a text that the client chose is told, in bytes: a request has room for sixteen times as much.
const TOLD: usize = 2048;

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    request_id: &'a str,
    trace_id: &'a str,
    client: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    /// The name of the API key, never the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    tries: usize,
    /// Those that failed in a way that another might mend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_tries: Vec<FailedTry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cow<'a, str>>,
    /// Whether a rule said no to the message or the answer, or could not be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_remaining: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits_overrun: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    sent: u64,
    complete: bool,
    duration_us: u64,
    #[serde(serialize_with = "steps")]
    steps_us: &'a Journey,
}

#[derive(Serialize)]
struct FailedTry<'a> {
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Why there was another, or why there was none.
    then: &'static str,
}

/// The journey as one JSON object. Strings are escaped, so that nothing a client sends can begin a second line.
pub(super) fn json(journey: &Journey) -> String {
    let call = journey.calls.first();
    let (code, at_fault, cause) = journey.outcome();
    let tightest = journey.limits.tightest.as_ref();
    let line = Line {
        time: Timestamp::now(),
        request_id: journey.request_id.as_str(),
        trace_id: &journey.trace_id,
        client: journey.client,
        principal: journey.principal.id(),
        api_key: journey.principal.api_key(),
        method: cut(journey.method.as_str()),
        path: cut(&journey.path),
        route: journey.route.as_deref(),
        rpc: call.map(|call| call.rpc.as_str()),
        endpoint: call.and_then(|call| call.tries.last()).map(|last| &*last.endpoint),
        tries: journey.calls.iter().map(|call| call.tries.len()).sum(),
        failed_tries: journey
            .calls
            .iter()
            .flat_map(|call| &call.tries)
            .filter_map(failed)
            .collect(),
        status: journey.status.map(|status| status.as_u16()),
        code: code_name(code),
        origin: at_fault.map(origin),
        cause: cause.map(cut),
        denied: journey.denied().map(denial),
        limit: tightest.map(|standing| &*standing.allowance.name),
        limit_remaining: tightest.map(|standing| standing.remaining),
        limits_overrun: journey.limits.overrun.iter().map(|limit| &*limit.name).collect(),
        messages: journey.stream.as_ref().map(|stream| stream.messages()),
        sent: journey.sent,
        complete: journey.complete,
        duration_us: micros(journey.elapsed()),
        steps_us: journey,
    };
    let mut text = Vec::with_capacity(USUAL);
    let written = serde_json::to_writer(&mut text, &line);
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

/// The journey as a sentence, with the cause when it failed.
pub(super) fn text(journey: &Journey) -> String {
    let (code, _, cause) = journey.outcome();
    let mut line = format!(
        "{} {} {:?} -> {} {} in {} us by {} ({})",
        Timestamp::now(),
        cut(journey.method.as_str()),
        cut(&journey.path),
        journey.status.map_or(0, |status| status.as_u16()),
        code_name(code),
        micros(journey.elapsed()),
        journey.principal.id().unwrap_or("anonymous"),
        journey.request_id.as_str(),
    );
    if let Some(cause) = cause {
        line.push_str(": ");
        line.extend(readable(&cut(cause)));
    }
    line
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= TOLD {
        return text.into();
    }
    let told = text.get(..text.floor_char_boundary(TOLD)).unwrap_or_default();
    format!("{told}…").into()
}

fn steps<S: Serializer>(journey: &Journey, serializer: S) -> Result<S::Ok, S::Error> {
    let taken = Step::ALL.into_iter().filter_map(|step| Some((step, journey.took(step)?)));
    serializer.collect_map(taken.map(|(step, took)| (name(step), micros(took))))
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Route => "route",
        Step::LimitAddress => "limit_address",
        Step::Authenticate => "authenticate",
        Step::LimitPrincipal => "limit_principal",
        Step::Admit => "admit",
        Step::Read => "read",
        Step::Call => "call",
        Step::Render => "render",
    }
}

fn failed(made: &Try) -> Option<FailedTry<'_>> {
    let then = then(made.then?);
    Some(FailedTry { endpoint: &made.endpoint, code: made.code.map(code_name), then })
}

fn then(then: Then) -> &'static str {
    match then {
        Then::Again => "again",
        Then::Elsewhere => "elsewhere",
        Then::Unsafe => "unsafe",
        Then::Attempts => "attempts",
        Then::Budget => "budget",
        Then::Deadline => "deadline",
        Then::Endpoints => "endpoints",
        Then::Pushback => "pushback",
    }
}

fn denial(denial: Denial) -> &'static str {
    match denial {
        Denial::Refused => "refused",
        Denial::Undecided => "undecided",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "client",
        Origin::Upstream => "upstream",
        Origin::Gateway => "gateway",
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{Method, StatusCode};
    use serde_json::Value;
    use tonic::Code;

    use super::*;
    use crate::context::{Allowance, Identity, Principal, RequestId, RpcId, Standing};

    fn journey(path: &str) -> Journey {
        let trace =
            ("0af7651916cd43dd8448eb211c80319c".to_owned(), http::HeaderValue::from_static("00"));
        let id = RequestId::accept(&http::HeaderValue::from_static("r-1")).unwrap();
        let mut journey =
            Journey::begin(id, trace, [127, 0, 0, 1].into(), Method::GET, path.to_owned());
        journey.status = Some(StatusCode::OK);
        journey.complete = true;
        journey
    }

    #[tokio::test(start_paused = true)]
    async fn tells_who_asked_what_and_what_became_of_it() {
        let mut journey = journey("/api/users/123");
        journey.route = Some("/api/users/{id}".into());
        let identity = Identity::new("123".to_owned(), vec![], None).unwrap();
        journey.principal = Principal::Known(Arc::new(identity));
        tokio::time::advance(std::time::Duration::from_micros(7)).await;
        journey.mark(Step::Route);
        let failed = Some(Then::Again);
        let tries = vec![
            Try { endpoint: "http://b:1".into(), code: Some(Code::Unavailable), then: failed },
            Try { endpoint: "http://a:1".into(), code: Some(Code::Ok), then: None },
        ];
        journey.call(RpcId::new("user.v1.UserService", "GetUser")).tries = tries;
        let line: Value = serde_json::from_str(&json(&journey)).unwrap();
        let expected = serde_json::json!({
            "time": line["time"], "request_id": "r-1", "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "client": "127.0.0.1", "principal": "123", "method": "GET", "path": "/api/users/123",
            "route": "/api/users/{id}", "rpc": "user.v1.UserService/GetUser", "endpoint": "http://a:1", "tries": 2,
            "failed_tries": [{"endpoint": "http://b:1", "code": "UNAVAILABLE", "then": "again"}],
            "status": 200, "code": "OK", "sent": 0, "complete": true, "duration_us": 7, "steps_us": {"route": 7},
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn tells_the_tightest_limit_and_those_that_only_count() {
        let mut journey = journey("/");
        let allowance = |name: &str| {
            let interval = std::time::Duration::from_secs(1);
            Arc::new(Allowance { name: name.into(), burst: 3, interval })
        };
        let (near, next) = (allowance("near"), std::time::Duration::from_secs(1));
        journey.limits.tighten(Standing { allowance: near, remaining: 2, next });
        journey.limits.overrun.push(allowance("trial"));
        let line: Value = serde_json::from_str(&json(&journey)).unwrap();
        assert_eq!((&line["limit"], &line["limit_remaining"]), (&"near".into(), &2.into()));
        assert_eq!(line["limits_overrun"], serde_json::json!(["trial"]));
    }

    #[test]
    fn a_path_can_not_begin_a_second_line() {
        let line = json(&journey("/a\n{\"level\":\"error\"}\u{1b}[31m"));
        assert!(!line.contains(['\n', '\u{1b}']), "{line}");
        let mut journey = journey("/a\nb\u{1b}");
        journey.cause = Some("found `it's`\r\u{1b}[31m".to_owned());
        let line = text(&journey);
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line}");
        assert!(line.ends_with(r": found `it's`\r\u{1b}[31m"), "{line}");
    }

    #[test]
    fn long_texts_are_cut() {
        let mut journey = journey(&format!("/{}", "é".repeat(15_000)));
        journey.cause = Some("c".repeat(15_000));
        journey.method = Method::from_bytes(&[b'M'; 15_000]).unwrap();
        let line: Value = serde_json::from_str(&json(&journey)).unwrap();
        assert_eq!(line["path"], format!("/{}…", "é".repeat(1023)));
        assert_eq!(line["cause"], format!("{}…", "c".repeat(2048)));
        assert_eq!(line["method"], format!("{}…", "M".repeat(2048)));
        assert!(text(&journey).len() < 7000);
        assert!(!text(&journey).contains(&"é".repeat(1024)));
    }

    #[test]
    fn a_client_that_went_away_is_cancelled() {
        let mut journey = journey("/");
        journey.complete = false;
        let line: Value = serde_json::from_str(&json(&journey)).unwrap();
        assert_eq!((&line["code"], &line["complete"]), (&"CANCELLED".into(), &false.into()));
    }
}
