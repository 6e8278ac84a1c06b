//! Percent-encoding (RFC 3986, section 2.1) as templates and paths use it.

use std::borrow::Cow;

use memchr::memchr;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Why text can't be percent-decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    /// A `%` without its two hexadecimal digits.
    #[error("a `%` is not followed by two hexadecimal digits; write %25 for a percent sign")]
    Triplet,
    /// Bytes that no text has, such as overlong forms.
    #[error("its bytes are not UTF-8; encode text as UTF-8, then percent-encode it")]
    Utf8,
}

/// What becomes of `%2F`, the slash that is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slash {
    /// It becomes `/`: for one segment.
    Decoded,
    /// It stays as it was written: for several segments, whose separators would else look the same.
    Kept,
}

/// Decodes every triplet once; borrows when there is none.
pub(super) fn decode(text: &str, slash: Slash) -> Result<Cow<'_, str>, Undecodable> {
    let mut rest = text.as_bytes();
    let Some(mut next) = memchr(b'%', rest) else {
        return Ok(Cow::Borrowed(text));
    };
    let mut decoded = Vec::with_capacity(rest.len());
    loop {
        let (plain, triplet) = rest.split_at(next);
        decoded.extend_from_slice(plain);
        let [percent, high, low, tail @ ..] = triplet else {
            return Err(Undecodable::Triplet);
        };
        match (nibble(*high), nibble(*low)) {
            (Some(0x2), Some(0xf)) if slash == Slash::Kept => {
                decoded.extend([*percent, *high, *low]);
            }
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err(Undecodable::Triplet),
        }
        rest = tail;
        let Some(found) = memchr(b'%', rest) else { break };
        next = found;
    }
    decoded.extend_from_slice(rest);
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Undecodable::Utf8)
}

/// Encodes what a path segment can't hold (RFC 3986, `pchar`), and the characters that mean something in a template.
pub(super) fn encode(text: &str) -> impl std::fmt::Display {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'+')
        .remove(b',')
        .remove(b';')
        .remove(b'=')
        .remove(b'@');
    utf8_percent_encode(text, ENCODED)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, slash: Slash, expected: Result<&str, Undecodable>) {
        assert_eq!(decode(text, slash).as_deref(), expected.as_deref(), "{text}");
    }

    #[test]
    fn decodes_every_triplet_once() {
        check("plain", Slash::Decoded, Ok("plain"));
        check("%61b%63", Slash::Decoded, Ok("abc"));
        check("caf%C3%A9%c3%a9", Slash::Decoded, Ok("caféé"));
        check("%2525", Slash::Decoded, Ok("%25"));
        check("a%2Fb%2fc", Slash::Decoded, Ok("a/b/c"));
        check("a+b", Slash::Decoded, Ok("a+b"));
    }

    #[test]
    fn keeps_an_encoded_slash_as_it_was_written() {
        check("a%2Fb%2fc%20d/e", Slash::Kept, Ok("a%2Fb%2fc d/e"));
        check("%252F", Slash::Kept, Ok("%2F"));
    }

    #[test]
    fn refuses_what_is_no_triplet() {
        for text in ["%", "%2", "%zz", "%2g", "%g2", "a%", "%%20", "%+1", "%-1", "% 1", "%é"] {
            check(text, Slash::Decoded, Err(Undecodable::Triplet));
            check(text, Slash::Kept, Err(Undecodable::Triplet));
        }
    }

    #[test]
    fn refuses_bytes_that_are_not_utf8() {
        for text in ["%FF", "%C3", "%c0%ae", "%c0%af", "%e0%80%af", "%ED%A0%80", "%F4%90%80%80"] {
            check(text, Slash::Decoded, Err(Undecodable::Utf8));
            check(text, Slash::Kept, Err(Undecodable::Utf8));
        }
    }

    #[test]
    fn borrows_what_needs_no_decoding() {
        assert!(matches!(decode("a/b", Slash::Kept), Ok(Cow::Borrowed("a/b"))));
    }

    #[test]
    fn decodes_what_it_has_encoded() {
        let every: String = (0..=0x7f_u8).map(char::from).chain("é漢🦀".chars()).collect();
        let encoded = encode(&every).to_string();
        assert!(!encoded.contains(['/', ':', '*', '{', '}', '?', '#', ' ', '\\']), "{encoded}");
        check(&encoded, Slash::Decoded, Ok(&every));
    }
}
