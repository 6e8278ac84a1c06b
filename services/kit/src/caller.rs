//! Who calls, as the gateway asserts it in metadata, and how the same is passed on to the next service.
//!
//! Services never see a token, and believe these headers: their port must be open to the gateway and the other services
//! only. A value that is doubled or malformed counts as absent: it makes nobody somebody.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

use crate::ids;

const PRINCIPAL_ID: &str = "x-principal-id";
const PRINCIPAL_ROLES: &str = "x-principal-roles";
const REQUEST_ID: &str = "x-request-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const TRACEPARENT: &str = "traceparent";
const GRPC_TIMEOUT: &str = "grpc-timeout";
const ADMIN: &str = "admin";

/// Bytes of a principal's id. A longer one is nobody's, so whoever is somebody can be stored everywhere in the shop.
pub const LONGEST_PRINCIPAL_ID: usize = 255;

/// The caller of one RPC.
#[derive(Clone, Debug)]
pub struct Caller {
    id: Option<String>,
    roles: Vec<String>,
    request_id: String,
    idempotency_key: Option<String>,
    traceparent: Option<String>,
    deadline: Option<Instant>,
}

impl Caller {
    /// Reads the metadata of a request.
    pub fn of<T>(request: &Request<T>) -> Self {
        let metadata = request.metadata().as_ref();
        let id = principal(metadata);
        // Roles belong to a principal: without one they mean nothing.
        let roles = id.as_ref().and_then(|_| single(metadata, PRINCIPAL_ROLES)).unwrap_or_default();
        Self {
            id,
            roles: roles
                .split(',')
                .map(str::trim)
                .filter(|role| !role.is_empty())
                .map(str::to_owned)
                .collect(),
            request_id: request_id(metadata).unwrap_or_else(ids::fresh),
            idempotency_key: single(metadata, IDEMPOTENCY_KEY),
            traceparent: single(metadata, TRACEPARENT),
            deadline: time_left(metadata).and_then(|left| Instant::now().checked_add(left)),
        }
    }

    /// The service itself, for work that nobody asked for just now: a sweep, a recovery.
    pub fn nobody() -> Self {
        Self {
            id: None,
            roles: Vec::new(),
            request_id: ids::fresh(),
            idempotency_key: None,
            traceparent: None,
            deadline: None,
        }
    }

    /// The principal's id; none when anonymous.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The principal's id, or UNAUTHENTICATED.
    pub fn require_id(&self) -> Result<&str, Status> {
        self.id().ok_or_else(|| Status::unauthenticated("this needs a signed-in caller"))
    }

    /// Whether the principal has `role`.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Whether the principal is that user, or an admin.
    pub fn may_act_for(&self, user_id: &str) -> bool {
        self.id() == Some(user_id) || self.has_role(ADMIN)
    }

    /// The id of the client's request: it is in every log line on the way.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The idempotency key as it came; [`idempotency::Request`](crate::idempotency::Request) checks it.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// When the caller stops waiting; none when it didn't say.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The same caller with an earlier end: `within` from now, unless its own deadline comes first.
    #[must_use]
    pub fn hurry(mut self, within: Duration) -> Self {
        let ours = Instant::now() + within;
        self.deadline = Some(self.deadline.map_or(ours, |theirs| theirs.min(ours)));
        self
    }

    /// Asserts the same caller, and the time that is left, in a request to another service.
    pub fn pass_on<T>(&self, request: &mut Request<T>) {
        if let Some(deadline) = self.deadline {
            // Zero would be no answer at all; the least there is lets the other side say DEADLINE_EXCEEDED.
            let left = deadline.saturating_duration_since(Instant::now());
            request.set_timeout(left.max(Duration::from_millis(1)));
        }
        let metadata = request.metadata_mut();
        put(metadata, PRINCIPAL_ID, self.id.as_deref());
        put(
            metadata,
            PRINCIPAL_ROLES,
            Some(self.roles.join(",")).as_deref().filter(|roles| !roles.is_empty()),
        );
        put(metadata, REQUEST_ID, Some(&self.request_id));
        put(metadata, IDEMPOTENCY_KEY, self.idempotency_key.as_deref());
        put(metadata, TRACEPARENT, self.traceparent.as_deref());
    }
}

/// The principal's id, for the handler and for the access log.
pub(crate) fn principal(headers: &HeaderMap) -> Option<String> {
    single(headers, PRINCIPAL_ID)
        .filter(|id| !id.trim().is_empty() && id.len() <= LONGEST_PRINCIPAL_ID)
}

/// The id that the request came with, for both too.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    single(headers, REQUEST_ID)
}

/// How long the caller waits.
pub(crate) fn time_left(headers: &HeaderMap) -> Option<Duration> {
    single(headers, GRPC_TIMEOUT).and_then(|text| timeout(&text))
}

/// The value of `name`, unless it is absent, doubled, empty or not visible ASCII.
fn single(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => {
            value.to_str().ok().filter(|value| !value.is_empty()).map(str::to_owned)
        }
        _ => None,
    }
}

fn put(metadata: &mut MetadataMap, name: &'static str, value: Option<&str>) {
    match value.and_then(|value| MetadataValue::<Ascii>::try_from(value).ok()) {
        Some(value) => drop(metadata.insert(name, value)),
        None => drop(metadata.remove(name)),
    }
}

/// Reads `grpc-timeout` (gRPC over HTTP/2: at most eight digits and a unit).
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in pairs {
            request.metadata_mut().append(*name, MetadataValue::from_static(value));
        }
        request
    }

    #[test]
    fn a_caller_acts_for_themselves_and_an_admin_for_all() {
        let ada = Caller::of(&request(&[(PRINCIPAL_ID, "123")]));
        assert!(ada.may_act_for("123") && !ada.may_act_for("124"));
        let root = Caller::of(&request(&[(PRINCIPAL_ID, "1"), (PRINCIPAL_ROLES, "staff, admin")]));
        assert!(root.may_act_for("124"));
    }

    #[test]
    fn nobody_is_somebody_by_accident() {
        for pairs in [
            &[][..],
            &[(PRINCIPAL_ID, "")],
            &[(PRINCIPAL_ID, " "), (PRINCIPAL_ROLES, "admin")],
            &[(PRINCIPAL_ID, "123"), (PRINCIPAL_ID, "123")],
            &[(PRINCIPAL_ROLES, "admin")],
            &[(PRINCIPAL_ID, "1"), (PRINCIPAL_ID, "123"), (PRINCIPAL_ROLES, "admin")],
        ] {
            let caller = Caller::of(&request(pairs));
            assert!(caller.require_id().is_err() && !caller.may_act_for("123"), "{pairs:?}");
            assert!(!caller.may_act_for(""), "{pairs:?}");
        }
    }

    #[test]
    fn an_id_has_255_bytes_at_most() {
        let longest: &'static str = "1".repeat(LONGEST_PRINCIPAL_ID).leak();
        assert_eq!(Caller::of(&request(&[(PRINCIPAL_ID, longest)])).id(), Some(longest));
        let longer: &'static str = "1".repeat(LONGEST_PRINCIPAL_ID + 1).leak();
        assert_eq!(Caller::of(&request(&[(PRINCIPAL_ID, longer)])).id(), None);
    }

    #[test]
    fn the_roles_of_two_headers_are_no_roles() {
        let caller = Caller::of(&request(&[
            (PRINCIPAL_ID, "1"),
            (PRINCIPAL_ROLES, "a"),
            (PRINCIPAL_ROLES, "admin"),
        ]));
        assert!(!caller.has_role("admin"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_set_and_the_time_left_are_passed_on() {
        let caller = Caller::of(&request(&[
            (PRINCIPAL_ID, "123"),
            (PRINCIPAL_ROLES, "admin,staff"),
            (REQUEST_ID, "r-1"),
            (IDEMPOTENCY_KEY, "k-1"),
            (TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            (GRPC_TIMEOUT, "5S"),
        ]));
        tokio::time::advance(Duration::from_secs(2)).await;
        let mut onward = request(&[(PRINCIPAL_ID, "666")]);
        caller.pass_on(&mut onward);
        let next = Caller::of(&onward);
        assert_eq!(next.id(), Some("123"));
        assert_eq!(next.request_id(), "r-1");
        assert_eq!(next.idempotency_key(), Some("k-1"));
        assert_eq!(next.traceparent, caller.traceparent);
        assert!(next.has_role("staff") && next.has_role("admin"));
        assert_eq!(next.deadline(), caller.deadline());
    }

    #[test]
    fn reads_timeouts_as_grpc_writes_them() {
        assert_eq!(timeout("3000000u"), Some(Duration::from_secs(3)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        for bad in ["", "S", "5", "5s", "-5S", "+5S", "123456789S", "5 S", "5\u{e9}"] {
            assert_eq!(timeout(bad), None, "{bad:?}");
        }
    }
}
