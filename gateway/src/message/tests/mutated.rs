//! Changes to messages and texts that are sound, by bytes that decide which.

use prost_reflect::MessageDescriptor;

use crate::message::kitchen_sink::messy::Entropy;
use crate::message::wire::{Cursor, WireType, push_varint};

/// The fields of a message duplicated, left out, exchanged and cut in two, down to the third level. Well-known types stay
/// whole: they must be sound in themselves.
pub(super) fn rearranged(
    message: &MessageDescriptor,
    wire: &[u8],
    entropy: &mut Entropy<'_>,
    depth: u32,
) -> Vec<u8> {
    if message.full_name().starts_with("google.protobuf.") {
        return wire.to_vec();
    }
    let mut fields = Vec::new();
    let mut cursor = Cursor::new(wire);
    while let Ok((number, wire_type)) = cursor.tag() {
        let mut tag = Vec::new();
        push_varint(&mut tag, u64::from(number) << 3 | wire_type.code());
        let before = cursor;
        let declared = message.get_field(number).and_then(|field| {
            (wire_type == WireType::Len && !field.is_list() && !field.is_map())
                .then(|| field.kind().as_message().cloned())?
        });
        if let (Some(inner), Ok(content)) = (declared, cursor.bytes()) {
            let content = if depth == 0 {
                content.to_vec()
            } else {
                rearranged(&inner, content, entropy, depth - 1)
            };
            for part in cut(&content, entropy) {
                fields.push([&*tag, &*block(part)].concat());
            }
            continue;
        }
        cursor = before;
        let len = |cursor: &Cursor<'_>| cursor.rest().len();
        if cursor.skip(number, wire_type).is_err() {
            break;
        }
        let value = &before.rest()[..len(&before) - len(&cursor)];
        fields.push([&*tag, value].concat());
    }
    for _ in 0..entropy.byte() % 4 {
        if fields.is_empty() {
            break;
        }
        let (from, to) = (entropy.index(fields.len()), entropy.index(fields.len()));
        match entropy.byte() % 3 {
            0 => fields.swap(from, to),
            1 => fields.insert(to, fields[from].clone()),
            _ => drop(fields.remove(from)),
        }
    }
    fields.concat()
}

/// One part, or two that end where a field does.
fn cut<'w>(content: &'w [u8], entropy: &mut Entropy<'_>) -> Vec<&'w [u8]> {
    let mut ends = vec![0];
    let mut cursor = Cursor::new(content);
    while let Ok((number, wire_type)) = cursor.tag() {
        if cursor.skip(number, wire_type).is_err() {
            return vec![content];
        }
        ends.push(content.len() - cursor.rest().len());
    }
    if entropy.byte().is_multiple_of(2) {
        return vec![content];
    }
    let (first, second) = content.split_at(ends[entropy.index(ends.len())]);
    vec![first, second]
}

fn block(content: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    push_varint(&mut block, content.len() as u64);
    block.extend_from_slice(content);
    block
}

/// Bits flipped, bytes replaced, the end cut off.
pub(super) fn broken(mut wire: Vec<u8>, entropy: &mut Entropy<'_>) -> Vec<u8> {
    for _ in 0..=entropy.byte() % 3 {
        if wire.is_empty() {
            break;
        }
        let place = entropy.index(wire.len());
        match entropy.byte() % 4 {
            0 => wire[place] ^= 1 << (entropy.byte() % 8),
            1 => wire[place] = entropy.byte(),
            2 => wire[place] = entropy.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            _ => wire.truncate(place),
        }
    }
    wire
}

/// Values that are right somewhere, and wrong in most places.
const VALUES: [&str; 40] = [
    "null",
    "true",
    "{}",
    "[]",
    "[null]",
    "[[]]",
    "{\"a\":1}",
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1.5",
    "20e-1",
    "1e400",
    "1e99999999",
    "-1e-400",
    "3.4028235677973366e38",
    "3.5e38",
    "2147483648",
    "-2147483649",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "\"\"",
    "\"1\"",
    "\"1.0\"",
    "\"+1\"",
    "\" 1\"",
    "\"1e2\"",
    "\"01\"",
    "\"inf\"",
    "\"NaN\"",
    "\"-Infinity\"",
    "\"E0_1\"",
    "\"1.5s\"",
    "\"-0.000000001s\"",
    "\"2026-11-24T09:30:00.5+01:00\"",
    "\"aB.c,d\"",
    "\"-_8\"",
    "\"\\ud83d\\ude00\\u0000\\/\"",
];

/// A text of the same values written otherwise, or of others, or no text at all.
pub(super) fn rewritten(text: &[u8], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=entropy.byte() % 3 {
        let tokens = tokens(&text);
        if tokens.is_empty() {
            break;
        }
        let token = tokens[entropy.index(tokens.len())].clone();
        match entropy.byte() % 8 {
            0..3 => drop(text.splice(token, entropy.pick(&VALUES).bytes())),
            // The member that begins here stands twice.
            3 => {
                let end = entropy.index(tokens.len());
                let end = tokens[end].end.max(token.end);
                let copy = text[token.start..end].to_vec();
                text.splice(end..end, copy);
            }
            4 => drop(text.splice(
                token.end..token.end,
                entropy.pick(&[" ", "\n\t", "\r", "\u{a0}", "\0"]).bytes(),
            )),
            5 => {
                // One character of a string or key as an escape.
                let inner = token.start + entropy.index(token.len());
                if text[token.start] == b'"' && text[inner].is_ascii_alphanumeric() {
                    let escape = entropy.pick(&["\\u00", "\\u0000", "\\ud800", "\\x"]);
                    let escaped = format!("{escape}{:02x}", text[inner]);
                    text.splice(inner..=inner, escaped.bytes());
                }
            }
            6 => {
                let place = token.start + entropy.index(token.len());
                text[place] = entropy.pick(b"{}[]\",:\\u09-e.ntf \xff_");
            }
            _ => drop(text.drain(token)),
        }
    }
    text
}

/// Where each token stands.
fn tokens(text: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        at += 1;
        match text[start] {
            b'"' => {
                while at < text.len() && text[at] != b'"' {
                    at += 1 + usize::from(text[at] == b'\\');
                }
                at = text.len().min(at + 1);
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                while text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
                {
                    at += 1;
                }
            }
            _ => {}
        }
        tokens.push(start..at);
    }
    tokens
}
