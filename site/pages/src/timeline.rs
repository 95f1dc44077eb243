//! What happened, in lanes over time and as a list: part of `/live/alerts`.
//!
//! `loggia` hands in what it found; each thing leads to its alert, its service or the page of drift.

use crate::figures::{clock, date_time, duration};
use crate::frame::service_href;
use crate::overlay::encode;
use evidence::{Alerts, Happening, HappeningKind};
use std::collections::BTreeMap;

/// Lanes at most, those of what happened last; the list has the others.
const LANES_MAX: usize = 14;
/// Parts that the time axis is divided into.
const COLUMNS: i64 = 4;
/// A bar is never narrower than this, in percent.
const WIDTH_MIN: f64 = 0.6;
/// Ranges that are offered.
const RANGES: [(&str, i64); 4] =
    [("1h", 3_600_000), ("6h", 21_600_000), ("1d", 86_400_000), ("7d", 604_800_000)];

/// What happened between two times.
#[derive(Debug, Clone, Default)]
pub struct TimelineView {
    /// Newest first.
    pub happenings: Vec<Happening>,
    /// Milliseconds since 1970.
    pub from: i64,
    /// Milliseconds since 1970.
    pub to: i64,
    /// Older things that were left out.
    pub left_out: usize,
    /// Why some may be missing, in a sentence.
    pub problem: Option<String>,
    /// The end is not the present: it was asked for.
    pub chosen: bool,
}

/// The view as the template shows it.
pub(crate) struct Timeline {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) words: String,
    pub(crate) ranges: Vec<(&'static str, bool)>,
    pub(crate) columns: Vec<(i64, String)>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) other_lanes: usize,
    pub(crate) entries: Vec<Entry>,
    pub(crate) left_out: usize,
    pub(crate) problem: Option<String>,
}

/// All that happened to one subject.
pub(crate) struct Lane {
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) marks: Vec<Mark>,
}

pub(crate) struct Mark {
    pub(crate) entry: usize,
    pub(crate) start: String,
    pub(crate) width: String,
    pub(crate) moment: bool,
    pub(crate) lasting: bool,
    pub(crate) words: String,
}

pub(crate) struct Entry {
    pub(crate) clock: String,
    pub(crate) date: String,
    pub(crate) ms: i64,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    pub(crate) subject: String,
    pub(crate) words: String,
    pub(crate) lasted: String,
    pub(crate) links: Vec<(String, String)>,
}

pub(crate) fn timeline(
    root: &str,
    view: &TimelineView,
    alerts: &Alerts,
    anchor: impl Fn(&str) -> Option<String>,
) -> Timeline {
    let length = (view.to - view.from).max(1);
    let long = length > 86_400_000;
    let time = |ms: i64| {
        let text = if long { date_time(ms) } else { clock(ms) };
        text.trim_end_matches(" UTC").to_owned()
    };
    let mut lanes: Vec<Lane> = Vec::new();
    let mut places: BTreeMap<(HappeningKind, &str), usize> = BTreeMap::new();
    for (nth, one) in view.happenings.iter().enumerate() {
        let lane = *places.entry((one.kind, &one.subject)).or_insert_with(|| {
            lanes.push(Lane {
                kind: one.kind.word(),
                subject: one.subject.clone(),
                marks: Vec::new(),
            });
            lanes.len() - 1
        });
        lanes[lane].marks.push(mark(view, nth, one, length));
    }
    let other_lanes = lanes.len().saturating_sub(LANES_MAX);
    lanes.truncate(LANES_MAX);
    lanes.sort_by_key(|lane| lane.kind);
    Timeline {
        from_ms: view.from,
        to_ms: view.to,
        words: format!(
            "{} to {}",
            date_time(view.from).trim_end_matches(" UTC"),
            date_time(view.to)
        ),
        ranges: RANGES.map(|(words, ms)| (words, (length - ms).abs() < 2_000)).into(),
        columns: (0..=COLUMNS)
            .map(|nth| (nth * 100 / COLUMNS, time(view.from + length * nth / COLUMNS)))
            .collect(),
        lanes,
        other_lanes,
        entries: view
            .happenings
            .iter()
            .map(|one| entry(root, one, view, alerts, &anchor))
            .collect(),
        left_out: view.left_out,
        problem: view.problem.clone(),
    }
}

fn mark(view: &TimelineView, entry: usize, one: &Happening, length: i64) -> Mark {
    let at = |ms: i64| (ms.clamp(view.from, view.to) - view.from) as f64 / length as f64 * 100.0;
    let (start, end) = (at(one.at), at(one.until.unwrap_or(view.to)));
    Mark {
        entry,
        start: format!("{:.2}", start.min(100.0 - WIDTH_MIN)),
        width: format!("{:.2}", (end - start).max(WIDTH_MIN)),
        moment: one.until == Some(one.at),
        lasting: one.until.is_none(),
        words: format!(
            "{} {} {}, {} UTC{}",
            one.kind.word(),
            one.subject,
            one.words,
            clock(one.at),
            lasted(one, view)
        ),
    }
}

fn lasted(one: &Happening, view: &TimelineView) -> String {
    let seconds = |end: i64| duration((end - one.at).max(0) as f64 / 1000.0);
    match one.until {
        None if view.chosen => format!(", for {} until the end of this time", seconds(view.to)),
        None => format!(", for {} until now", seconds(view.to)),
        Some(until) if until == one.at => String::new(),
        Some(until) => format!(", for {}", seconds(until)),
    }
}

fn entry(
    root: &str,
    one: &Happening,
    view: &TimelineView,
    alerts: &Alerts,
    anchor: &impl Fn(&str) -> Option<String>,
) -> Entry {
    let mut links = Vec::new();
    match one.kind {
        HappeningKind::Alert => {
            if let Some(anchor) = anchor(&one.about) {
                links.push((
                    "its rule".to_owned(),
                    format!("{root}live/alerts#{}", encode(&anchor)),
                ));
            }
            let query = alerts.rules.iter().find(|rule| rule.name == one.about);
            links.extend(query.map(|rule| {
                let to = format!("{root}live/explore?query={}", encode(&rule.query));
                ("its query".to_owned(), to)
            }));
        }
        HappeningKind::Drift => {
            links.push(("drift".to_owned(), format!("{root}live/drift#{}", encode(&one.about))));
        }
        _ => {}
    }
    if let Some(service) = &one.service {
        links.push((format!("service {}", service.0), service_href(root, &service.0)));
        let around = format!(
            "from={}&to={}",
            one.at - 60_000,
            one.until.unwrap_or(view.to).min(view.to).max(one.at + 60_000).min(view.to)
        );
        let service = encode(&service.0);
        links.push(("logs then".to_owned(), format!("{root}live/logs?service={service}&{around}")));
        links.push((
            "traces then".to_owned(),
            format!("{root}live/traces?service={service}&{around}"),
        ));
    }
    Entry {
        clock: clock(one.at),
        date: date_time(one.at),
        ms: one.at,
        kind: one.kind.word(),
        state: match (one.kind, one.until) {
            (HappeningKind::Alert | HappeningKind::Down, None) => "down",
            (HappeningKind::Drift | HappeningKind::Restart, _) => "degraded",
            (HappeningKind::Deploy, _) => "no-data",
            (_, Some(_)) => "healthy",
        },
        subject: one.subject.clone(),
        words: one.words.clone(),
        lasted: lasted(one, view).trim_start_matches(", ").to_owned(),
        links,
    }
}
