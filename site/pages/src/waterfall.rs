//! `/live/traces/ID`: a trace's spans over time, repeated ones folded, each with its details.

use crate::figures::date_time;
use crate::frame::{Frame, Place, View};
use crate::logs::{LogRow, log_rows};
use crate::minimap::{Stroke, Zoom, strokes};
use crate::overlay::encode;
use crate::palette::Palette;
use crate::problems::written;
use crate::span::{Details, details, seconds};
use crate::{Cells, Site, TraceAsk, TraceView, cells_for_services};
use askama::Template;
use evidence::Evidence;
use std::collections::BTreeMap;
use std::collections::HashSet;
use traces::{Fold, Line, Parent, Row, Trace};

/// Lines of one waterfall; a longer trace is shown in parts of so many lines.
const LINES_MAX: usize = 1_000;
/// Lines within one fold; the waterfall without folds has the others.
const FOLD_LINES_MAX: usize = 100;
/// Spans up to which the page holds the details of all; of longer traces they are fetched when opened.
const WHOLE_SPANS_MAX: usize = 300;
/// Parts that the time axis is divided into.
const TICKS: u32 = 4;
/// A bar is never narrower than this, in percent of the whole.
const BAR_MIN: f64 = 0.25;
/// A duration stands right of its bar up to this end, in percent, and left of it beyond.
const LABEL_RIGHT_MAX: f64 = 84.0;
/// A duration stands left of its bar from this start on, in percent, else inside it.
const LABEL_LEFT_MIN: f64 = 14.0;
/// Deeper spans are indented no further.
const DEPTH_MAX: usize = 12;
/// Operations in the list of where the time went.
const OWN_TIMES_MAX: usize = 8;

#[derive(Template)]
#[template(path = "trace.html")]
struct TraceTemplate<'a> {
    frame: Frame<'a>,
    id: String,
    operation: &'a str,
    service: &'a str,
    duration: String,
    spans: String,
    service_count: String,
    started: String,
    errors: usize,
    documented: Vec<(String, String)>,
    arriving: bool,
    notes: Vec<String>,
    problem: Option<&'a str>,
    legend: Vec<(&'a str, usize, usize)>,
    strokes: Vec<Stroke>,
    zoom: Zoom,
    zoomed: bool,
    find: &'a str,
    found: Option<String>,
    hits: Vec<(String, String)>,
    kept: Vec<(&'static str, String)>,
    links: Links,
    ticks: Vec<(u32, String)>,
    lines: Vec<String>,
    window: Option<Window>,
    own_times: Vec<OwnTime<'a>>,
    logs: Vec<LogRow<'a>>,
    no_logs: &'static str,
}

/// The same page, asked otherwise.
struct Links {
    whole: String,
    folded: Option<String>,
    unfolded: Option<String>,
    clocks: Option<(String, bool)>,
    no_find: String,
}

/// Which lines are shown where not all are.
struct Window {
    words: String,
    before: Option<String>,
    after: Option<String>,
}

struct OwnTime<'a> {
    colour: usize,
    service: &'a str,
    name: &'a str,
    count: usize,
    own: String,
    share: String,
}

#[derive(Template)]
#[template(path = "trace_line.html")]
struct LineTemplate<'a> {
    colour: usize,
    service: &'a str,
    name: &'a str,
    id: String,
    depth: usize,
    level: usize,
    failed: bool,
    missing: bool,
    skewed: bool,
    hit: bool,
    open: bool,
    zoom: String,
    later: Option<String>,
    bar: Option<Bar>,
    critical: Vec<(String, String)>,
    duration: String,
    details: Option<Details<'a>>,
}

#[derive(Template)]
#[template(path = "trace_fold.html")]
struct FoldTemplate<'a> {
    colour: usize,
    service: &'a str,
    name: &'a str,
    key: String,
    depth: usize,
    level: usize,
    count: usize,
    hits: usize,
    open: bool,
    zoom: String,
    bar: Option<Bar>,
    marks: Vec<(String, String)>,
    duration: String,
    lines: Vec<String>,
    hidden: usize,
    unfolded: String,
}

/// Where a bar and its words stand, in percent of what is shown.
struct Bar {
    start: String,
    width: String,
    side: &'static str,
    at: String,
}

/// `/live/traces/ID`: the waterfall, with the spans' details in it, and what services wrote down in it.
pub fn render_trace(site: &Site, view: &TraceView, evidence: Option<&Evidence>) -> String {
    let cells = evidence.map_or_else(Cells::new, |evidence| cells_for_services(site, evidence));
    let trace = view.trace;
    let root = &trace.root().span;
    let id = trace.id.to_string();
    let path = format!("live/traces/{id}");
    let place = Place {
        path: &path,
        id: "live/services",
        title: format!("{} · trace", root.name),
        view: View::Traces,
        page: None,
        service: None,
    };
    let frame = Frame::new(site, &place, evidence, &cells);
    let ask = &view.ask;
    let zoom = ask.zoom.unwrap_or(Zoom::WHOLE);
    let waterfall = Waterfall {
        view,
        root: &frame.root,
        palette: Palette::new(evidence, trace.services.keys().map(|name| &**name)),
        scale: Scale::new(trace, zoom),
        found: trace.find(&ask.find).into_iter().collect(),
        asked: ask.span.and_then(|id| trace.rows.iter().position(|row| row.span.span_id == id)),
        critical: critical(trace),
    };
    let (lines, window) = waterfall.shown();
    let places = view.documented.values().flatten();
    let mut documented: Vec<(String, String)> = Vec::new();
    for place in places.map(|place| (place.title.clone(), format!("{}{}", frame.root, place.href)))
    {
        if !documented.contains(&place) {
            documented.push(place);
        }
    }
    let mut hits: Vec<usize> = waterfall.found.iter().copied().collect();
    hits.sort_unstable();
    written(&TraceTemplate {
        operation: &root.name,
        service: &root.resource.service,
        duration: seconds(trace.duration_ns()),
        spans: counted(trace.rows.len(), "span"),
        service_count: counted(trace.services.len(), "service"),
        started: date_time(trace.start_ns.div_euclid(1_000_000)),
        errors: trace.errors,
        documented,
        arriving: view.arriving,
        notes: notes(view),
        problem: ask.problem.as_deref(),
        legend: trace
            .services
            .iter()
            .map(|(name, count)| (&**name, waterfall.palette.colour(name), *count))
            .collect(),
        strokes: strokes(trace, &waterfall.palette),
        zoom,
        zoomed: zoom != Zoom::WHOLE,
        find: &ask.find,
        found: (!ask.find.is_empty()).then(|| match hits.len() {
            0 => "nothing found".to_owned(),
            count => format!("{count} found"),
        }),
        hits: hits
            .iter()
            .map(|index| {
                let id = trace.rows[*index].span.span_id;
                (id.to_string(), waterfall.href(&TraceAsk { span: Some(id), ..ask.clone() }))
            })
            .collect(),
        kept: kept(&TraceAsk { find: String::new(), span: None, ..ask.clone() }),
        links: waterfall.links(),
        ticks: (0..=TICKS).map(|nth| waterfall.scale.tick(nth)).collect(),
        lines,
        window,
        own_times: own_times(trace, &waterfall.palette),
        logs: log_rows(&frame.root, view.logs, Some(trace.id)),
        no_logs: "No service wrote a log record with this trace's id, or it was dropped to make room.",
        id,
        frame,
    })
}

/// What of the question stands in the address.
fn kept(ask: &TraceAsk) -> Vec<(&'static str, String)> {
    let mut kept = Vec::new();
    if let Some(span) = ask.span {
        kept.push(("span", span.to_string()));
    }
    if !ask.find.is_empty() {
        kept.push(("find", ask.find.clone()));
    }
    if let Some(zoom) = ask.zoom {
        kept.push(("zoom", zoom.text()));
    }
    if ask.unfolded {
        kept.push(("fold", "off".to_owned()));
    }
    if ask.clocks {
        kept.push(("clocks", "set".to_owned()));
    }
    if ask.first_line > 0 {
        kept.push(("line", (ask.first_line + 1).to_string()));
    }
    kept
}

fn notes(view: &TraceView) -> Vec<String> {
    let trace = view.trace;
    let mut notes = Vec::new();
    if trace.missing_parents > 0 {
        let count = match trace.missing_parents {
            1 => "1 parent is".to_owned(),
            many => format!("{many} parents are"),
        };
        notes.push(format!(
            "{count} not there: {}. What hangs on them is shown as its own tree.",
            if view.arriving {
                "still on the way, sampled out or lost"
            } else {
                "sampled out, lost, or from before this server kept traces"
            }
        ));
    }
    if view.ask.clocks {
        let moved = view.moved_ns.iter().map(|(service, by)| {
            let way = if *by < 0 { "back" } else { "on" };
            format!("{service} by up to {} {way}", seconds(by.abs()))
        });
        let moved: Vec<String> = moved.collect();
        notes.push(if moved.is_empty() {
            "No clock had to be set: either all agree, or the senders do not say on which host they run (`host.name`).".to_owned()
        } else {
            format!("Clocks are set so that spans lie within their parents on other hosts: {}. These are no measured times.", moved.join(", "))
        });
    } else if trace.rows.iter().any(|row| row.skewed) {
        notes.push("Some spans begin before their parents: clocks of different hosts disagree. Times are shown as they came.".to_owned());
    }
    notes
}

/// The sections of the critical path by row.
fn critical(trace: &Trace) -> BTreeMap<usize, Vec<(i64, i64)>> {
    let mut by_row: BTreeMap<usize, Vec<(i64, i64)>> = BTreeMap::new();
    for segment in &trace.critical_path {
        by_row.entry(segment.row).or_default().push((segment.start_ns, segment.end_ns));
    }
    by_row
}

/// The operations that took most time of their own.
fn own_times<'a>(trace: &'a Trace, palette: &Palette) -> Vec<OwnTime<'a>> {
    let mut by_name: BTreeMap<(&str, &str), (usize, i64)> = BTreeMap::new();
    for row in &trace.rows {
        let known = by_name.entry((row.span.service(), &row.span.name)).or_default();
        known.0 += 1;
        known.1 += row.self_ns;
    }
    let all: i64 = by_name.values().map(|(_, own)| own).sum::<i64>().max(1);
    let mut sorted: Vec<_> = by_name.into_iter().filter(|(_, (_, own))| *own > 0).collect();
    sorted.sort_by_key(|(_, (_, own))| std::cmp::Reverse(*own));
    let line = |((service, name), (count, own)): ((&'a str, &'a str), (usize, i64))| OwnTime {
        colour: palette.colour(service),
        service,
        name,
        count,
        own: seconds(own),
        share: format!("{:.1}", own as f64 / all as f64 * 100.0),
    };
    sorted.into_iter().take(OWN_TIMES_MAX).map(line).collect()
}

/// Nanoseconds to percent of what is shown.
struct Scale {
    trace_start: i64,
    start: f64,
    length: f64,
}

impl Scale {
    fn new(trace: &Trace, zoom: Zoom) -> Self {
        let whole = trace.duration_ns().max(1) as f64;
        Self {
            trace_start: trace.start_ns,
            start: whole * zoom.from / 100.0,
            length: (whole * (zoom.to - zoom.from) / 100.0).max(1.0),
        }
    }

    fn at(&self, ns: i64) -> f64 {
        ((ns - self.trace_start) as f64 - self.start) / self.length * 100.0
    }

    fn tick(&self, nth: u32) -> (u32, String) {
        let ns = self.start + self.length * f64::from(nth) / f64::from(TICKS);
        let text = if ns < 0.5 { "0".to_owned() } else { seconds(ns.round() as i64) };
        (nth * 100 / TICKS, text)
    }

    /// A section as start and width; `None` when nothing of it is shown.
    fn section(&self, start_ns: i64, end_ns: i64, least: f64) -> Option<(f64, f64)> {
        let (start, end) = (self.at(start_ns), self.at(end_ns));
        if end < 0.0 || start > 100.0 {
            return None;
        }
        let from = start.clamp(0.0, 100.0 - least);
        Some((from, (end.min(100.0) - from).max(least)))
    }

    fn bar(&self, start_ns: i64, end_ns: i64) -> Option<Bar> {
        let (start, width) = self.section(start_ns, end_ns, BAR_MIN)?;
        let end = start + width;
        let (side, at) = match (start, end) {
            (_, end) if end <= LABEL_RIGHT_MAX => ("right", end),
            (start, _) if start >= LABEL_LEFT_MIN => ("left", 100.0 - start),
            _ => ("inside", start),
        };
        Some(Bar { start: percent(start), width: percent(width), side, at: percent(at) })
    }
}

struct Waterfall<'v, 'a> {
    view: &'v TraceView<'a>,
    root: &'v str,
    palette: Palette,
    scale: Scale,
    found: HashSet<usize>,
    asked: Option<usize>,
    critical: BTreeMap<usize, Vec<(i64, i64)>>,
}

impl Waterfall<'_, '_> {
    fn href(&self, ask: &TraceAsk) -> String {
        let pairs: Vec<String> =
            kept(ask).iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
        let (mark, query) = (if pairs.is_empty() { "" } else { "?" }, pairs.join("&"));
        let place = ask.span.map(|id| format!("#span-{id}")).unwrap_or_default();
        format!("{}live/traces/{}{mark}{query}{place}", self.root, self.view.trace.id)
    }

    fn links(&self) -> Links {
        let ask = &self.view.ask;
        let plain = TraceAsk { span: None, first_line: 0, ..ask.clone() };
        let has_folds = !ask.unfolded
            && self.view.trace.folded().iter().any(|line| matches!(line, Line::Fold(_)));
        let skewed = ask.clocks || self.view.trace.rows.iter().any(|row| row.skewed);
        Links {
            whole: self.href(&TraceAsk { zoom: None, ..ask.clone() }),
            folded: ask.unfolded.then(|| self.href(&TraceAsk { unfolded: false, ..plain.clone() })),
            unfolded: has_folds.then(|| self.href(&TraceAsk { unfolded: true, ..plain.clone() })),
            clocks: skewed
                .then(|| (self.href(&TraceAsk { clocks: !ask.clocks, ..ask.clone() }), ask.clocks)),
            no_find: self.href(&TraceAsk { find: String::new(), ..plain }),
        }
    }

    /// The lines that the page has room for, and where they stand among all.
    fn shown(&self) -> (Vec<String>, Option<Window>) {
        let (trace, ask) = (self.view.trace, &self.view.ask);
        let unfolded = ask.unfolded || self.is_beyond_a_fold();
        let all = if unfolded { trace.unfolded() } else { trace.folded() };
        let asked = self.asked.and_then(|row| all.iter().position(|line| holds(line, row)));
        let first = match asked {
            Some(line) if all.len() > LINES_MAX => line / LINES_MAX * LINES_MAX,
            _ => ask.first_line.min(all.len().saturating_sub(1)) / LINES_MAX * LINES_MAX,
        };
        let last = (first + LINES_MAX).min(all.len());
        let at = |first_line: usize| {
            self.href(&TraceAsk { first_line, span: None, unfolded, ..ask.clone() })
        };
        let window = (all.len() > LINES_MAX).then(|| Window {
            words: format!(
                "Lines {} to {} of {}; {} are not on this page.",
                first + 1,
                last,
                all.len(),
                all.len() - (last - first)
            ),
            before: (first > 0).then(|| at(first.saturating_sub(LINES_MAX))),
            after: (last < all.len()).then(|| at(last)),
        });
        (all[first..last].iter().map(|line| self.line(line)).collect(), window)
    }

    /// Whether the span that was asked for is one of those that a fold has no room for.
    fn is_beyond_a_fold(&self) -> bool {
        let beyond =
            |fold: &Fold, row| fold.lines.iter().skip(FOLD_LINES_MAX).any(|line| holds(line, row));
        self.asked.is_some_and(|row| {
            self.view.trace.folded().iter().any(|line| match line {
                Line::Fold(fold) => beyond(fold, row),
                Line::Row(_) => false,
            })
        })
    }

    fn line(&self, line: &Line) -> String {
        match line {
            Line::Row(index) => written(&self.row(*index)),
            Line::Fold(fold) => written(&self.fold(fold)),
        }
    }

    fn row(&self, index: usize) -> LineTemplate<'_> {
        let trace = self.view.trace;
        let row = &trace.rows[index];
        let span = &row.span;
        let open = self.asked == Some(index);
        let zoom = self.zoom_to(span.start_ns, span.end_ns);
        let whole = open || trace.rows.len() <= WHOLE_SPANS_MAX;
        let href = TraceAsk {
            zoom: Zoom::parse(&zoom),
            span: Some(span.span_id),
            ..self.view.ask.clone()
        };
        let segments = self.critical.get(&index).into_iter().flatten();
        LineTemplate {
            colour: self.palette.colour(span.service()),
            service: span.service(),
            name: &span.name,
            id: span.span_id.to_string(),
            depth: row.depth.min(DEPTH_MAX),
            level: row.depth,
            failed: span.is_error(),
            missing: matches!(row.parent, Parent::Missing(_)),
            skewed: row.skewed,
            hit: self.found.contains(&index),
            open,
            later: (!whole)
                .then(|| format!("{}live/traces/{}/spans/{}", self.root, trace.id, span.span_id)),
            bar: self.scale.bar(span.start_ns, span.start_ns + span.duration_ns()),
            critical: segments
                .filter_map(|(from, to)| self.scale.section(*from, *to, 0.1))
                .map(|(at, wide)| (percent(at), percent(wide)))
                .collect(),
            duration: seconds(span.duration_ns()),
            details: whole.then(|| details(self.root, self.view, index, Some(self.href(&href)))),
            zoom,
        }
    }

    fn fold(&self, fold: &Fold) -> FoldTemplate<'_> {
        let trace = self.view.trace;
        let first: &Row = &trace.rows[fold.members[0]];
        let rows: HashSet<usize> = fold.lines.iter().flat_map(rows_of).collect();
        let hits = self.found.iter().filter(|row| rows.contains(row)).count();
        let asked = self.asked.is_some_and(|row| rows.contains(&row));
        let marks = fold.members.iter().take(FOLD_LINES_MAX).filter_map(|index| {
            let span = &trace.rows[*index].span;
            self.scale.section(span.start_ns, span.end_ns, 0.15)
        });
        FoldTemplate {
            colour: self.palette.colour(first.span.service()),
            service: first.span.service(),
            name: &first.span.name,
            key: first.span.span_id.to_string(),
            depth: first.depth.min(DEPTH_MAX),
            level: first.depth,
            count: fold.members.len(),
            hits,
            open: asked || hits > 0,
            zoom: self.zoom_to(fold.start_ns, fold.end_ns),
            bar: self.scale.bar(fold.start_ns, fold.end_ns),
            marks: marks.map(|(at, wide)| (percent(at), percent(wide))).collect(),
            duration: format!(
                "{} in all, longest {}",
                seconds(fold.total_ns),
                seconds(fold.longest_ns)
            ),
            lines: fold.lines.iter().take(FOLD_LINES_MAX).map(|line| self.line(line)).collect(),
            hidden: fold.lines.len().saturating_sub(FOLD_LINES_MAX),
            unfolded: self.href(&TraceAsk {
                unfolded: true,
                span: Some(first.span.span_id),
                ..self.view.ask.clone()
            }),
        }
    }

    fn zoom_to(&self, start_ns: i64, end_ns: i64) -> String {
        let whole = Scale::new(self.view.trace, Zoom::WHOLE);
        Zoom::around(whole.at(start_ns).max(0.0), whole.at(end_ns).min(100.0)).text()
    }
}

/// The rows of a line.
fn rows_of(line: &Line) -> Vec<usize> {
    match line {
        Line::Row(index) => vec![*index],
        Line::Fold(fold) => fold.lines.iter().flat_map(rows_of).collect(),
    }
}

/// Whether a line is this row or holds it.
fn holds(line: &Line, row: usize) -> bool {
    match line {
        Line::Row(index) => *index == row,
        Line::Fold(fold) => fold.lines.iter().any(|line| holds(line, row)),
    }
}

fn percent(value: f64) -> String {
    format!("{:.2}", value.clamp(-100.0, 200.0))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
