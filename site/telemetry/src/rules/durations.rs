//! Durations as Prometheus writes them: `1h30m`.
//!
//! Rule files, templates and the API of rules use them.

/// Units with their milliseconds, the longest first.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds of `5m`, `1h30m`, `0`; units from the longest to the shortest.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("not a valid duration string: {text:?}");
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let (mut rest, mut total, mut from) = (text, 0i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = &rest[digits..digits + letters];
        let at = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .filter(|at| *at >= from)
            .ok_or_else(wrong)?;
        let part =
            number.checked_mul(UNITS[at].1).ok_or_else(|| "duration out of range".to_owned())?;
        total = total.checked_add(part).ok_or_else(|| "duration out of range".to_owned())?;
        (rest, from) = (&rest[digits + letters..], at + 1);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("0", 0),
            ("90s", 90_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("8d", 691_200_000),
            ("1y", 31_536_000_000),
            ("250ms", 250),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
        for text in ["", "5", "1s1m", "1m1m", "m", "-5m", "5 m", "1.5h", "99999999999999y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
