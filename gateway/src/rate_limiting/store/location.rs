//! Where the store is.

use std::fmt;

use redis::{Client, IntoConnectionInfo};

/// The address of a Redis, checked. It may hold a password and is never shown whole.
#[derive(Clone)]
pub(crate) struct Location {
    url: String,
    client: Client,
}

impl Location {
    /// Reads `redis://[[user]:password@]host[:port][/database]`; the complaint does not repeat it.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str =
            "write redis://HOST:PORT, with USER:PASSWORD@ before the host where it asks for them";
        if !url.starts_with("redis://") {
            return Err(format!("it is not the address of a Redis: {FORM}"));
        }
        let info = url.into_connection_info().map_err(|_| format!("it can't be read: {FORM}"))?;
        let client = Client::open(info).map_err(|_| format!("it can't be used: {FORM}"))?;
        Ok(Self { url: url.to_owned(), client })
    }

    /// What tells it from others.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.client.get_connection_info().addr())
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_without_its_password() {
        let location = Location::parse("redis://gate:secret@cache.example:6380/1").unwrap();
        assert_eq!(location.to_string(), "cache.example:6380");
        assert_eq!(format!("{location:?}"), "Location(cache.example:6380)");
    }

    #[test]
    fn refuses_what_is_no_redis_and_does_not_repeat_it() {
        for url in [
            "cache:6379",
            "http://secret@cache:6379",
            "rediss://cache:6379",
            "redis://",
            "redis://:secret@cache:port",
            "redis://:secret@cache/one",
        ] {
            let complaint = Location::parse(url).unwrap_err();
            assert!(complaint.contains("write redis://HOST:PORT"), "{url}: {complaint}");
            assert!(!complaint.contains("secret"), "{url}: {complaint}");
        }
    }
}
