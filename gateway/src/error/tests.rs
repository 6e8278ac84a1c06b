use std::sync::Arc;

use prost::Message as _;

use super::*;
use crate::context::{Allowance, Standing};
use crate::resilience::{self, DeadlineExceeded};
use crate::transcoding::{InvalidField, InvalidHeader};

fn line(error: &GatewayError) -> String {
    let verdict = error.verdict();
    format!(
        "{} {} {} {:?}",
        verdict.row.unwrap_or("-"),
        verdict.status.as_u16(),
        code_name(verdict.code),
        verdict.origin
    )
}

#[track_caller]
fn check(error: impl Into<GatewayError>, expected: &str) -> Verdict {
    let error = error.into();
    assert_eq!(line(&error), expected);
    error.verdict()
}

fn answered(status: Status) -> GatewayError {
    Failure::Status(Box::new(status)).into()
}

/// A status of the transport has a source, as tonic's own have.
fn broken() -> Status {
    let io = std::io::Error::other("tcp connect error to 10.0.0.7:50051");
    Status::from_error(Box::new(io))
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again_in_whole_seconds() {
    let interval = Duration::from_millis(1500);
    let allowance = Arc::new(Allowance { name: "login".into(), burst: 2, interval });
    let standing = Standing { allowance, remaining: 0, next: Duration::from_millis(1001) };
    let verdict =
        check(Exceeded { standing, overrun: Vec::new() }, "- 429 RESOURCE_EXHAUSTED Client");
    let wait = Some(Duration::from_secs(2));
    assert_eq!(verdict.retry_after, wait);
    let details = tonic_types::pb::Status::decode(verdict.details.clone()).unwrap();
    let status = Status::with_details(Code::ResourceExhausted, "", details.encode_to_vec().into());
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, wait);
    assert!(verdict.detail.contains("`login` lets the next one through in 2 s"), "{verdict:?}");
}

#[test]
fn failures_of_the_client_say_what_to_do() {
    use transcoding::Error as T;
    let insane = GatewayError::Insane {
        status: StatusCode::BAD_REQUEST,
        problem: "no host".to_owned(),
        allow: None,
    };
    check(insane, "- 400 INVALID_ARGUMENT Client");
    check(routing::Error::NotFound, "- 404 NOT_FOUND Client");
    check(GatewayError::UnknownRpc, "- 404 UNIMPLEMENTED Client");
    check(InvalidTimeout, "invalid-timeout 400 INVALID_ARGUMENT Client");
    check(T::MediaType, "- 415 INVALID_ARGUMENT Client");
    check(T::UnexpectedBody, "unexpected-body 400 INVALID_ARGUMENT Client");
    check(T::from(InvalidHeader::IdempotencyKey), "invalid-header 400 INVALID_ARGUMENT Client");
    check(T::from(InvalidFrame::Compressed), "- 415 UNIMPLEMENTED Client");
    check(T::from(InvalidFrame::Length), "invalid-body 400 INVALID_ARGUMENT Client");
    check(T::from(UnreadableBody::TooLarge), "- 413 RESOURCE_EXHAUSTED Client");
    check(T::from(UnreadableBody::TooSlow), "- 408 DEADLINE_EXCEEDED Client");
    check(
        T::from(UnreadableBody::Broken("reset".into())),
        "invalid-body 400 INVALID_ARGUMENT Client",
    );
    let field = InvalidField {
        place: "query parameter",
        name: "size".to_owned(),
        problem: "is not a number".to_owned(),
    };
    let verdict = check(T::from(field), "invalid-field 400 INVALID_ARGUMENT Client");
    assert_eq!(verdict.detail, "the query parameter `size`: is not a number");
    assert!(!verdict.details.is_empty());
    check(Denied::Forbidden, "- 403 PERMISSION_DENIED Client");
}

#[test]
fn a_credential_that_does_not_count_is_401_with_a_challenge() {
    use authentication::Error as A;
    for (error, expected) in [
        (GatewayError::from(Denied::NeedsAuthentication), "- 401 UNAUTHENTICATED Client"),
        (A::Missing("sign in".to_owned()).into(), "- 401 UNAUTHENTICATED Client"),
        (A::Expired.into(), "token-expired 401 UNAUTHENTICATED Client"),
        (A::NotYetValid.into(), "token-not-yet-valid 401 UNAUTHENTICATED Client"),
        (A::NotBearer.into(), "invalid-credential 401 UNAUTHENTICATED Client"),
        (A::BadSignature.into(), "invalid-token 401 UNAUTHENTICATED Client"),
        (answered(Status::unauthenticated("wrong password")), "- 401 UNAUTHENTICATED Client"),
    ] {
        let verdict = check(error, expected);
        assert!(verdict.headers.iter().any(|(name, _)| name == WWW_AUTHENTICATE), "{expected}");
    }
    check(A::KeysUnavailable { cause: None }, "keys-unavailable 503 UNAVAILABLE Upstream");
    let full = check(
        transcoding::Error::from(UnreadableBody::NoRoom),
        "overloaded 503 UNAVAILABLE Gateway",
    );
    assert_eq!(full.retry_after, Some(Duration::from_secs(1)));
}

#[test]
fn a_method_that_is_not_taken_is_405_with_what_is() {
    let insane = GatewayError::Insane {
        status: StatusCode::METHOD_NOT_ALLOWED,
        problem: "CONNECT is not taken here".to_owned(),
        allow: Some(HeaderValue::from_static("GET")),
    };
    let verdict = check(insane, "- 405 UNIMPLEMENTED Client");
    assert_eq!(verdict.headers, [(ALLOW, HeaderValue::from_static("GET"))]);
}

#[test]
fn every_code_of_a_service_has_its_status() {
    for (code, expected) in [
        (Code::Cancelled, "- 499 CANCELLED Upstream"),
        (Code::Unknown, "- 500 UNKNOWN Upstream"),
        (Code::InvalidArgument, "- 400 INVALID_ARGUMENT Client"),
        (Code::DeadlineExceeded, "- 504 DEADLINE_EXCEEDED Upstream"),
        (Code::NotFound, "- 404 NOT_FOUND Client"),
        (Code::AlreadyExists, "- 409 ALREADY_EXISTS Client"),
        (Code::PermissionDenied, "- 403 PERMISSION_DENIED Client"),
        (Code::ResourceExhausted, "- 429 RESOURCE_EXHAUSTED Client"),
        (Code::FailedPrecondition, "- 400 FAILED_PRECONDITION Client"),
        (Code::Aborted, "- 409 ABORTED Client"),
        (Code::OutOfRange, "- 400 OUT_OF_RANGE Client"),
        (Code::Unimplemented, "- 501 UNIMPLEMENTED Upstream"),
        (Code::Internal, "- 500 INTERNAL Upstream"),
        (Code::Unavailable, "- 503 UNAVAILABLE Upstream"),
        (Code::DataLoss, "- 500 DATA_LOSS Upstream"),
        (Code::Unauthenticated, "- 401 UNAUTHENTICATED Client"),
    ] {
        check(answered(Status::new(code, "text")), expected);
    }
}

#[test]
fn what_a_service_says_of_its_insides_stays_inside() {
    for code in [Code::Internal, Code::Unknown, Code::DataLoss] {
        let error = answered(Status::with_details(
            code,
            "SELECT * FROM users",
            Bytes::from_static(b"\x12\x03sql"),
        ));
        let verdict = error.verdict();
        assert_eq!(
            (verdict.detail.as_str(), verdict.details.len()),
            ("the service failed on this request", 0)
        );
        assert!(error.chain().contains("SELECT * FROM users"), "{}", error.chain());
    }
    let verdict = answered(Status::not_found("no such user")).verdict();
    assert_eq!(verdict.detail, "no such user");
}

#[test]
fn an_upstream_that_can_not_answer_is_never_named_to_the_client() {
    use upstream::Error as U;
    let (upstream, endpoint): (Arc<str>, Arc<str>) =
        ("user".into(), "http://10.0.0.7:50051".into());
    for (error, expected) in [
        (U::DeadlineExceeded(DeadlineExceeded), "- 504 DEADLINE_EXCEEDED Upstream"),
        (
            U::NoEndpoint { upstream: Arc::clone(&upstream) },
            "upstream-unreachable 503 UNAVAILABLE Upstream",
        ),
        (
            U::Open { upstream: Arc::clone(&upstream), wait: Duration::from_millis(1) },
            "upstream-failing 503 UNAVAILABLE Upstream",
        ),
        (
            U::Late { upstream: Arc::clone(&upstream), endpoint: Arc::clone(&endpoint) },
            "- 504 DEADLINE_EXCEEDED Upstream",
        ),
        (
            U::Unreachable { upstream, endpoint, source: broken().into() },
            "upstream-unreachable 503 UNAVAILABLE Upstream",
        ),
    ] {
        let error = GatewayError::from(error);
        let verdict = check_ref(&error, expected);
        assert!(
            !format!("{verdict:?}").contains("10.0.0.7") && !verdict.detail.contains("user"),
            "{verdict:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_is_told_when_to_come_again() {
    use upstream::Error as U;
    let name = || Arc::<str>::from("user");
    let room = resilience::Room { requests: 0, queue: 0, patience: Duration::ZERO };
    let source = resilience::Bulkhead::new(room).enter().await.unwrap_err();
    let shed = check(U::Shed { upstream: name(), source }, "overloaded 503 UNAVAILABLE Gateway");
    assert_eq!(shed.retry_after, Some(Duration::from_secs(1)));
    for (wait, told) in [(0, 1), (1, 1), (1_001, 2), (4_000, 4)] {
        let open =
            GatewayError::from(U::Open { upstream: name(), wait: Duration::from_millis(wait) });
        assert_eq!(open.verdict().retry_after, Some(Duration::from_secs(told)), "{wait}");
    }
}

#[track_caller]
fn check_ref(error: &GatewayError, expected: &str) -> Verdict {
    assert_eq!(line(error), expected);
    error.verdict()
}

#[test]
fn the_log_is_told_each_cause_once() {
    let (upstream, endpoint) = ("user".into(), "http://a:1".into());
    let error = upstream::Error::Unreachable { upstream, endpoint, source: broken().into() };
    let chain = GatewayError::from(error).chain();
    assert_eq!(
        chain,
        "endpoint http://a:1 of upstream `user` could not be reached: UNKNOWN tcp connect error to 10.0.0.7:50051"
    );
}

#[test]
fn failures_of_the_gateway_itself_say_nothing() {
    check(GatewayError::Panicked, "- 500 INTERNAL Gateway");
    let verdict = check(GatewayError::Unserved(RpcId::new("a.B", "C")), "- 500 INTERNAL Gateway");
    assert!(!verdict.detail.contains("a.B/C"));
    check(transcoding::Error::NotAcceptable, "- 406 INVALID_ARGUMENT Client");
}

#[test]
fn reason_and_delay_come_from_the_details() {
    let mut details = ErrorDetails::new();
    details.set_error_info("CARD_DECLINED", "shop.example", []);
    details.set_retry_info(Some(Duration::from_millis(1500)));
    let status = Status::with_error_details(Code::FailedPrecondition, "declined", details);
    let verdict = answered(status).verdict();
    assert_eq!(verdict.reason.as_deref(), Some("CARD_DECLINED"));
    assert_eq!(verdict.retry_after, Some(Duration::from_millis(1500)));
}
