mod raw;

use http::{HeaderValue, Request};

use super::*;

/// A head as hyper builds it for HTTP/1.1.
fn head(method: &str, target: &str, hosts: &[&str]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for host in hosts {
        request = request.header("host", *host);
    }
    request.body(()).unwrap().into_parts().0
}

/// A head as hyper builds it for HTTP/2.
fn head2(authority: Option<&str>, target: &str, hosts: &[&str]) -> Parts {
    let uri = authority
        .map_or_else(|| target.to_owned(), |authority| format!("https://{authority}{target}"));
    let mut head = head("GET", &uri, hosts);
    head.version = Version::HTTP_2;
    head
}

#[track_caller]
fn check_path(path: &str, expected: Result<(), Insane>) {
    assert_eq!(check(&head("GET", path, &["gw"])), expected, "{path} in HTTP/1.1");
    assert_eq!(check(&head2(Some("gw"), path, &[])), expected, "{path} in HTTP/2");
}

#[track_caller]
fn check_host(hosts: &[&str], expected: Result<(), Insane>) {
    assert_eq!(check(&head("GET", "/", hosts)), expected, "{hosts:?}");
}

#[test]
fn lets_honest_requests_in() {
    for path in [
        "/",
        "/api/products",
        "/api/users/123",
        "/api/users/",
        "/api/products:batchGet?ids=1&ids=2",
        "/api/orders/urn:isbn:1",
        "/api/files/a%2Fb",
        "/api/files/a%2F%2Fb",
        "/api/users/caf%C3%A9",
        "/api/users/ada@example.com;v=1,2",
        "/.well-known/jwks.json",
        "/a/...",
        "/a/..b/.c/d../e.",
        "/a/%2e%2e%2e/x.%2e",
        "/a/;..",
        "/a/x:..",
        "/a/%252e%252e/%25",
        "/api/users?",
        "/api/users?page_token=%00%5C..%2F..&next=//x/../y?z\\",
        "/api/users?name=caf\u{e9}&x=%FF",
    ] {
        check_path(path, Ok(()));
    }
}

#[test]
fn refuses_dot_segments_in_any_spelling() {
    for spelling in [
        ".",
        "..",
        "%2e",
        "%2E",
        ".%2e",
        "%2e.",
        "%2E%2e",
        "%2e%2E",
        "..;x",
        "..;foo=bar",
        ".;",
        "..;",
        "%2e%2e;x",
        "..%3Bx",
        "%2E;",
        "%2e%2e%3bx",
        "..%2fadmin",
        "..%2Fadmin",
        "a%2f..",
        "a%2F%2e%2e%2Fb",
        "%2f..",
        ".%2f",
        "..%2f",
        "a%2F..;x%2Fb",
        "..:cancel",
        ".:watch",
        "..%3acancel",
    ] {
        for path in [
            format!("/{spelling}"),
            format!("/a/{spelling}"),
            format!("/{spelling}/"),
            format!("/a/{spelling}/admin"),
        ] {
            check_path(&path, Err(Insane::DotSegment));
            check_path(&format!("{path}?x=1"), Err(Insane::DotSegment));
        }
    }
}

#[test]
fn refuses_empty_segments() {
    for path in ["//", "//api", "/api//users", "/api/users//", "///", "/api//", "/api//?x", "//../"]
    {
        check_path(path, Err(Insane::EmptySegment));
    }
}

#[test]
fn refuses_backslashes() {
    for path in ["/%5c", "/a%5Cb", "/..%5cadmin", "/a/%5C..%5c"] {
        check_path(path, Err(Insane::Backslash));
    }
    for path in ["/\\", "/..\\admin", "/a\\b"] {
        assert_eq!(target::check(path), Err(Insane::Backslash), "{path}");
    }
}

#[test]
fn refuses_control_characters_raw_or_encoded() {
    for byte in (0..0x20).chain([0x7f]) {
        check_path(&format!("/a/%{byte:02x}"), Err(Insane::ControlCharacter));
        check_path(&format!("/a%{byte:02X}b/c"), Err(Insane::ControlCharacter));
        let raw = char::from(byte);
        assert_eq!(target::check(&format!("/a{raw}")), Err(Insane::ControlCharacter), "{byte}");
        assert_eq!(target::check(&format!("/a?{raw}=1")), Err(Insane::ControlCharacter), "{byte}");
    }
}

#[test]
fn refuses_bad_percent_triplets() {
    for bad in ["%", "%2", "%zz", "%2g", "%g2", "%%41", "a%", "%u002e", "%-1", "%+1", "%2%65", "%%"]
    {
        check_path(&format!("/{bad}"), Err(Insane::BadTriplet));
        check_path(&format!("/{bad}/b"), Err(Insane::BadTriplet));
        check_path(&format!("/a?{bad}"), Err(Insane::BadTriplet));
        check_path(&format!("/a?b={bad}&c=d"), Err(Insane::BadTriplet));
    }
}

#[test]
fn refuses_what_is_not_utf8_such_as_overlong_forms() {
    for bytes in [
        "%c0%ae",
        "%C0%AE%C0%AE",
        "%c0%af",
        "%e0%80%ae",
        "%e0%80%af",
        "%f0%80%80%ae",
        "%c1%9c",
        "%c0%80",
        "%ff",
        "%80",
        "%ed%a0%80",
        "%f4%90%80%80",
        "%C3",
        "%C3/%A9",
    ] {
        check_path(&format!("/a/{bytes}"), Err(Insane::NotUtf8));
        check_path(&format!("/{bytes}/a"), Err(Insane::NotUtf8));
    }
}

#[test]
fn refuses_raw_characters_outside_ascii() {
    for path in ["/caf\u{e9}", "/\u{ff0e}\u{ff0e}/admin", "/a/\u{2215}b", "/\u{80}"] {
        check_path(path, Err(Insane::NotAscii));
    }
}

#[test]
fn lets_seven_methods_in() {
    for method in &METHODS {
        assert_eq!(check(&head(method.as_str(), "/a", &["gw"])), Ok(()), "{method}");
    }
    for method in ["CONNECT", "TRACE"] {
        assert_eq!(check(&head(method, "/a", &["gw"])), Err(Insane::RefusedMethod), "{method}");
    }
    for method in
        ["FOO", "get", "Get", "PROPFIND", "PURGE", "LINK", "PRI", "GETX", "M-SEARCH", "QUERY"]
    {
        assert_eq!(check(&head(method, "/a", &["gw"])), Err(Insane::UnknownMethod), "{method}");
    }
    assert_eq!(check(&head("CONNECT", "user:50051", &["gw"])), Err(Insane::RefusedMethod));
}

#[test]
fn refuses_targets_in_another_form() {
    for target in
        ["http://evil/api/products", "https://gw/", "http://gw", "gw", "gw:80", "admin", "*"]
    {
        assert_eq!(check(&head("GET", target, &["gw"])), Err(Insane::NotOriginForm), "{target}");
    }
    assert_eq!(check(&head("OPTIONS", "*", &["gw"])), Err(Insane::NotOriginForm));
    assert_eq!(check(&head2(None, "*", &["gw"])), Err(Insane::NotOriginForm));
    assert_eq!(check(&head2(Some("gw"), "?a=b", &[])), Err(Insane::NotOriginForm));
    for target in ["", "v1/admin", "?x", "a/b"] {
        assert_eq!(target::check(target), Err(Insane::NotOriginForm), "{target}");
    }
}

#[test]
fn wants_one_host() {
    for host in [
        "gw",
        "gw:8080",
        "GW.example.com",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:8080",
        "my_service:80",
        "gw.",
        "gw:0",
        "gw:65535",
    ] {
        check_host(&[host], Ok(()));
    }
    check_host(&[], Err(Insane::NoHost));
    check_host(&["gw", "gw"], Err(Insane::SeveralHosts));
    check_host(&["gw", "evil"], Err(Insane::SeveralHosts));
    check_host(&["", ""], Err(Insane::SeveralHosts));
    for host in [
        "",
        " ",
        "gw, evil",
        "gw,evil",
        "gw evil",
        "user@gw",
        "user:secret@gw",
        "gw:",
        "gw:65536",
        "gw:80:80",
        "gw:+80",
        "gw:8 0",
        "gw:http",
        ":80",
        "[::1",
        "[::1]8080",
        "[]",
        "[::1]x",
        "[gw]",
        "::1",
        "[fe80::1%25eth0]",
        "http://gw",
        "gw/",
        "gw/path",
        "gw?x",
        "gw#x",
        "gw\\",
        "g%77",
        "*",
        "gw\t",
        "gw;x",
        "'gw'",
        "gw@",
        "@gw",
    ] {
        check_host(&[host], Err(Insane::BadHost));
    }
    let mut outside_ascii = head("GET", "/", &[]);
    outside_ascii.headers.insert("host", HeaderValue::from_bytes(b"g\xc3\xa9").unwrap());
    assert_eq!(check(&outside_ascii), Err(Insane::BadHost));
}

#[test]
fn wants_host_and_authority_to_agree() {
    #[track_caller]
    fn check_both(authority: Option<&str>, hosts: &[&str], expected: Result<(), Insane>) {
        assert_eq!(check(&head2(authority, "/a", hosts)), expected, "{authority:?} {hosts:?}");
    }
    check_both(Some("gw"), &[], Ok(()));
    check_both(None, &["gw"], Ok(()));
    check_both(Some("gw:80"), &["GW:80"], Ok(()));
    check_both(None, &[], Err(Insane::NoHost));
    check_both(Some("gw"), &["evil"], Err(Insane::HostsDiffer));
    check_both(Some("gw"), &["gw:443"], Err(Insane::HostsDiffer));
    check_both(Some("gw"), &[""], Err(Insane::HostsDiffer));
    check_both(Some("gw"), &["gw", "gw"], Err(Insane::SeveralHosts));
    check_both(Some("user@gw"), &[], Err(Insane::BadHost));
    check_both(Some("user@gw"), &["user@gw"], Err(Insane::BadHost));
    check_both(None, &["gw,evil"], Err(Insane::BadHost));
}
