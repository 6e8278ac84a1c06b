//! The values a configuration is made of, and what is said when one of them is wrong.

pub(crate) mod header;
mod layers;
mod percent;
mod rate;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Location;

pub(crate) use layers::layered;
pub(crate) use percent::Percent;
pub(crate) use rate::Rate;

/// A value together with the line it stands on.
pub(crate) type Spanned<T> = serde_saphyr::Spanned<T>;

/// A value that stands nowhere, in place of one that could not be read.
pub(crate) fn unwritten<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Location::UNKNOWN, Location::UNKNOWN)
}

/// Where something stands in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    line: u64,
    column: u64,
    path: String,
}

impl Place {
    /// The place of the setting at `path`.
    pub(crate) fn of<T>(value: &Spanned<T>, path: impl Into<String>) -> Self {
        let (line, column) = (value.referenced.line(), value.referenced.column());
        Self { line, column, path: path.into() }
    }

    /// The place of a character of the text at `path`, counted from 0. Where the text is written otherwise than as it
    /// is, over several lines or with escapes, it is the place where the text begins.
    pub(crate) fn within(value: &Spanned<String>, at: usize, path: impl Into<String>) -> Self {
        let mut place = Self::of(value, path);
        let (length, written) =
            (value.value.chars().count(), usize::try_from(value.referenced.span().len()).ok());
        let one_line = !value.value.contains('\n');
        if one_line && (written == Some(length) || written == Some(length + 2)) {
            let quote = usize::from(written != Some(length));
            place.column += u64::try_from(at + quote).unwrap_or(0);
        }
        place
    }

    /// The path of the setting, for example `authorization.access`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A mistake that stands there.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        let Self { line, column, path } = self.clone();
        Problem { line, column, path, message: message.into() }
    }
}

/// One mistake in a configuration: where it is, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line in the file, counted from 1; 0 when no line can be named.
    pub(crate) line: u64,
    /// The column, counted from 1.
    pub(crate) column: u64,
    /// The path of the setting, for example `authorization.access`.
    pub(crate) path: String,
    /// What is wrong and what to do, as one sentence.
    pub(crate) message: String,
}

impl Problem {
    /// A mistake that stands in no line: something is missing.
    pub(crate) fn nowhere(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { line: 0, column: 0, path: path.into(), message: message.into() }
    }

    /// Where it is told among others: by its line, and what stands in none at the end.
    pub(crate) fn place(&self) -> (bool, u64, u64) {
        (self.line == 0, self.line, self.column)
    }

    /// A mistake in the value of the setting at `path`.
    pub(crate) fn at<T>(
        value: &Spanned<T>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Place::of(value, path).problem(message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A length of time, written as a whole number and its unit: `250ms`, `5s`, `15m`, `24h`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Period(Duration);

impl Period {
    /// A period of whole milliseconds, for defaults.
    pub(crate) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The period as a duration.
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let count: u64 = digits.parse().ok().filter(|&count| count > 0)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        count.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a period: write a whole number above zero and a unit, such as 250ms, 5s, 15m or 24h"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_periods_with_their_units_and_nothing_else() {
        let millis = |text| Period::parse(text).map(|period| period.duration().as_millis());
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("5s"), Some(5_000));
        assert_eq!(millis("15m"), Some(900_000));
        assert_eq!(millis("24h"), Some(86_400_000));
        for wrong in ["", "5", "s", "0s", "-1s", "1.5s", "5 s", "5sec", "99999999999999999999h"] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }
}
