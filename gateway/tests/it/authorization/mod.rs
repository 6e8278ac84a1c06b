//! Rules from end to end: what the client gets, and what the service saw of it.

mod concealed;
mod evasion;
mod streams;
mod table;

use serde_json::{Value, json};

use crate::stand::{Config, Gate, Issuer, Key, Upstream};

/// Whose dish it is stands in its field `name`.
pub(crate) const READER: &str = "claims.sub == response.name || 'cook' in claims.roles";
pub(crate) const SELF: &str = "claims.sub == request.id || 'cook' in claims.roles";

/// A gateway with clients that it knows.
pub(crate) struct Shop {
    pub(crate) gate: Gate,
    pub(crate) ada: String,
    pub(crate) bob: String,
    pub(crate) cook: String,
    _issuer: Issuer,
}

impl Shop {
    pub(crate) async fn before(
        kitchen: &Upstream,
        change: impl FnOnce(&mut Config) -> &mut Config,
    ) -> Self {
        let key = Key::new("k1");
        let issuer = Issuer::of(&key).await;
        let gate = Gate::start(|config| change(config.kitchen(kitchen).issuer(&issuer))).await;
        let token = |sub: &str, roles: Value| key.token(&json!({"sub": sub, "roles": roles}));
        Self {
            gate,
            ada: token("ada", json!([])),
            bob: token("bob", json!([])),
            cook: token("carl", json!(["cook"])),
            _issuer: issuer,
        }
    }
}
