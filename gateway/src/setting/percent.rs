//! A share of something.

use serde::{Deserialize, Deserializer, de};

/// A share in whole hundredths, written as `20%`: from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Percent(u8);

impl Percent {
    /// A share for defaults; what is above the whole is the whole.
    pub(crate) const fn of_hundred(count: u8) -> Self {
        Self(if count > 100 { 100 } else { count })
    }

    /// That share of a count, rounded down.
    pub(crate) fn of(self, count: u64) -> u64 {
        count.saturating_mul(self.0.into()) / 100
    }

    /// Whether it is no share at all.
    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('%')?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&count| plain && count <= 100).map(Self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            let advice = "write a whole number from 0 to 100 and %, such as 20%";
            de::Error::custom(format!("`{text}` is not a share: {advice}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_hundredths_up_to_the_whole_and_nothing_else() {
        let fifth = Percent::parse("20%").unwrap();
        assert_eq!([0, 4, 5, 99, 1_000].map(|count| fifth.of(count)), [0, 0, 1, 19, 200]);
        assert_eq!(Percent::parse("100%").unwrap().of(u64::MAX), u64::MAX / 100);
        assert!(Percent::parse("0%").unwrap().is_zero());
        for wrong in ["", "%", "20", "101%", "-1%", "+1%", "1.5%", "20 %", "20%%", "999%"] {
            assert_eq!(Percent::parse(wrong), None, "{wrong}");
        }
    }
}
