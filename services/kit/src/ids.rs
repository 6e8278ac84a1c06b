//! Identifiers of what a service creates.

use uuid::Uuid;

/// A new `UUIDv7` (RFC 9562): unique, and later ids sort after earlier ones.
pub fn fresh() -> String {
    Uuid::now_v7().to_string()
}
