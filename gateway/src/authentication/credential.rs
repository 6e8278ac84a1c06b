//! Finds the credential of a request: RFC 6750, section 2.1, and nowhere else.
//!
//! Tokens in the query or the body (sections 2.2 and 2.3) are never looked for: they end up in logs and histories.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Error;

/// The longest token that is looked at. Signed tokens of real issuers stay well below.
pub(super) const MAX_TOKEN: usize = 8 * 1024;

/// What stands in the place of the Bearer token; `None` when the request has no `Authorization` at all.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::SeveralCredentials);
    }
    let value = value.as_bytes();
    let end = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(Error::NotBearer);
    }
    let token = rest.trim_ascii_start();
    if token.len() > MAX_TOKEN {
        return Err(Error::TooLong);
    }
    if token.is_empty() {
        return Err(Error::Malformed("it is empty"));
    }
    Ok(Some(token))
}

/// The same as text. Who has proven a token before needs no such check again.
pub(super) fn text(token: &[u8]) -> Result<&str, Error> {
    let malformed = Error::Malformed("it is not the text of a token");
    if !token.iter().all(|&byte| is_token68(byte)) {
        return Err(malformed);
    }
    str::from_utf8(token).map_err(|_| malformed)
}

/// The letters of `b64token`. The ones that base64url does not have are refused later, with a better reason.
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let token = bearer(&headers).and_then(|token| token.map(text).transpose());
        token.map(|token| token.map(str::to_owned)).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn takes_one_bearer_token_in_any_spelling_of_the_scheme() {
        for spelling in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "bEaReR   a.b.c"] {
            assert_eq!(check(&[spelling.as_bytes()]), Ok(Some("a.b.c".to_owned())), "{spelling}");
        }
    }

    #[test]
    fn finds_nothing_where_there_is_no_header() {
        assert_eq!(check(&[]), Ok(None));
    }

    #[test]
    fn refuses_whatever_else_stands_in_the_header() {
        let wrong: [&[&[u8]]; 15] = [
            &[b""],
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Bearer    "],
            &[b"Basic YTpi"],
            &[b"a.b.c"],
            &[b"Bearer:a.b.c"],
            &[b"Bearer\ta.b.c"],
            &[b"BearerX a.b.c"],
            &[b"Bearer a.b.c d"],
            &[b"Bearer a.b.c, Bearer a.b.c"],
            &[b"Bearer a.b.\xc3\xa9"],
            &[b"Bearer a.b.c", b"Bearer a.b.c"],
            &[b"Basic YTpi", b"Bearer a.b.c"],
            &[b"", b"Bearer a.b.c"],
        ];
        for values in wrong {
            assert!(check(values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn refuses_a_token_over_the_limit_unread() {
        let of = |length: usize| check(&[format!("Bearer {}", "a".repeat(length)).as_bytes()]);
        assert!(of(MAX_TOKEN).is_ok());
        assert_eq!(of(MAX_TOKEN + 1), Err("TooLong".to_owned()));
    }
}
