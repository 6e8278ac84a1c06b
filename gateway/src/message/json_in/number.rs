//! Numbers without loss: integers never pass through a float.

/// An integer of up to 64 bits and its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Integer {
    pub(crate) negative: bool,
    pub(crate) magnitude: u64,
}

impl Integer {
    pub(crate) fn to_i64(self) -> Option<i64> {
        if self.negative {
            0_i64.checked_sub_unsigned(self.magnitude)
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }

    pub(crate) fn to_u64(self) -> Option<u64> {
        (!self.negative || self.magnitude == 0).then_some(self.magnitude)
    }
}

/// Why a number is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnInteger {
    Fraction,
    TooLarge,
}

/// The exact value of `number`, which is in JSON's grammar: `1.0` and `1e3` are integers, `1.5` is not.
#[inline]
pub(crate) fn integer(number: &[u8]) -> Result<Integer, NotAnInteger> {
    let (negative, digits) = match number.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, number),
    };
    let mut magnitude = 0_u64;
    // 19 digits always fit.
    if digits.len() > 19 {
        return long_integer(negative, digits);
    }
    for byte in digits {
        if !byte.is_ascii_digit() {
            return long_integer(negative, digits);
        }
        magnitude = magnitude * 10 + u64::from(byte - b'0');
    }
    Ok(Integer { negative, magnitude })
}

/// The length of the number at the start of `text`; 0 when there is none.
#[inline]
pub(super) fn number_len(text: &[u8]) -> usize {
    let digits = |from: usize| {
        text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return 0;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return 0;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent == 0 {
            return 0;
        }
        at += 1 + sign + exponent;
    }
    at
}

/// Whether all of `text` is one number in JSON's grammar.
pub(crate) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && number_len(text) == text.len()
}

/// With fraction, exponent or more digits: the digits are taken together and the point is moved.
fn long_integer(negative: bool, number: &[u8]) -> Result<Integer, NotAnInteger> {
    let exponent_at =
        number.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(number.len());
    let (mantissa, exponent) = number.split_at(exponent_at);
    let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let (whole, fraction) = mantissa.split_at(point);
    let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);

    let digits = || whole.iter().chain(fraction).map(|byte| u64::from(byte - b'0'));
    let leading = digits().take_while(|digit| *digit == 0).count();
    let trailing = digits().rev().take_while(|digit| *digit == 0).count();
    let count = whole.len() + fraction.len();
    if leading == count {
        return Ok(Integer { negative, magnitude: 0 });
    }
    let significant = count - leading - trailing;
    let scale = exponent_of(exponent)
        .saturating_add_unsigned(trailing as u64)
        .saturating_sub_unsigned(fraction.len() as u64);
    if scale < 0 {
        return Err(NotAnInteger::Fraction);
    }
    let ten_to = u32::try_from(scale).ok().and_then(|scale| 10_u64.checked_pow(scale));
    digits()
        .skip(leading)
        .take(significant)
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(digit))
        .and_then(|value| value.checked_mul(ten_to?))
        .map(|magnitude| Integer { negative, magnitude })
        .ok_or(NotAnInteger::TooLarge)
}

/// The value of `e+12`; nothing is 0, and what is too large for a number stays large.
fn exponent_of(exponent: &[u8]) -> i64 {
    let (sign, digits) = match exponent {
        [_, b'-', digits @ ..] => (-1, digits),
        [_, b'+', digits @ ..] | [_, digits @ ..] => (1, digits),
        [] => return 0,
    };
    digits.iter().fold(0_i64, |value, byte| {
        value.saturating_mul(10).saturating_add(sign * i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        #[track_caller]
        fn check(number: &str, expected: i128) {
            let found = integer(number.as_bytes()).unwrap();
            let value = i128::from(found.magnitude) * if found.negative { -1 } else { 1 };
            assert_eq!(value, expected, "{number}");
        }
        check("0", 0);
        check("-0", 0);
        check("9007199254740993", 9_007_199_254_740_993);
        check("18446744073709551615", u64::MAX.into());
        check("-9223372036854775808", i64::MIN.into());
        check("1.0", 1);
        check("1e3", 1000);
        check("1E+3", 1000);
        check("-1.5e1", -15);
        check("100e-2", 1);
        check("0.0000000000000000000000000001e28", 1);
        check("0e99999999999999999999", 0);
        check("0.000", 0);
        check("12345678901234567890.000", 12_345_678_901_234_567_890);
        check("1000000000000000000000000e-24", 1);
    }

    #[test]
    fn says_why_a_number_is_no_integer() {
        for number in ["1.5", "1e-1", "0.1", "1e-99999999999999999999", "-12.34e1"] {
            assert_eq!(integer(number.as_bytes()), Err(NotAnInteger::Fraction), "{number}");
        }
        for number in
            ["18446744073709551616", "1e20", "1e99999999999999999999", "99999999999999999999999"]
        {
            assert_eq!(integer(number.as_bytes()), Err(NotAnInteger::TooLarge), "{number}");
        }
        let min = Integer { negative: true, magnitude: 1 << 63 };
        assert_eq!(min.to_i64(), Some(i64::MIN));
        assert_eq!(min.to_u64(), None);
        assert_eq!(Integer { negative: true, magnitude: (1 << 63) + 1 }.to_i64(), None);
        assert_eq!(Integer { negative: true, magnitude: 0 }.to_u64(), Some(0));
    }
}
