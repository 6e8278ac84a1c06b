//! Where a client is: at the other end of the connection, or where trusted proxies say.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The client's address, `hops` trusted proxies away.
///
/// Each proxy adds to `X-Forwarded-For` the address that it was called from, so only as many entries can be believed as
/// there are trusted proxies, counted from the right: what stands to the left of them the client has written itself. Where
/// the entry is missing or is no address, the peer is what is known. An IPv4 address in the clothes of IPv6 is IPv4.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, hops: u8) -> IpAddr {
    forwarded(headers, hops).unwrap_or(peer).to_canonical()
}

fn forwarded(headers: &HeaderMap, hops: u8) -> Option<IpAddr> {
    let nth = usize::from(hops.checked_sub(1)?);
    // Several headers are one list (RFC 9110, section 5.3). It is read from its end, and no further than is believed.
    let lines = headers.get_all("x-forwarded-for").iter();
    let mut entries = lines.rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    read(std::str::from_utf8(entries.nth(nth)?).ok()?.trim())
}

/// An address as proxies write it: bare, in brackets, with a port.
fn read(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse() {
        return Some(address);
    }
    if let Ok(address) = entry.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    entry.strip_prefix('[')?.strip_suffix(']')?.parse().map(IpAddr::V6).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PEER: &str = "192.0.2.99";

    fn client(hops: u8, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        address(PEER.parse().unwrap(), &headers, hops).to_string()
    }

    #[test]
    fn believes_as_many_entries_as_there_are_proxies() {
        let spoofed = ["6.6.6.6, 192.0.2.1"];
        assert_eq!(client(0, &spoofed), PEER, "without proxies nobody is believed");
        assert_eq!(client(1, &spoofed), "192.0.2.1");
        assert_eq!(client(2, &["6.6.6.6, 192.0.2.1, 10.0.0.1"]), "192.0.2.1");
        assert_eq!(client(1, &["6.6.6.6", "192.0.2.1"]), "192.0.2.1");
        assert_eq!(client(2, &["6.6.6.6, 192.0.2.1", "10.0.0.1"]), "192.0.2.1");
        assert_eq!(client(255, &["6.6.6.6"]), PEER);
    }

    #[test]
    fn reads_an_address_as_proxies_write_it() {
        for (entry, expected) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
            ("\t 192.0.2.1 ", "192.0.2.1"),
        ] {
            assert_eq!(client(1, &[&format!("6.6.6.6,{entry}")]), expected, "{entry}");
        }
    }

    #[test]
    fn what_is_no_address_is_the_peer() {
        for entry in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1:99999",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]:443",
            "for=192.0.2.1",
            "\"192.0.2.1\"",
            "192.0.2.1 192.0.2.2",
            "é",
            "0x7f.1",
            "1",
        ] {
            assert_eq!(client(1, &[&format!("6.6.6.6, {entry}")]), PEER, "{entry}");
        }
        assert_eq!(client(1, &[]), PEER);
        assert_eq!(client(2, &["6.6.6.6"]), PEER, "there are too few");
        assert_eq!(client(2, &["6.6.6.6, , 192.0.2.1"]), PEER, "an empty entry is one");
    }

    #[test]
    fn the_peer_itself_may_be_dressed_up() {
        let dressed = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(address(dressed, &HeaderMap::new(), 0).to_string(), "192.0.2.1");
    }

    #[test]
    fn a_long_list_is_not_read_to_its_beginning() {
        let list = format!("{}192.0.2.1", "6.6.6.6,".repeat(10_000));
        let started = tokio::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(
                address(
                    PEER.parse().unwrap(),
                    &HeaderMap::from_iter([(
                        http::HeaderName::from_static("x-forwarded-for"),
                        HeaderValue::from_str(&list).unwrap(),
                    )]),
                    1
                )
                .to_string(),
                "192.0.2.1"
            );
        }
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
