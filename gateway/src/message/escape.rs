//! Text as a JSON string, and text as it is shown to people.

/// Appends `text` with quotes around it, escaping only what JSON requires.
pub(super) fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Whether JSON can't hold it as it is within quotes (RFC 8259, section 7).
#[inline]
pub(super) fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends the text without quotes around it.
pub(super) fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let Some((byte, after)) = from.split_first() else { break };
        rest = after;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(rest);
}

/// The characters of a text as a sentence quotes them: what can't be seen is escaped, so that nothing can begin a second
/// line or turn the writing round. Quotes and backslashes stay: whoever wrote the text should find it again.
pub(crate) fn readable(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|character| {
        let stays = matches!(character, '"' | '\'' | '\\');
        let escaped = (!stays).then(|| character.escape_debug());
        stays.then_some(character).into_iter().chain(escaped.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_as_it_was_written_except_what_can_not_be_seen() {
        let shown = |text| readable(text).collect::<String>();
        assert_eq!(shown(r#"it's "q" ü \ `"#), r#"it's "q" ü \ `"#);
        assert_eq!(shown("a\nb\u{1b}[31m\u{202e}\0"), r"a\nb\u{1b}[31m\u{202e}\0");
    }
}
