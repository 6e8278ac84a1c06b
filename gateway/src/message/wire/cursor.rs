use super::{Fault, MAX_DEPTH};

/// How a field's value is delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Len,
    StartGroup,
    EndGroup,
    Fixed32,
}

impl WireType {
    pub(crate) fn code(self) -> u64 {
        match self {
            Self::Varint => 0,
            Self::Fixed64 => 1,
            Self::Len => 2,
            Self::StartGroup => 3,
            Self::EndGroup => 4,
            Self::Fixed32 => 5,
        }
    }
}

/// Reads wire bytes from the front.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is still to be read.
    #[cfg(test)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Fault> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte has room for one bit.
            if index == 9 && *byte > 1 {
                return Err(Fault::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { Fault::Truncated } else { Fault::Varint })
    }

    /// The next field's number and wire type.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<(u32, WireType), Fault> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Fault::Tag)?;
        let wire_type = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Len,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(Fault::Tag),
        };
        match tag >> 3 {
            0 => Err(Fault::Tag),
            number => Ok((number, wire_type)),
        }
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let len = usize::try_from(self.varint()?).map_err(|_| Fault::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// Passes over the value of a field that nobody reads.
    pub(crate) fn skip(&mut self, number: u32, wire_type: WireType) -> Result<(), Fault> {
        self.skip_nested(number, wire_type, 0)
    }

    fn skip_nested(&mut self, number: u32, wire_type: WireType, depth: u32) -> Result<(), Fault> {
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Len => self.bytes().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
            WireType::EndGroup => Err(Fault::Group),
            WireType::StartGroup if depth >= MAX_DEPTH => Err(Fault::TooDeep),
            WireType::StartGroup => loop {
                if self.is_empty() {
                    return Err(Fault::Truncated);
                }
                match self.tag()? {
                    (end, WireType::EndGroup) if end == number => return Ok(()),
                    (inner, wire_type) => self.skip_nested(inner, wire_type, depth + 1)?,
                }
            },
        }
    }
}

/// A varint's lower half as the `int32` or enum number it stands for.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "protobuf takes the lower 32 bits")]
pub(crate) fn sign32(varint: u64) -> i32 {
    varint as i32
}

#[inline]
pub(crate) fn unzigzag32(varint: u64) -> i32 {
    let bits = sign32(varint).cast_unsigned();
    (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()
}

#[inline]
pub(crate) fn unzigzag64(varint: u64) -> i64 {
    (varint >> 1).cast_signed() ^ -(varint & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::wire::{push_varint, zigzag32, zigzag64};

    #[test]
    fn varints_and_zigzag_survive_the_way_there_and_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), i64::MAX.cast_unsigned(), u64::MAX]
        {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.varint(), Ok(value));
            assert!(cursor.is_empty());
            assert_eq!(zigzag64(unzigzag64(value)), value);
        }
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            assert_eq!(unzigzag32(zigzag32(value)), value);
        }
    }

    #[test]
    fn refuses_what_is_cut_short_too_long_or_impossible() {
        #[track_caller]
        fn check(wire: &[u8], expected: Fault) {
            let mut cursor = Cursor::new(wire);
            let skipped =
                cursor.tag().and_then(|(number, wire_type)| cursor.skip(number, wire_type));
            assert_eq!(skipped, Err(expected));
        }
        check(&[], Fault::Truncated);
        check(&[0x08], Fault::Truncated);
        check(&[0x08, 0xff], Fault::Truncated);
        check(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Fault::Varint);
        check(&[0x00], Fault::Tag);
        check(&[0x0e], Fault::Tag);
        check(&[0xff, 0xff, 0xff, 0xff, 0x7f], Fault::Tag);
        check(&[0x0d, 1, 2, 3], Fault::Truncated);
        check(&[0x0a, 2, 3], Fault::Truncated);
        check(
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            Fault::Truncated,
        );
        check(&[0x0c], Fault::Group);
        check(&[0x0b, 0x14], Fault::Group);
        check(&[0x0b, 0x08, 0x01], Fault::Truncated);
        check(&[0x0b; 300], Fault::TooDeep);
    }
}
