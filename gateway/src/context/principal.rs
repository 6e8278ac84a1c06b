//! Who is asking.

use std::sync::Arc;

use http::HeaderValue;
use http::header::InvalidHeaderValue;

/// Who is asking, as far as the gateway could prove it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Principal {
    /// Nobody in particular: the request carried no credential.
    #[default]
    Anonymous,
    /// Somebody whose credential was verified.
    Known(Arc<Identity>),
}

/// What a verified credential says about its holder.
#[derive(Debug)]
pub(crate) struct Identity {
    /// The subject: for a JWT its `sub` (RFC 7519, section 4.1.2).
    pub(crate) id: String,
    /// The claim `roles`, in the token's order.
    pub(crate) roles: Vec<String>,
    /// The name of the API key, when it was one and no token.
    pub(crate) api_key: Option<Arc<str>>,
    /// Id and roles as every call tells them to its service: written once, when the credential is proven.
    told: [HeaderValue; 2],
}

impl Identity {
    /// What a credential says. Fails when services could not be told of it.
    pub(crate) fn new(
        id: String,
        roles: Vec<String>,
        api_key: Option<Arc<str>>,
    ) -> Result<Self, InvalidHeaderValue> {
        let told = [HeaderValue::from_str(&id)?, HeaderValue::from_str(&roles.join(","))?];
        Ok(Self { id, roles, api_key, told })
    }

    /// The id and the roles as metadata of a call.
    pub(crate) fn told(&self) -> [HeaderValue; 2] {
        self.told.clone()
    }
}

impl Principal {
    /// The subject; `None` when anonymous.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Known(identity) => Some(&identity.id),
        }
    }

    /// The name of the API key that was presented; `None` without one.
    pub(crate) fn api_key(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Known(identity) => identity.api_key.as_deref(),
        }
    }

    /// The roles; none when anonymous.
    pub(crate) fn roles(&self) -> &[String] {
        match self {
            Self::Anonymous => &[],
            Self::Known(identity) => &identity.roles,
        }
    }
}
