use std::borrow::Cow;
use std::str::FromStr;

use super::error::{JsonError, Parsed};
use super::{Reader, is_number};

impl Reader<'_, '_, '_> {
    /// A number in quotes or not, or one of the three words for what JSON can't write.
    pub(super) fn float<F: Float>(&mut self, first: u8) -> Parsed<F> {
        let at = self.text.position();
        let text = match first {
            b'-' | b'0'..=b'9' => Cow::Borrowed(self.text.number()?),
            b'"' => self.text.string()?.characters()?,
            _ => return Err(self.text.unexpected(F::EXPECTED)),
        };
        match &*text {
            b"NaN" => return Ok(F::NAN),
            b"Infinity" => return Ok(F::INFINITY),
            b"-Infinity" => return Ok(F::NEG_INFINITY),
            _ => {}
        }
        std::str::from_utf8(&text)
            .ok()
            .filter(|digits| first != b'"' || is_number(digits.as_bytes()))
            .and_then(|digits| digits.parse::<F>().ok())
            .filter(Float::is_finite)
            .ok_or_else(|| {
                let found = if first == b'"' { "the string" } else { "the number" };
                JsonError::new(at, found, F::EXPECTED).quoting(&text)
            })
    }
}

/// What `float` and `double` have in common.
pub(super) trait Float: FromStr {
    const NAN: Self;
    const INFINITY: Self;
    const NEG_INFINITY: Self;
    const EXPECTED: &'static str;
    fn is_finite(&self) -> bool;
}

impl Float for f32 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
    const EXPECTED: &'static str =
        "a number that fits a float, \"NaN\", \"Infinity\" or \"-Infinity\"";
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}

impl Float for f64 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEG_INFINITY: Self = Self::NEG_INFINITY;
    const EXPECTED: &'static str =
        "a number that fits a double, \"NaN\", \"Infinity\" or \"-Infinity\"";
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}
