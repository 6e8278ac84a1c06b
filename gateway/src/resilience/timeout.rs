//! One deadline over everything, and its spelling on the wire.

use std::future::Future;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use thiserror::Error;
use tokio::time;

use super::Limits;
use crate::context::Deadline;

/// The deadline passed before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the deadline passed before there was an answer")]
pub(crate) struct DeadlineExceeded;

/// Runs a future until the deadline and drops it then: nothing runs after the deadline.
pub(crate) async fn within<T>(
    deadline: Deadline,
    future: impl Future<Output = T>,
) -> Result<T, DeadlineExceeded> {
    time::timeout_at(deadline.instant(), future).await.map_err(|_| DeadlineExceeded)
}

/// The client's `Grpc-Timeout` is not one that gRPC knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the header grpc-timeout must be 1 to 8 digits and one of H, M, S, m, u, n, for example 500m"
)]
pub(crate) struct InvalidTimeout;

/// The deadline of a request: the gateway's own, or what the client asks for in `Grpc-Timeout` when that is sooner.
pub(crate) fn deadline(limits: Limits, headers: &HeaderMap) -> Result<Deadline, InvalidTimeout> {
    let longest = limits.deadline;
    let asked = client_timeout(headers)?.unwrap_or(longest);
    Ok(Deadline::after(longest.min(asked)))
}

/// The timeout a client asks for, if it does (gRPC over HTTP/2, `Timeout`: at most 8 digits and a unit).
fn client_timeout(headers: &HeaderMap) -> Result<Option<Duration>, InvalidTimeout> {
    let mut values = headers.get_all("grpc-timeout").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse(value).map(Some).ok_or(InvalidTimeout),
        (Some(_), Some(_)) => Err(InvalidTimeout),
    }
}

/// What is left until the deadline, as the value of `grpc-timeout`.
///
/// Rounded down, so that the service gives up no later than the gateway; at least one microsecond, because the
/// protocol has no zero.
pub(crate) fn timeout_header(deadline: Deadline) -> HeaderValue {
    const MAX: u128 = 99_999_999;
    let left = deadline.remaining();
    let (count, unit) = match left.as_micros() {
        micros if micros <= MAX => (micros.max(1), 'u'),
        _ if left.as_millis() <= MAX => (left.as_millis(), 'm'),
        _ => (u128::from(left.as_secs()).min(MAX), 'S'),
    };
    HeaderValue::from_str(&format!("{count}{unit}")).unwrap_or(HeaderValue::from_static("1u"))
}

fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Result<Option<Duration>, InvalidTimeout> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_str(value).unwrap());
        client_timeout(&headers)
    }

    #[test]
    fn reads_every_unit_and_refuses_everything_else() {
        assert_eq!(client_timeout(&HeaderMap::new()), Ok(None));
        assert_eq!(asked("2H"), Ok(Some(Duration::from_hours(2))));
        assert_eq!(asked("3M"), Ok(Some(Duration::from_mins(3))));
        assert_eq!(asked("4S"), Ok(Some(Duration::from_secs(4))));
        assert_eq!(asked("500m"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(asked("7u"), Ok(Some(Duration::from_micros(7))));
        assert_eq!(asked("99999999n"), Ok(Some(Duration::from_nanos(99_999_999))));
        for wrong in ["", "S", "5", "5s", "-5S", "+5S", "1.5S", "123456789S", " 5S", "5 S"] {
            assert_eq!(asked(wrong), Err(InvalidTimeout), "{wrong}");
        }
    }

    #[test]
    fn two_timeouts_are_none() {
        let mut headers = HeaderMap::new();
        headers.append("grpc-timeout", HeaderValue::from_static("1S"));
        headers.append("grpc-timeout", HeaderValue::from_static("9S"));
        assert_eq!(client_timeout(&headers), Err(InvalidTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_ask_for_less_but_never_for_more() {
        let deadline = |value| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_static(value));
            let limits = crate::resilience::Config::default().limits("", "");
            deadline(limits, &headers).map(Deadline::remaining)
        };
        assert_eq!(deadline("1S"), Ok(Duration::from_secs(1)));
        assert_eq!(deadline("1H"), Ok(Duration::from_secs(5)));
        assert_eq!(deadline("soon"), Err(InvalidTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn tells_the_service_what_is_left_and_never_more() {
        let deadline = Deadline::after(Duration::from_secs(5));
        assert_eq!(timeout_header(deadline), "5000000u");
        time::advance(Duration::from_secs(3)).await;
        assert_eq!(timeout_header(deadline), "2000000u");
        time::advance(Duration::from_secs(3)).await;
        assert_eq!(timeout_header(deadline), "1u");
        assert_eq!(timeout_header(Deadline::after(Duration::from_secs(100_000))), "100000S");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_done_by_the_deadline_is_dropped() {
        let deadline = Deadline::after(Duration::from_secs(1));
        assert_eq!(within(deadline, time::sleep(Duration::from_millis(900))).await, Ok(()));
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let slow = async move {
            time::sleep(Duration::from_secs(9)).await;
            drop(alive);
        };
        assert_eq!(within(deadline, slow).await, Err(DeadlineExceeded));
        assert!(gone.await.is_err(), "the future was dropped with what it held");
    }
}
