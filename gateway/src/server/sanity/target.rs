//! A request target that every reader reads alike.

use std::borrow::Cow;

use super::Insane;

/// Checks path and query.
pub(super) fn check(target: &str) -> Result<(), Insane> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    check_path(path)?;
    check_characters(query)
}

fn check_path(path: &str) -> Result<(), Insane> {
    if !path.starts_with('/') {
        return Err(Insane::NotOriginForm);
    }
    check_characters(path)?;
    if !path.is_ascii() {
        return Err(Insane::NotAscii);
    }
    if path.contains("//") {
        return Err(Insane::EmptySegment);
    }
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(path.as_bytes()).into();
    if decoded.contains(&b'\\') {
        return Err(Insane::Backslash);
    }
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(Insane::ControlCharacter);
    }
    if std::str::from_utf8(&decoded).is_err() {
        return Err(Insane::NotUtf8);
    }
    if decoded.split(|byte| *byte == b'/').any(is_dot_segment) {
        return Err(Insane::DotSegment);
    }
    Ok(())
}

/// An encoded slash is data, but not even data may climb. What stands behind `;` or `:` is cut off by some readers: path
/// parameters by servlets (RFC 3986, section 3.3), a verb by the routes here.
fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment.split(|byte| matches!(byte, b';' | b':')).next();
    matches!(name, Some(b"." | b".."))
}

/// The characters as they were sent, in path or query. What a query encodes is data for the fields it fills.
fn check_characters(text: &str) -> Result<(), Insane> {
    if text.contains(|c: char| c.is_ascii_control()) {
        return Err(Insane::ControlCharacter);
    }
    let mut behind = text.split('%').skip(1);
    let whole = |digits: &str| digits.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if behind.all(whole) { Ok(()) } else { Err(Insane::BadTriplet) }
}
