//! Who is counted together.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

use aws_lc_rs::hmac;
use serde::Deserialize;

use crate::context::{Principal, RpcId};

/// What a limit tells its clients apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The client's address.
    Address,
    /// The principal; who has none counts by address.
    Principal,
    /// The API key that the client came with. Who came without is not counted.
    ApiKey,
    /// Nothing: all clients of an RPC count together.
    Rpc,
}

/// One of those who are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject<'a> {
    Address(Network),
    Principal(&'a str),
    ApiKey(&'a str),
    Rpc(&'a str),
}

/// An IPv4 address, or the 64 bits of an IPv6 address that a client does not choose itself: who has one address of a /64
/// has all of them (RFC 4291, section 2.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [prefix @ .., _, _, _, _, _, _, _, _] = address.octets();
                Self::V6(prefix)
            }
        }
    }
}

impl<'a> Subject<'a> {
    /// Who is counted by such a limit; nobody, when it is not about this client.
    pub(super) fn of(
        by: By,
        rpc: &'a RpcId,
        principal: &'a Principal,
        client: IpAddr,
    ) -> Option<Self> {
        let address = || Self::Address(Network::of(client));
        Some(match by {
            By::Address => address(),
            By::Principal => principal.id().map_or_else(address, Self::Principal),
            By::ApiKey => Self::ApiKey(principal.api_key()?),
            By::Rpc => Self::Rpc(rpc.as_str()),
        })
    }
}

/// Names subjects in a store.
///
/// All gateways with one key give a subject the same name: 128 bits of an HMAC-SHA-256. It keeps ids out of the store and
/// its tools. Who does not know the key can't find out either whether an id that they know is there.
#[derive(Clone)]
pub(crate) struct Names(hmac::Key);

/// The key without one. It is no secret.
const PUBLIC_KEY: &str = "gateway:limits";

impl Names {
    /// Names by a key that the gateways share.
    pub(super) fn with(key: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))
    }

    pub(super) fn of(&self, subject: &Subject<'_>) -> String {
        let (tag, bytes): (u8, &[u8]) = match subject {
            Subject::Address(Network::V4(bytes)) => (b'4', bytes),
            Subject::Address(Network::V6(bytes)) => (b'6', bytes),
            Subject::Principal(id) => (b'p', id.as_bytes()),
            Subject::ApiKey(name) => (b'k', name.as_bytes()),
            Subject::Rpc(name) => (b'r', name.as_bytes()),
        };
        let mut signed = hmac::Context::with_key(&self.0);
        signed.update(&[tag]);
        signed.update(bytes);
        let mut name = String::with_capacity(32);
        for byte in signed.sign().as_ref().iter().take(16) {
            for nibble in [byte >> 4, byte & 0xf] {
                name.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
            }
        }
        name
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::with(PUBLIC_KEY)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::context::Identity;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn a_client_can_not_be_many_by_changing_what_it_chooses_itself() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        // Not everything in ::/64 is IPv4, and what is must not be one client.
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }

    #[test]
    fn each_kind_of_limit_counts_whom_it_says() {
        let rpc = RpcId::new("a.B", "C");
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let known = |id: &str, api_key: Option<&str>| {
            let api_key = api_key.map(Arc::from);
            Principal::Known(Arc::new(Identity::new(id.to_owned(), Vec::new(), api_key).unwrap()))
        };
        let (ada, bob) = (known("ada", None), known("bob", Some("till-1")));
        let subject = |by, principal, client| Subject::of(by, &rpc, principal, client);

        assert_eq!(subject(By::Address, &ada, here), subject(By::Address, &bob, here));
        assert_ne!(subject(By::Address, &ada, here), subject(By::Address, &ada, there));
        assert_eq!(subject(By::Principal, &ada, here), subject(By::Principal, &ada, there));
        assert_ne!(subject(By::Principal, &ada, here), subject(By::Principal, &bob, here));
        // Nobody in particular counts by address, and shares it with no principal, whatever its id.
        let (nobody, sly) = (Principal::Anonymous, known("192.0.2.1", None));
        assert_eq!(
            subject(By::Principal, &nobody, here),
            Some(Subject::Address(Network::V4([192, 0, 2, 1])))
        );
        assert_ne!(subject(By::Principal, &nobody, here), subject(By::Principal, &sly, here));
        assert_eq!(subject(By::ApiKey, &bob, here), Some(Subject::ApiKey("till-1")));
        assert_eq!(subject(By::ApiKey, &ada, here), None);
        assert_eq!(subject(By::Rpc, &ada, here), subject(By::Rpc, &bob, there));
    }

    #[test]
    fn every_gateway_gives_a_subject_the_same_name_and_no_two_subjects_one() {
        let (public, secret) = (Names::default(), Names::with("a key of sixteen or more"));
        let subjects = [
            Subject::Principal("ada"),
            Subject::Principal("bob"),
            Subject::ApiKey("ada"),
            Subject::Rpc("ada"),
            Subject::Address(Network::V4(*b"ada!")),
            Subject::Principal(""),
        ];
        let names: HashSet<String> = subjects.iter().map(|subject| public.of(subject)).collect();
        assert_eq!(names.len(), subjects.len());
        // What `printf %s pada | openssl dgst -sha256 -hmac KEY` prints, the first half. It must not change from one version
        // of the gateway to the next.
        let ada = Subject::Principal("ada");
        assert_eq!(public.of(&ada), "48472fa32f403d63ef713226c4b044a8");
        assert_eq!(secret.of(&ada), "1baa6b8b7548bad13fc432d05861476c");
        assert_eq!(format!("{secret:?}"), "Names");
    }
}
