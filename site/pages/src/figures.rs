//! Numbers to text: three significant digits, the unit beside them, and the seven states that a
//! figure can be in. Nothing else in the product formats a measured value.

use crate::Cell;
use evidence::{Figure, Health, Verdict};

/// A number and its unit, apart so that both can be set in different sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) number: String,
    pub(crate) unit: String,
}

impl Amount {
    fn new(number: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { number: number.into(), unit: unit.into() }
    }

    /// `412/s`, `38 ms`, `0.02 %`.
    pub(crate) fn text(&self) -> String {
        match self.unit.as_str() {
            "" => self.number.clone(),
            unit if unit.starts_with('/') => format!("{}{unit}", self.number),
            unit => format!("{} {unit}", self.number),
        }
    }
}

/// A value in the base unit `s`, `ratio`, `1/s`, `bytes`, a count or free text.
pub(crate) fn amount(value: f64, unit: &str) -> Amount {
    if value.is_infinite() {
        let sign = if value < 0.0 { "−∞" } else { "∞" };
        return Amount::new(sign, "");
    }
    match unit {
        "s" | "seconds" => scaled(
            value,
            &[
                ("ns", 1e-9),
                ("µs", 1e-6),
                ("ms", 1e-3),
                ("s", 1.0),
                ("min", 60.0),
                ("h", 3600.0),
                ("d", 86_400.0),
            ],
            3,
        ),
        "bytes" => scaled(
            value,
            &[
                ("B", 1.0),
                // Powers of 1000, as claims say them ("< 300 MB").
                ("kB", 1e3),
                ("MB", 1e6),
                ("GB", 1e9),
                ("TB", 1e12),
            ],
            0,
        ),
        "ratio" => percent(value),
        "1/s" if value > 0.0 && value < 0.1 => Amount::new(number(value * 60.0), "/min"),
        "1/s" => Amount::new(number(value), "/s"),
        other => Amount::new(number(value), other),
    }
}

/// A span of time in seconds as `12 s`, `4.2 min`.
pub(crate) fn duration(seconds: f64) -> String {
    amount(seconds, "s").text()
}

/// Three significant digits: `0.0213`, `1.4`, `412`, `1,240`, `12.4k`, `1.2M`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let rounded = round3(size);
    let text = match rounded {
        0.0 => "0".to_owned(),
        r if r < 1e-6 => "< 0.000001".to_owned(),
        r if r < 1_000.0 => digits3(size),
        _ if size < 9_999.5 => thousands(size),
        r if r < 1e6 => format!("{}k", digits3(size / 1e3)),
        r if r < 1e9 => format!("{}M", digits3(size / 1e6)),
        _ => format!("{}G", digits3(size / 1e9)),
    };
    if value < 0.0 && text != "0" { format!("−{text}") } else { text }
}

fn thousands(size: f64) -> String {
    let whole = format!("{size:.0}");
    let (head, tail) = whole.split_at(whole.len().saturating_sub(3));
    format!("{head},{tail}")
}

/// Chooses the largest unit that leaves at least one before the point; `base` is the index of the
/// unit used for zero.
fn scaled(value: f64, units: &[(&'static str, f64)], base: usize) -> Amount {
    let size = value.abs();
    if size == 0.0 {
        return Amount::new("0", if units[base].0 == "s" { "ms" } else { units[base].0 });
    }
    let fits = |scale: f64| round3(size / scale) >= 1.0;
    let &(unit, scale) = units.iter().rev().find(|(_, scale)| fits(*scale)).unwrap_or(&units[0]);
    let text = number(size / scale);
    Amount::new(if value < 0.0 { format!("−{text}") } else { text }, unit)
}

/// Percent; near a hundred with as many digits as it takes to tell it from a hundred.
fn percent(ratio: f64) -> Amount {
    let value = ratio * 100.0;
    let missing = 100.0 - value;
    let text = if missing > 0.0 && missing < 1.0 {
        let decimals = (1.0 - missing.log10().floor()).clamp(1.0, 5.0) as usize;
        let text = trim_zeros(format!("{value:.decimals$}"));
        if text == "100" { "> 99.999".to_owned() } else { text }
    } else if value > 0.0 && value < 0.001 {
        "< 0.001".to_owned()
    } else {
        number(value)
    };
    Amount::new(text, "%")
}

fn round3(size: f64) -> f64 {
    if size == 0.0 || !size.is_finite() {
        return size;
    }
    let scale = 10f64.powf(2.0 - size.log10().floor());
    (size * scale).round() / scale
}

fn digits3(size: f64) -> String {
    let rounded = round3(size);
    let decimals = (2.0 - rounded.log10().floor()).clamp(0.0, 9.0) as usize;
    trim_zeros(format!("{rounded:.decimals$}"))
}

fn trim_zeros(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A figure as number, unit, state and an explanation.
pub(crate) struct Shown {
    pub(crate) amount: Amount,
    pub(crate) state: &'static str,
    pub(crate) why: Option<String>,
}

/// The seven states: value, zero, no traffic, no data, stale, query error, loading.
pub(crate) fn show(figure: &Figure, unit: &str) -> Shown {
    let words = |text: &str, state, why: &str| Shown {
        amount: Amount::new(text, ""),
        state,
        why: Some(why.to_owned()),
    };
    match figure {
        Figure::Value(value) if value.is_nan() => {
            words("no data", "no-data", "the query gave no number")
        }
        Figure::Value(value) => {
            let state = if *value == 0.0 { "zero" } else { "value" };
            Shown { amount: amount(*value, unit), state, why: None }
        }
        Figure::NoTraffic => {
            words("no traffic", "no-traffic", "it is measured, and no request came in")
        }
        Figure::NoData => words("no data", "no-data", "nothing measures it"),
        Figure::Stale(value, age) => Shown {
            amount: amount(*value, unit),
            state: "stale",
            why: Some(format!("last measured {} ago", duration(f64::from(*age)))),
        },
        Figure::QueryError(message) => words("query error", "query-error", message),
        Figure::Loading => words("loading", "loading", "not asked yet"),
    }
}

/// A figure in running text; a stale one with its age.
pub(crate) fn figure_cell(figure: &Figure, unit: &str) -> Cell {
    let shown = show(figure, unit);
    let mut text = shown.amount.text();
    if let Figure::Stale(_, age) = figure {
        text = format!("{text}, {} old", duration(f64::from(*age)));
    }
    cell(text, shown.state, shown.why.unwrap_or_default())
}

/// A figure where only some eight characters have room: a stale one says its age alone.
pub(crate) fn short_figure_cell(figure: &Figure, unit: &str) -> Cell {
    let shown = show(figure, unit);
    let text = match figure {
        Figure::Stale(_, age) => format!("stale {}", duration(f64::from(*age))),
        Figure::QueryError(_) => "error".to_owned(),
        _ => shown.amount.text(),
    };
    cell(text, shown.state, String::new())
}

/// Text, state and explanation; an empty explanation takes away an earlier one.
pub(crate) fn cell(text: impl Into<String>, state: &str, why: impl Into<String>) -> Cell {
    Cell { t: Some(text.into()), s: Some(state.to_owned()), h: Some(why.into()), ..Cell::default() }
}

/// Word that stands for a health, hidden beside the dot's shape.
pub(crate) fn health_word(health: Health) -> &'static str {
    match health {
        Health::NoData => "no data",
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Down => "down",
    }
}

/// `data-state` of a health.
pub(crate) fn health_state(health: Health) -> &'static str {
    match health {
        Health::NoData => "no-data",
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Down => "down",
    }
}

/// Word and `data-state` of a verdict.
pub(crate) fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Holds => ("holds", "holds"),
        Verdict::AtRisk => ("at risk", "at-risk"),
        Verdict::Violated => ("violated", "violated"),
        Verdict::Unproven => ("unproven", "unproven"),
        Verdict::NoData => ("no data", "no-data"),
        Verdict::Stale => ("stale", "stale"),
    }
}

/// `14:12:08` in UTC.
pub(crate) fn clock(ms: i64) -> String {
    stamp(ms, "%H:%M:%S")
}

/// `as of 14:12 UTC`.
pub(crate) fn as_of(ms: i64) -> String {
    stamp(ms, "as of %H:%M UTC")
}

/// `2026-11-21 14:12:08 UTC`, of milliseconds since 1970.
pub fn date_time(ms: i64) -> String {
    stamp(ms, "%Y-%m-%d %H:%M:%S UTC")
}

/// A time in UTC.
pub(crate) fn stamp(ms: i64, format: &str) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "unknown time".to_owned(), |at| at.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (value, unit, expected) in [
            (412.3, "1/s", "412/s"),
            (0.0, "1/s", "0/s"),
            (0.05, "1/s", "3/min"),
            (1239.6, "1/s", "1,240/s"),
            (9999.6, "1/s", "10k/s"),
            (12_417.0, "1/s", "12.4k/s"),
            (0.0382, "s", "38.2 ms"),
            (0.038, "s", "38 ms"),
            (0.0, "s", "0 ms"),
            (0.999_6, "s", "1 s"),
            (0.000_412, "s", "412 µs"),
            (2.8, "s", "2.8 s"),
            (258.0, "s", "4.3 min"),
            (0.000_2, "ratio", "0.02 %"),
            (0.000_000_1, "ratio", "< 0.001 %"),
            (0.0, "ratio", "0 %"),
            (0.99996, "ratio", "99.996 %"),
            (0.9999, "ratio", "99.99 %"),
            (0.999_999_999, "ratio", "> 99.999 %"),
            (1.0, "ratio", "100 %"),
            (0.014, "ratio", "1.4 %"),
            (1_500_000.0, "bytes", "1.5 MB"),
            (1_200.0, "", "1,200"),
            (1e6, "", "1M"),
            (999_600.0, "", "1M"),
            (-3.0, "", "−3"),
            (2.0, "replicas", "2 replicas"),
            (f64::INFINITY, "s", "∞"),
        ] {
            assert_eq!(amount(value, unit).text(), expected, "{value} {unit}");
        }
    }

    #[test]
    fn every_state_has_its_own_words_and_look() {
        let figures = [
            Figure::Value(0.038),
            Figure::Value(0.0),
            Figure::NoTraffic,
            Figure::NoData,
            Figure::Stale(0.038, 12),
            Figure::QueryError("parse error".to_owned()),
            Figure::Loading,
        ];
        let cells = figures.map(|figure| figure_cell(&figure, "s"));
        for (at, one) in cells.iter().enumerate() {
            for other in &cells[at + 1..] {
                assert_ne!(one.t, other.t);
                assert_ne!(one.s, other.s);
            }
        }
        assert_eq!(cells[4].t.as_deref(), Some("38 ms, 12 s old"));
        assert_eq!(figure_cell(&Figure::Value(f64::NAN), "s").s.as_deref(), Some("no-data"));
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(clock(0), "00:00:00");
        assert_eq!(date_time(1_795_269_128_000), "2026-11-21 13:52:08 UTC");
        assert_eq!(date_time(i64::MAX), "unknown time");
    }
}
