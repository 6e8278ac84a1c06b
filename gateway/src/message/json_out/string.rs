use crate::message::escape::{needs_escape, push_escaped, push_json_string};
use crate::message::wire::{Fault, Outcome};

/// Appends the text with quotes around it, escaping only what JSON requires, if it proves to be UTF-8.
#[inline]
pub(super) fn push_wire_string(out: &mut Vec<u8>, bytes: &[u8]) -> Outcome {
    match plain(bytes) {
        Plain::Yes => {
            out.push(b'"');
            out.extend_from_slice(bytes);
            out.push(b'"');
            Ok(())
        }
        Plain::AsciiToEscape => {
            out.push(b'"');
            push_escaped(out, bytes);
            out.push(b'"');
            Ok(())
        }
        Plain::Unknown => {
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::Utf8)?;
            push_json_string(out, text);
            Ok(())
        }
    }
}

enum Plain {
    /// ASCII without anything to escape.
    Yes,
    AsciiToEscape,
    /// Holds bytes that are not ASCII.
    Unknown,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Looks at eight bytes at a time: most strings are plain and need no second look.
#[inline]
fn plain(bytes: &[u8]) -> Plain {
    let mut special = 0;
    let mut high = 0;
    let mut look = |word: [u8; 8]| {
        let word = u64::from_le_bytes(word);
        special |= escapes_in(word);
        high |= word;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        look(*word);
    }
    // The last word overlaps the one before it: that is cheaper than single bytes.
    if let Some(last) = bytes.last_chunk::<8>() {
        look(*last);
    } else {
        for byte in rest {
            special |= u64::from(needs_escape(*byte)) << 7;
            high |= u64::from(*byte);
        }
    }
    if high & HIGHS != 0 {
        Plain::Unknown
    } else if special & HIGHS == 0 {
        Plain::Yes
    } else {
        Plain::AsciiToEscape
    }
}

/// A high bit in every byte of `word` that is a control character, a quote or a backslash. Only exact
/// for ASCII; for other bytes it may say yes.
#[inline]
fn escapes_in(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (control | quote | backslash) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_back_from_a_json_parser() {
        for code in 0..=0x800_u32 {
            for padding in 0..9 {
                let character = char::from_u32(code).unwrap();
                let text = format!("{}{character}tail of it", "x".repeat(padding));
                let mut out = Vec::new();
                push_wire_string(&mut out, text.as_bytes()).unwrap();
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            }
        }
    }

    #[test]
    fn refuses_bytes_that_are_not_utf8() {
        assert!(push_wire_string(&mut Vec::new(), b"abc\xff").is_err());
        assert!(push_wire_string(&mut Vec::new(), b"\xed\xa0\x80").is_err());
    }
}
