/// Appends a base-128 varint.
#[inline]
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Begins a length-delimited value and returns where its content starts. One byte is kept for the
/// length, which is enough for most.
#[inline]
pub(crate) fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Ends what [`open`] began: writes the length, and moves the content when it needs more room.
#[inline]
pub(crate) fn close(out: &mut Vec<u8>, start: usize) {
    let len = out.len() - start;
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => out[start - 1] = short,
        _ => close_long(out, start, len),
    }
}

fn close_long(out: &mut Vec<u8>, start: usize, len: usize) {
    let end = out.len();
    push_varint(out, len as u64);
    let extra = out.len() - end - 1;
    let mut length = [0; 10];
    length[..=extra].copy_from_slice(&out[end..]);
    out.truncate(end + extra);
    out.copy_within(start..end, start + extra);
    out[start - 1..start + extra].copy_from_slice(&length[..=extra]);
}

/// `sint32`: small negative numbers become small.
#[inline]
pub(crate) fn zigzag32(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)).cast_unsigned())
}

/// `sint64`: small negative numbers become small.
#[inline]
pub(crate) fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_any_size_is_put_before_its_content() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384, 2_097_152] {
            let mut out = vec![0xaa];
            let start = open(&mut out);
            out.extend((0..len).map(|n: u32| n.to_le_bytes()[0]));
            close(&mut out, start);
            let mut expected = vec![0xaa];
            push_varint(&mut expected, u64::from(len));
            expected.extend((0..len).map(|n| n.to_le_bytes()[0]));
            assert!(out == expected, "a content of {len} bytes");
        }
    }
}
