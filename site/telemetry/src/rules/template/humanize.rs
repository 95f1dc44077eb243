//! Numbers for people, in the words that Prometheus uses in templates.
//!
//! `functions` calls them.

use super::go_format::significant;
use jiff::Timestamp;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const LARGE_1024: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
/// The furthest time that has a date, seconds.
const FAR_S: f64 = 2e11;

/// `1234567` to `1.235M`.
pub(super) fn decimal(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return significant(v, 4);
    }
    let (v, prefix) = if v.abs() >= 1.0 { up(v, 1000.0, &LARGE) } else { down(v) };
    significant(v, 4) + prefix
}

/// `1048576` to `1Mi`.
pub(super) fn binary(v: f64) -> String {
    if v.abs() <= 1.0 || !v.is_finite() {
        return significant(v, 4);
    }
    let (v, prefix) = up(v, 1024.0, &LARGE_1024);
    significant(v, 4) + prefix
}

fn up(mut v: f64, step: f64, prefixes: &[&'static str]) -> (f64, &'static str) {
    let mut found = "";
    for prefix in prefixes {
        if v.abs() < step {
            break;
        }
        (v, found) = (v / step, prefix);
    }
    (v, found)
}

fn down(mut v: f64) -> (f64, &'static str) {
    let mut found = "";
    for prefix in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        (v, found) = (v * 1000.0, prefix);
    }
    (v, found)
}

/// Seconds to `1d 2h 3m 4s`, `59.25s`, `12ms`.
pub(super) fn duration(v: f64) -> String {
    if !v.is_finite() {
        return significant(v, 4);
    }
    if v == 0.0 {
        return significant(v, 4) + "s";
    }
    if v.abs() < 1.0 {
        let (v, prefix) = down(v);
        return format!("{}{prefix}s", significant(v, 4));
    }
    let (sign, v) = if v < 0.0 { ("-", -v) } else { ("", v) };
    let whole = v as i64;
    let (seconds, minutes, hours, days) =
        (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", significant(v, 4)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// `0.1234` to `12.34%`.
pub(super) fn percentage(v: f64) -> String {
    significant(v * 100.0, 4) + "%"
}

/// Seconds since 1970 to `2015-07-01 20:10:51.781 +0000 UTC`.
pub(super) fn timestamp(v: f64) -> Result<String, String> {
    if !v.is_finite() {
        return Ok(significant(v, 4));
    }
    let far = || format!("{} is no time", significant(v, 4));
    if v.abs() > FAR_S {
        return Err(far());
    }
    // Cut to milliseconds by way of nanoseconds, as Prometheus does it.
    let ms = (v * 1e9) as i128 / 1_000_000;
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let time = time.ok_or_else(far)?;
    let text = time.to_string();
    let (date, clock) = text.trim_end_matches('Z').split_once('T').ok_or_else(far)?;
    Ok(format!("{date} {clock} +0000 UTC"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// The cases stand in Prometheus's documentation and its tests.
    #[test]
    fn numbers_are_made_readable() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        for (v, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.12, "120m"),
            (1000.0, "1k"),
            (-1500.0, "-1.5k"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (1e-7, "100n"),
        ] {
            check(decimal(v), expected);
        }
        for (v, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (1_048_576.0, "1Mi"),
            (0.12, "0.12"),
            (1e3, "1000"),
            (-2048.0, "-2ki"),
        ] {
            check(binary(v), expected);
        }
        for (v, expected) in [
            (0.0, "0s"),
            (1.0, "1s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (86_400.0 + 3600.0, "1d 1h 0m 0s"),
            (-(86_400.0 * 2.0 + 3600.0 * 3.0 + 60.0 * 4.0 + 5.0), "-2d 3h 4m 5s"),
            (0.1, "100ms"),
            (0.0001, "100us"),
            (0.12345, "123.5ms"),
            (1.2345, "1.234s"),
            (12.345, "12.35s"),
            (899.99, "14m 59s"),
        ] {
            check(duration(v), expected);
        }
        for (v, expected) in [(-1.0, "-100%"), (0.0, "0%"), (0.123_456_7, "12.35%"), (1.0, "100%")]
        {
            check(percentage(v), expected);
        }
        check(timestamp(1_435_065_584.128).unwrap(), "2015-06-23 13:19:44.128 +0000 UTC");
        check(timestamp(0.0).unwrap(), "1970-01-01 00:00:00 +0000 UTC");
        assert!(timestamp(1e300).is_err());
    }
}
