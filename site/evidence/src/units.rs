//! Units in words to base units. `claim` reads them behind numbers, `kpis` reads `unit` of a KPI.

/// What a number counts, in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Ratio,
    PerSecond,
    Bytes,
    Count,
}

impl Unit {
    /// As [`crate::KpiEvidence::unit`] writes it.
    pub(crate) fn base(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::Ratio => "ratio",
            Unit::PerSecond => "1/s",
            Unit::Bytes => "bytes",
            Unit::Count => "",
        }
    }
}

/// A unit at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantity<'a> {
    pub(crate) unit: Unit,
    /// Base units in one of it.
    pub(crate) factor: f64,
    /// What follows the unit.
    pub(crate) rest: &'a str,
}

/// Names of units in lower case, what they count, base units in one.
const UNITS: &[(&[&str], Unit, f64)] = &[
    (&["ns", "nanosecond", "nanoseconds"], Unit::Seconds, 1e-9),
    (&["us", "µs", "μs", "microsecond", "microseconds"], Unit::Seconds, 1e-6),
    (&["ms", "msec", "millis", "millisecond", "milliseconds"], Unit::Seconds, 1e-3),
    (&["s", "sec", "secs", "second", "seconds"], Unit::Seconds, 1.0),
    (&["min", "mins", "minute", "minutes"], Unit::Seconds, 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], Unit::Seconds, 3600.0),
    (&["d", "day", "days"], Unit::Seconds, 86_400.0),
    (&["%", "percent"], Unit::Ratio, 0.01),
    (&["ratio"], Unit::Ratio, 1.0),
    (&["rps", "tps", "qps", "ops", "hz"], Unit::PerSecond, 1.0),
    (&["rpm"], Unit::PerSecond, 1.0 / 60.0),
    (&["byte", "bytes"], Unit::Bytes, 1.0),
    (&["kb"], Unit::Bytes, 1e3),
    (&["mb"], Unit::Bytes, 1e6),
    (&["gb"], Unit::Bytes, 1e9),
    (&["tb"], Unit::Bytes, 1e12),
    (&["kib"], Unit::Bytes, 1024.0),
    (&["mib"], Unit::Bytes, 1_048_576.0),
    (&["gib"], Unit::Bytes, 1_073_741_824.0),
    (&["tib"], Unit::Bytes, 1_099_511_627_776.0),
];

/// What stands between a thing and a span of time, and that span in seconds.
const PER: &[(&str, f64)] = &[
    ("second", 1.0),
    ("sec", 1.0),
    ("s", 1.0),
    ("minute", 60.0),
    ("min", 60.0),
    ("m", 60.0),
    ("hour", 3600.0),
    ("h", 3600.0),
    ("day", 86_400.0),
    ("d", 86_400.0),
];

/// Reads a unit in lower case; a word that is none counts things of that name. `None` for what makes
/// the number before it something else, as the `x` of `10x`.
pub(crate) fn read_unit(text: &str) -> Option<Quantity<'_>> {
    let glued = !text.starts_with(char::is_whitespace);
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('%') {
        return Some(Quantity { unit: Unit::Ratio, factor: 0.01, rest });
    }
    let (word, rest) = take_word(text);
    if let Some(per) = read_per(rest) {
        // Bytes a second and the like are no unit that figures here have.
        return unit_named(word).is_none().then_some(per);
    }
    if let Some((unit, factor)) = unit_named(word) {
        return Some(Quantity { unit, factor, rest });
    }
    // `10x`, `5th`, `3rds`: a word glued to a number is part of it.
    if glued && !word.is_empty() {
        return None;
    }
    Some(Quantity { unit: Unit::Count, factor: 1.0, rest })
}

/// The base unit and the factor of a KPI's `unit`; free text is `None`.
pub(crate) fn named_unit(text: &str) -> Option<(Unit, f64)> {
    let text = text.trim().to_lowercase();
    if text == "1/s" {
        return Some((Unit::PerSecond, 1.0));
    }
    if text == "b" {
        return Some((Unit::Bytes, 1.0));
    }
    if text == "%" {
        return Some((Unit::Ratio, 0.01));
    }
    if let Some(known) = unit_named(&text) {
        return Some(known);
    }
    let (_, rest) = take_word(&text);
    let per = read_per(rest).filter(|per| per.rest.trim().is_empty())?;
    Some((per.unit, per.factor))
}

fn unit_named(word: &str) -> Option<(Unit, f64)> {
    let found = UNITS.iter().find(|(names, ..)| names.contains(&word));
    found.map(|(_, unit, factor)| (*unit, *factor))
}

/// `/s`, `/ min`, `per second`, and what follows.
fn read_per(text: &str) -> Option<Quantity<'_>> {
    let text = text.trim_start();
    let after = text.strip_prefix('/').or_else(|| text.strip_prefix("per "))?;
    let (word, rest) = take_word(after.trim_start());
    let (_, seconds) = PER.iter().find(|(name, _)| *name == word)?;
    Some(Quantity { unit: Unit::PerSecond, factor: 1.0 / seconds, rest })
}

fn take_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    text.split_at(end)
}
