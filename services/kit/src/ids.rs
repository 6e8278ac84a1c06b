//! Identifiers of what a service creates.

use uuid::Uuid;

/// A new `UUIDv7` (RFC 9562): unique. Ids of one process sort as they were made; between replicas only the milliseconds
/// of their clocks count.
pub fn fresh() -> String {
    Uuid::now_v7().to_string()
}
