//! How often something may happen.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::Period;

/// A number of events in a period, written as `600/1m`. Never zero, and at most one in a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    count: u32,
    period: Period,
}

impl Rate {
    /// The time in which one event is allowed.
    pub(crate) fn interval(self) -> Duration {
        self.period.duration() / self.count
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "write a whole number above zero and a period, such as 10/1s or 600/1m";
        let (count, period) = text.split_once('/').ok_or(FORM)?;
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FORM);
        }
        let rate = Self {
            count: count.parse().ok().filter(|&count| count > 0).ok_or(FORM)?,
            period: Period::parse(period).ok_or(FORM)?,
        };
        if rate.interval() < Duration::from_micros(1) {
            return Err("nothing is counted more often than once in a microsecond");
        }
        Ok(rate)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .map_err(|advice| de::Error::custom(format!("`{text}` is not a rate: {advice}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_count_and_a_period_and_nothing_else() {
        let interval = |text| Rate::parse(text).map(Rate::interval);
        assert_eq!(interval("600/1m"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("10/1s"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("1/24h"), Ok(Duration::from_hours(24)));
        assert_eq!(interval("1000000/1s"), Ok(Duration::from_micros(1)));
        for wrong in [
            "",
            "/",
            "600",
            "600/",
            "/1m",
            "0/1m",
            "600/0m",
            "600/m",
            "-1/1s",
            "+1/1s",
            "1.5/1s",
            "600 / 1m",
            "600/1m/1s",
            "600/1d",
            "600per1m",
            "4294967296/1h",
            "1/99999999999999999999h",
        ] {
            assert!(interval(wrong).unwrap_err().starts_with("write a whole number"), "{wrong}");
        }
        assert!(interval("1000001/1s").unwrap_err().contains("microsecond"));
        assert!(interval("2/1ms").is_ok());
        assert!(interval("1001/1ms").is_err());
    }
}
