//! Beside found log records: how many came when, and what they have in common, each leading to the narrower search.
//!
//! `traces` counts; `logs` puts it into the page.

use crate::figures::{clock, date_time, duration};
use crate::logs::query;
use crate::{LogFilters, LogSearchView};
use traces::log_histogram;

/// Sections of the histogram at most.
const BUCKETS_MAX: i64 = 60;
/// A time that was asked for is drawn whole unless it is so many times as long as that with records.
const EMPTY_MAX: i64 = 50;
/// Lengths of a section that read well, seconds.
const STEPS_S: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400, 604_800];
/// Attributes that are offered.
const KEYS_MAX: usize = 6;
/// Values of one of them that are offered; the others are counted.
const VALUES_MAX: usize = 6;
/// Severities from the worst on, with their class among the counts.
const SEVERITIES: [(&str, usize); 6] =
    [("fatal", 6), ("error", 5), ("warn", 4), ("info", 3), ("debug", 2), ("trace", 1)];

/// How many records came when.
pub(crate) struct Histogram {
    pub(crate) bars: Vec<Bar>,
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) highest: usize,
    pub(crate) step: String,
}

/// The records of a section: places are in percent of the drawing.
pub(crate) struct Bar {
    pub(crate) href: String,
    pub(crate) words: String,
    pub(crate) x: String,
    pub(crate) width: String,
    /// Height and distance from the top, of errors, warnings and the others.
    pub(crate) parts: Vec<(&'static str, String, String)>,
}

/// Values to choose from.
pub(crate) struct Facet {
    pub(crate) title: String,
    pub(crate) values: Vec<Choice>,
    pub(crate) others: usize,
}

/// A value; choosing it again takes it back.
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) count: usize,
    pub(crate) share: String,
    pub(crate) chosen: bool,
    pub(crate) href: String,
}

/// `None` without records.
pub(crate) fn histogram(root: &str, view: &LogSearchView, now_ms: i64) -> Option<Histogram> {
    let moments = || view.counted.iter().map(|record| record.moment_ns().div_euclid(1_000_000));
    let (first, last) = (moments().min()?, moments().max()?);
    let to = view.to_ms.unwrap_or(now_ms).max(last);
    // What was asked for, unless next to nothing of it has records.
    let asked = view.from_ms.filter(|_| view.more_than.is_none());
    let asked = asked.filter(|from| to - from <= EMPTY_MAX * (to - first).max(1_000));
    let from = asked.unwrap_or(first).min(first);
    let fits = |step: &&i64| (to - from) / (**step * 1000) < BUCKETS_MAX;
    let step_ms = match STEPS_S.iter().find(fits) {
        Some(step) => step * 1000,
        None => (to - from) / BUCKETS_MAX + 1,
    };
    let from_ms = from - from.rem_euclid(step_ms);
    let buckets =
        usize::try_from((to - from_ms) / step_ms + 1).ok()?.min(10 * BUCKETS_MAX as usize);
    let counts = log_histogram(&view.counted, from_ms, step_ms, buckets);
    let highest = counts.iter().map(|count| count.iter().sum::<usize>()).max()?.max(1);
    let to_ms = from_ms + step_ms * buckets as i64;
    let place = |nth: usize| nth as f64 / buckets as f64 * 100.0;
    let bar = |(nth, [fine, warn, bad]): (usize, &[usize; 3])| {
        let begin = from_ms + step_ms * nth as i64;
        let filters = LogFilters {
            from: Some(stamp(begin)),
            to: Some(stamp(begin + step_ms)),
            tail: false,
            ..view.filters.clone()
        };
        let mut above = 100.0;
        let part = |(class, count): (&'static str, usize)| {
            let height = count as f64 / highest as f64 * 100.0;
            above -= height;
            (class, format!("{height:.2}"), format!("{above:.2}"))
        };
        let parts = [("bad", *bad), ("warn", *warn), ("fine", *fine)].into_iter();
        Bar {
            href: format!("{root}live/logs{}", query(&filters, &[])),
            words: format!("{}: {bad} errors, {warn} warnings, {fine} others", clock(begin)),
            x: format!("{:.2}", place(nth)),
            width: format!("{:.2}", 100.0 / buckets as f64),
            parts: parts.filter(|(_, count)| *count > 0).map(part).collect(),
        }
    };
    let filled = counts.iter().enumerate().filter(|(_, count)| count.iter().any(|n| *n > 0));
    let long = to_ms - from_ms > 86_400_000;
    Some(Histogram {
        bars: filled.map(bar).collect(),
        columns: (0..=4)
            .map(|nth| {
                let at = from_ms + (to_ms - from_ms) * nth / 4;
                let text = if long { date_time(at) } else { clock(at) };
                ((nth * 25).to_string(), text.trim_end_matches(" UTC").to_owned())
            })
            .collect(),
        from_ms,
        to_ms,
        highest,
        step: duration(step_ms as f64 / 1000.0),
    })
}

/// As it stands in the address.
fn stamp(ms: i64) -> String {
    date_time(ms).trim_end_matches(" UTC").replace(' ', "T") + "Z"
}

pub(crate) fn facets(root: &str, view: &LogSearchView) -> Vec<Facet> {
    let (filters, counts) = (&view.filters, &view.counts);
    let most = counts.records.max(1);
    let choice = |name: &str, count: usize, chosen: bool, narrowed: LogFilters| Choice {
        name: name.to_owned(),
        count,
        share: format!("{:.1}", count as f64 / most as f64 * 100.0),
        chosen,
        href: format!("{root}live/logs{}", query(&narrowed, &[])),
    };
    let service = |(name, count): &(String, usize)| {
        let chosen = filters.service.as_ref() == Some(name);
        let service = (!chosen).then(|| name.clone());
        choice(name, *count, chosen, LogFilters { service, ..filters.clone() })
    };
    let severity = |(name, class): &(&str, usize)| {
        let is_it = |chosen: &String| chosen.eq_ignore_ascii_case(name);
        let chosen = filters.severity.as_ref().is_some_and(is_it);
        let count = counts.severities[*class];
        let severity = (!chosen).then(|| (*name).to_owned());
        let shown = count > 0 || chosen;
        shown.then(|| choice(name, count, chosen, LogFilters { severity, ..filters.clone() }))
    };
    let mut facets = vec![
        Facet {
            title: "Severity, and above".to_owned(),
            values: SEVERITIES.iter().filter_map(severity).collect(),
            others: 0,
        },
        Facet {
            title: "Service".to_owned(),
            values: counts.services.iter().take(VALUES_MAX).map(service).collect(),
            others: counts.services.len().saturating_sub(VALUES_MAX),
        },
    ];
    let attributes = counts.attributes.iter().filter(|(key, values)| {
        values.len() > 1 || values.iter().any(|(value, _)| has(&filters.text, &term(key, value)))
    });
    facets.extend(attributes.take(KEYS_MAX).map(|(key, values)| {
        Facet {
            title: key.clone(),
            others: values.len().saturating_sub(VALUES_MAX),
            values: values
                .iter()
                .take(VALUES_MAX)
                .map(|(value, count)| {
                    let term = term(key, value);
                    let chosen = has(&filters.text, &term);
                    let text = if chosen {
                        without(&filters.text, &term)
                    } else {
                        format!("{} {term}", filters.text.trim()).trim().to_owned()
                    };
                    choice(value, *count, chosen, LogFilters { text, ..filters.clone() })
                })
                .collect(),
        }
    }));
    facets.retain(|facet| !facet.values.is_empty());
    facets
}

/// What finds a value, as it stands among the words.
fn term(key: &str, value: &str) -> String {
    if value.is_empty() || value.contains(char::is_whitespace) {
        format!("{key}=\"{value}\"")
    } else {
        format!("{key}={value}")
    }
}

/// Whether the term stands among the words, from one blank to the next.
fn place(text: &str, term: &str) -> Option<usize> {
    let blank = |letter: Option<char>| letter.is_none_or(char::is_whitespace);
    text.match_indices(term).map(|(at, _)| at).find(|at| {
        blank(text[..*at].chars().next_back()) && blank(text[at + term.len()..].chars().next())
    })
}

fn has(text: &str, term: &str) -> bool {
    place(text, term).is_some()
}

fn without(text: &str, term: &str) -> String {
    let Some(at) = place(text, term) else { return text.to_owned() };
    let (before, after) = (text[..at].trim_end(), text[at + term.len()..].trim_start());
    format!("{before} {after}").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_added_and_taken_back() {
        assert_eq!(term("http.route", "/pay"), "http.route=/pay");
        assert_eq!(term("note", "two words"), "note=\"two words\"");
        for (text, term, rest) in [
            ("a=1", "a=1", Some("")),
            ("card a=1 -x", "a=1", Some("card -x")),
            ("a=12", "a=1", None),
            ("-a=1", "a=1", None),
            ("aa=1 a=1", "a=1", Some("aa=1")),
            ("x n=\"two words\" y", "n=\"two words\"", Some("x y")),
        ] {
            assert_eq!(has(text, term), rest.is_some(), "{text}");
            assert_eq!(without(text, term), rest.unwrap_or(text), "{text}");
        }
    }
}
