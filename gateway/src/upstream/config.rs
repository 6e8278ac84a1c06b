//! One entry of the section `upstreams`.

use serde::Deserialize;

use crate::setting::Spanned;

/// A named group behind the door: what it serves and where it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Full names of the gRPC services, for example `user.v1.UserService`.
    pub(crate) services: Vec<Spanned<String>>,
    /// Addresses as `http://host:port`.
    pub(crate) endpoints: Vec<Spanned<String>>,
}
