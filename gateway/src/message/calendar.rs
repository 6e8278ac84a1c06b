//! The texts of `google.protobuf.Timestamp` (RFC 3339) and `google.protobuf.Duration`, with the
//! ranges that their definitions give.

/// 9999-12-31T23:59:59Z, the last second a `Timestamp` can name.
const LAST_SECOND: i64 = 253_402_300_799;
/// 0001-01-01T00:00:00Z, the first.
const FIRST_SECOND: i64 = -62_135_596_800;
/// About 10,000 years, either way; a fraction of a second may come on top.
const LONGEST_DURATION: i64 = 315_576_000_000;
const NANOS: u32 = 1_000_000_000;

/// Appends the RFC 3339 text in UTC. False when it names no time from year 1 to 9999.
pub(crate) fn push_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> bool {
    let Some(nanos) = u32::try_from(nanos).ok().filter(|nanos| *nanos < NANOS) else {
        return false;
    };
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return false;
    }
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second_of_day = seconds.rem_euclid(86_400).unsigned_abs();
    let mut text = *b"0000-00-00T00:00:00";
    let mut put = |at: usize, value: u64| {
        text[at] = digit(value / 10);
        text[at + 1] = digit(value);
    };
    put(0, year / 100);
    put(2, year);
    put(5, month);
    put(8, day);
    put(11, second_of_day / 3600);
    put(14, second_of_day / 60 % 60);
    put(17, second_of_day % 60);
    out.extend_from_slice(&text);
    push_fraction(out, nanos);
    out.push(b'Z');
    true
}

/// Appends `1.5s`. False when it is longer than 10,000 years or its parts differ in sign.
pub(crate) fn push_duration(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> bool {
    let fits =
        seconds.unsigned_abs() <= LONGEST_DURATION.unsigned_abs() && nanos.unsigned_abs() < NANOS;
    let one_sign = i64::from(nanos).signum() * seconds.signum() >= 0;
    if !fits || !one_sign {
        return false;
    }
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(seconds.unsigned_abs().to_string().as_bytes());
    push_fraction(out, nanos.unsigned_abs());
    out.push(b's');
    true
}

/// Seconds since 1970 and nanoseconds. `None` when the text is no RFC 3339 time from year 1 to 9999.
pub(crate) fn parse_timestamp(text: &[u8]) -> Option<(i64, i32)> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    let month = digits(after(&mut rest, b'-')?, 2)?;
    let day = digits(after(&mut rest, b'-')?, 2)?;
    let hour = digits(after(&mut rest, b'T')?, 2)?;
    let minute = digits(after(&mut rest, b':')?, 2)?;
    let second = digits(after(&mut rest, b':')?, 2)?;
    let nanos = fraction(&mut rest)?;
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let mut zone = zone;
            let hours = digits(&mut zone, 2)?;
            let minutes = digits(after(&mut zone, b':')?, 2)?;
            if hours > 23 || minutes > 59 || !zone.is_empty() {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    if month == 0 || month > 12 || day == 0 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    (FIRST_SECOND..=LAST_SECOND).contains(&seconds).then_some((seconds, nanos))
}

/// Seconds and nanoseconds of one sign. `None` when the text is not like `-1.5s` or too long.
pub(crate) fn parse_duration(text: &[u8]) -> Option<(i64, i32)> {
    let text = text.strip_suffix(b"s")?;
    let (sign, mut rest) = match text.strip_prefix(b"-") {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let whole = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if whole == 0 || whole > 12 {
        return None;
    }
    let seconds = digits(&mut rest, whole)?;
    let nanos = fraction(&mut rest)?;
    let fits = seconds <= LONGEST_DURATION;
    (rest.is_empty() && fits).then_some((sign * seconds, if sign < 0 { -nanos } else { nanos }))
}

/// The fraction in 0, 3, 6 or 9 digits, as the mapping wants it.
fn push_fraction(out: &mut Vec<u8>, nanos: u32) {
    let (mut value, len) = match nanos {
        0 => return,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    let mut text = *b".000000000";
    for slot in text[1..=len].iter_mut().rev() {
        *slot = digit(value.into());
        value /= 10;
    }
    out.extend_from_slice(&text[..=len]);
}

/// `.5` as nanoseconds; nothing is zero. One to nine digits.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let Some(mut after_dot) = rest.strip_prefix(b".") else { return Some(0) };
    let len = after_dot.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 || len > 9 {
        return None;
    }
    let value = i32::try_from(digits(&mut after_dot, len)?).ok()?;
    *rest = after_dot;
    Some((len..9).fold(value, |value, _| value * 10))
}

/// Exactly `count` digits, at most 12.
fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn after<'r, 't>(rest: &'r mut &'t [u8], byte: u8) -> Option<&'r mut &'t [u8]> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    (*first == byte).then_some(rest)
}

fn digit(value: u64) -> u8 {
    b'0' + (value % 10).to_le_bytes()[0]
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. The year begins in March, so that the leap day is
/// its last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days`], for years that are not negative.
fn civil(days: i64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year.unsigned_abs(), month.unsigned_abs(), day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, seconds: i64, nanos: i32, canonical: &str) {
            assert_eq!(parse_timestamp(text.as_bytes()), Some((seconds, nanos)), "{text}");
            let mut out = Vec::new();
            assert!(push_timestamp(&mut out, seconds, nanos));
            assert_eq!(String::from_utf8(out).unwrap(), canonical);
        }
        check("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z");
        check("0001-01-01T00:00:00Z", FIRST_SECOND, 0, "0001-01-01T00:00:00Z");
        check(
            "9999-12-31T23:59:59.999999999Z",
            LAST_SECOND,
            999_999_999,
            "9999-12-31T23:59:59.999999999Z",
        );
        check("2024-02-29T12:30:45.5Z", 1_709_209_845, 500_000_000, "2024-02-29T12:30:45.500Z");
        check(
            "1972-01-01T10:00:20.000021+01:00",
            63_104_420,
            21_000,
            "1972-01-01T09:00:20.000021Z",
        );
        check("1969-12-31T23:59:59.000000001Z", -1, 1, "1969-12-31T23:59:59.000000001Z");
    }

    #[test]
    fn every_day_has_one_name() {
        let mut previous = (0, 0, 0);
        for day in FIRST_SECOND / 86_400..=LAST_SECOND / 86_400 {
            let (year, month, of_month) = civil(day);
            assert!((year, month, of_month) > previous);
            previous = (year, month, of_month);
            let signed = |value: u64| i64::try_from(value).unwrap();
            assert_eq!(days(signed(year), signed(month), signed(of_month)), day);
            assert!(signed(of_month) <= days_in(signed(year), signed(month)));
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890Z",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00+24:00",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-00:01",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00ZZ",
            "2024-01-01",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
        assert!(!push_timestamp(&mut Vec::new(), LAST_SECOND + 1, 0));
        assert!(!push_timestamp(&mut Vec::new(), FIRST_SECOND - 1, 0));
        assert!(!push_timestamp(&mut Vec::new(), 0, -1));
        assert!(!push_timestamp(&mut Vec::new(), 0, 1_000_000_000));
        assert!(!push_timestamp(&mut Vec::new(), i64::MIN, i32::MIN));
    }

    #[test]
    fn durations_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, seconds: i64, nanos: i32, canonical: &str) {
            assert_eq!(parse_duration(text.as_bytes()), Some((seconds, nanos)), "{text}");
            let mut out = Vec::new();
            assert!(push_duration(&mut out, seconds, nanos));
            assert_eq!(String::from_utf8(out).unwrap(), canonical);
        }
        check("0s", 0, 0, "0s");
        check("1.5s", 1, 500_000_000, "1.500s");
        check("-0.5s", 0, -500_000_000, "-0.500s");
        check("-1.000000001s", -1, -1, "-1.000000001s");
        check("315576000000s", LONGEST_DURATION, 0, "315576000000s");
        check("-315576000000s", -LONGEST_DURATION, 0, "-315576000000s");
        check(
            "-315576000000.999999999s",
            -LONGEST_DURATION,
            -999_999_999,
            "-315576000000.999999999s",
        );
        check("1.000010s", 1, 10_000, "1.000010s");
        for text in [
            "",
            "s",
            "1",
            "1.s",
            ".5s",
            "1.0000000001s",
            "315576000001s",
            "315576000001.0s",
            "+1s",
            "--1s",
            "1 s",
            "1e3s",
            "1.5 s",
        ] {
            assert_eq!(parse_duration(text.as_bytes()), None, "{text}");
        }
        assert!(!push_duration(&mut Vec::new(), 1, -1));
        assert!(!push_duration(&mut Vec::new(), -1, 1));
        assert!(!push_duration(&mut Vec::new(), LONGEST_DURATION + 1, 0));
        assert!(!push_duration(&mut Vec::new(), i64::MIN, 0));
        assert!(!push_duration(&mut Vec::new(), 0, i32::MIN));
    }
}
