//! The `chart` fence: what a page shows over time.
//!
//! `fences` hands in the text; `loggia` asks for the lines, and `pages` draws them.

use crate::{ChartLine, ChartOptions, ChartStyle, frontmatter};
use serde::Deserialize;

/// Lines of one chart.
const LINES_MAX: usize = 8;
/// The longest range, seconds: a year.
const RANGE_MAX_S: u64 = 366 * 86_400;
/// Units of time that a range or a threshold may have, in seconds.
const TIMES: [(&str, f64); 6] =
    [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

/// The block as the author wrote it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    series: Vec<WrittenLine>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    range: Option<Amount>,
    #[serde(default)]
    threshold: Option<Amount>,
    #[serde(default, rename = "type")]
    style: ChartStyle,
    #[serde(default)]
    service: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    #[serde(default)]
    name: Option<String>,
    query: String,
}

/// A number, or one with a unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Number(f64),
    Words(String),
}

/// The text of the fence: what is shown, and the name of the service that it is about. The error is a
/// message and the byte of the fault.
pub(crate) fn parse(source: &str) -> Result<(ChartOptions, Option<String>), (String, usize)> {
    if source.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Err(("there is no query in it".to_owned(), 0));
    }
    let written: Written =
        serde_saphyr::from_str(source).map_err(|error| frontmatter::yaml_place(&error, source))?;
    let at = |key: &str, message: String| (message, place(source, key));
    let lines = match (written.query, written.series.len()) {
        (Some(_), 1..) => {
            return Err(at("query", "`query` and `series` both say what is shown".to_owned()));
        }
        (None, 0) => return Err(("neither `query` nor `series` says what is shown".to_owned(), 0)),
        (None, count) if count > LINES_MAX => {
            return Err(at(
                "series",
                format!("`{count}` lines in one chart, more than {LINES_MAX}"),
            ));
        }
        (Some(query), _) => vec![ChartLine { name: String::new(), query }],
        (None, _) => written
            .series
            .into_iter()
            .map(|line| ChartLine { name: line.name.unwrap_or_default(), query: line.query })
            .collect(),
    };
    if lines.iter().any(|line| line.query.trim().is_empty()) {
        return Err(at("query", "a query is empty".to_owned()));
    }
    let range_s = written.range.map(|range| {
        let seconds = range.seconds().filter(|s| (1.0..=RANGE_MAX_S as f64).contains(s));
        let wrong =
            || at("range", format!("`{}` is no range such as `15m`, `6h` or `7d`", range.words()));
        seconds.map(|s| s as u32).ok_or_else(wrong)
    });
    let threshold = written.threshold.map(|bound| {
        let wrong =
            || at("threshold", format!("`{}` is no number, time or percentage", bound.words()));
        bound.base().filter(|bound| bound.is_finite()).ok_or_else(wrong)
    });
    let options = ChartOptions {
        title: written.title,
        lines,
        unit: written.unit.unwrap_or_default(),
        range_s: range_s.transpose()?,
        threshold: threshold.transpose()?,
        style: written.style,
    };
    Ok((options, written.service))
}

impl Amount {
    fn words(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Words(words) => words.clone(),
        }
    }

    /// A bare number is seconds.
    fn seconds(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Words(words) => with_unit(words, &TIMES),
        }
    }

    /// In the base unit: seconds, a share of 1, or the number itself.
    fn base(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Words(words) => words
                .parse()
                .ok()
                .or_else(|| with_unit(words, &TIMES))
                .or_else(|| with_unit(words, &[("%", 0.01)])),
        }
    }
}

fn with_unit(words: &str, units: &[(&str, f64)]) -> Option<f64> {
    let words = words.trim();
    let split = words.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = words.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    Some(number.parse::<f64>().ok()? * factor)
}

/// Where a key of the mapping stands.
fn place(source: &str, key: &str) -> usize {
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let word = line.trim_start_matches([' ', '-']);
        if word.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':')) {
            return at + line.len() - word.len();
        }
        at += line.len();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_read() {
        let (chart, service) = parse(
            "title: Orders\nseries:\n  - name: p95\n    query: a{b=\"c\"}\n  - query: d\nunit: s\nrange: 6h\nthreshold: 500 ms\ntype: area\nservice: orders\n",
        )
        .expect("it is right");
        assert_eq!(service.as_deref(), Some("orders"));
        assert_eq!((chart.range_s, chart.threshold), (Some(21_600), Some(0.5)));
        assert_eq!(chart.style, ChartStyle::Area);
        let lines: Vec<_> =
            chart.lines.iter().map(|l| (l.name.as_str(), l.query.as_str())).collect();
        assert_eq!(lines, [("p95", "a{b=\"c\"}"), ("", "d")]);
        for (text, expected) in [("0.5", 0.5), ("5%", 0.05), ("\"2\"", 2.0), ("1 min", 60.0)] {
            let (chart, _) = parse(&format!("query: a\nthreshold: {text}\n")).expect(text);
            assert_eq!(chart.threshold, Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, words, at) in [
            ("# nothing\n", "no query", 0),
            ("title: A\n", "neither `query` nor `series`", 0),
            ("title: A\nquery: a\nseries: [{query: b}]\n", "both", 9),
            ("query: a\ncolour: red\n", "colour", 9),
            ("query: a\ntype: pie\n", "pie", 15),
            ("query: a\nrange: long\n", "`long` is no range", 9),
            ("query: a\nrange: 2000d\n", "`2000d` is no range", 9),
            ("query: a\nthreshold: much\n", "`much` is no number", 9),
            ("query: \"\"\n", "a query is empty", 0),
            ("series: [{name: a}]\n", "query", 10),
        ] {
            let (message, place) = parse(text).expect_err(text);
            assert!(message.contains(words), "{text}: {message}");
            assert_eq!(place, at, "{text}: {message}");
        }
    }
}
