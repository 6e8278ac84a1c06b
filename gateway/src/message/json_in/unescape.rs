use super::error::{JsonError, Parsed};

/// Appends the characters that `raw`, which stands at `offset` in the text, spells with escapes.
pub(super) fn unescape(raw: &[u8], offset: usize, out: &mut Vec<u8>) -> Parsed {
    let mut at = 0;
    while let Some(rest) = raw.get(at..) {
        let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        let Some(escape) = raw.get(at + 1) else { break };
        let byte = match escape {
            b'"' | b'\\' | b'/' => *escape,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, len) = unicode(raw, at, offset)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += len;
                continue;
            }
            _ => {
                return Err(JsonError::new(
                    offset + at,
                    "an unknown escape",
                    "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u",
                ));
            }
        };
        out.push(byte);
        at += 2;
    }
    Ok(())
}

/// The character of `\uXXXX` or of a surrogate pair, and the length of what spells it.
fn unicode(raw: &[u8], at: usize, offset: usize) -> Parsed<(char, usize)> {
    let first = hex(raw, at + 2).ok_or_else(|| {
        JsonError::new(offset + at, "a malformed \\u escape", "four hexadecimal digits after \\u")
    })?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, 6));
    }
    let second = if raw.get(at + 6..at + 8) == Some(b"\\u") { hex(raw, at + 8) } else { None };
    match (first, second) {
        (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
            char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                .map(|character| (character, 12))
        }
        _ => None,
    }
    .ok_or_else(|| {
        JsonError::new(offset + at, "a lone surrogate", "a pair of them, or a character")
    })
}

fn hex(raw: &[u8], at: usize) -> Option<u32> {
    raw.get(at..at + 4)?
        .iter()
        .try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}
