//! The paths of a `google.protobuf.FieldMask`: `user.displayName` in JSON, `user.display_name` on the
//! wire. Only paths that survive both ways are let through; `*` is every field (AIP-134, AIP-161).

/// Appends the JSON form of one path. False when it would not come back the same.
pub(crate) fn push_camel(out: &mut Vec<u8>, path: &[u8]) -> bool {
    let mut after_underscore = false;
    for byte in path {
        match (after_underscore, byte) {
            (false, b'_') => after_underscore = true,
            (true, b'a'..=b'z') => {
                out.push(byte.to_ascii_uppercase());
                after_underscore = false;
            }
            (false, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'*') => out.push(*byte),
            _ => return false,
        }
    }
    !after_underscore
}

/// Appends the proto form of one path. False when it is no path.
pub(crate) fn push_snake(out: &mut Vec<u8>, path: &[u8]) -> bool {
    for byte in path {
        match byte {
            b'A'..=b'Z' => out.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]),
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'*' => out.push(*byte),
            _ => return false,
        }
    }
    !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_both_ways() {
        for (snake, camel) in [
            ("foo_bar", "fooBar"),
            ("a.b_c.d", "a.bC.d"),
            ("x", "x"),
            ("v1_a", "v1A"),
            ("*", "*"),
            ("a_b.*", "aB.*"),
        ] {
            let mut out = Vec::new();
            assert!(push_camel(&mut out, snake.as_bytes()));
            assert_eq!(out, camel.as_bytes());
            let mut out = Vec::new();
            assert!(push_snake(&mut out, camel.as_bytes()));
            assert_eq!(out, snake.as_bytes());
        }
        for snake in ["fooBar", "foo_3_bar", "foo__bar", "foo_", "foo_.a", "foo bar", "f\u{f6}"] {
            assert!(!push_camel(&mut Vec::new(), snake.as_bytes()), "{snake}");
        }
        for camel in ["foo_bar", "", "foo bar", "f\u{f6}"] {
            assert!(!push_snake(&mut Vec::new(), camel.as_bytes()), "{camel}");
        }
    }
}
