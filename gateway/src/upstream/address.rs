//! Where endpoints are, as the configuration spells it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::uri::Scheme;
use thiserror::Error;

/// The address of an endpoint is not one.
#[derive(Debug, Error)]
#[error(
    "`{0}` is not an endpoint: write http://HOST:PORT, or srv://NAME for what a name service knows, without a path; TLS to services is not built"
)]
pub(crate) struct InvalidAddress(String);

/// Where one or more endpoints are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `http://10.0.0.1:50051`: one endpoint, which nobody is asked about.
    Literal(SocketAddr),
    /// `http://product:50052`: each address of the host is an endpoint.
    Host { name: String, port: u16 },
    /// `srv://_grpc._tcp.product.shop`: each server of the service is one (RFC 2782).
    Service { name: String },
}

impl Address {
    /// Reads an address. There is one spelling for each: without user, path, query or zeros before the port.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16());
        if uri.scheme_str() == Some("srv") && !host.is_empty() && text == format!("srv://{host}") {
            return Ok(Self::Service { name: host.to_owned() });
        }
        let port = port.ok_or_else(invalid)?;
        if uri.scheme() != Some(&Scheme::HTTP) || text != format!("http://{host}:{port}") {
            return Err(invalid());
        }
        let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(match plain.parse::<IpAddr>() {
            Ok(ip) => Self::Literal(SocketAddr::new(ip, port)),
            Err(_) => Self::Host { name: host.to_owned(), port },
        })
    }

    /// What services call themselves there (`:authority`): the name that was written, not the address that was found.
    pub(super) fn authority(&self) -> Option<String> {
        match self {
            Self::Host { name, port } => Some(format!("{name}:{port}")),
            Self::Literal(_) | Self::Service { .. } => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(address) => write!(f, "http://{address}"),
            Self::Host { name, port } => write!(f, "http://{name}:{port}"),
            Self::Service { name } => write!(f, "srv://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_literal_a_host_or_a_service() {
        let host = |name: &str, port| Address::Host { name: name.to_owned(), port };
        for (text, expected) in [
            ("http://127.0.0.1:1", Address::Literal("127.0.0.1:1".parse().unwrap())),
            ("http://[::1]:50051", Address::Literal("[::1]:50051".parse().unwrap())),
            ("http://product:50052", host("product", 50052)),
            ("http://a.b-c.example:80", host("a.b-c.example", 80)),
            (
                "srv://_grpc._tcp.product.shop",
                Address::Service { name: "_grpc._tcp.product.shop".to_owned() },
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address, expected);
            assert_eq!(address.to_string(), text);
        }
        for wrong in [
            "",
            "product:50052",
            "http://product",
            "http://product:050052",
            "http://product:50052/",
            "http://ada@product:50052",
            "https://product:50052",
            "tcp://127.0.0.1:1",
            "srv://product:1",
            "srv://product/",
            "srv://",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
