//! Lines, areas, bars and marks as outlines of SVG paths.

use super::scale::{Drawn, Scale};
use super::{Chart, ChartKind, ChartSeries, ChartSpan, MarkKind, PIXELS, SIDE, m4};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Points further apart than this many times the usual distance are not joined.
const GAP_STEPS: i64 = 3;
/// The part of a step that a bar takes.
const BAR: f64 = 0.8;

/// Each line's points as they are drawn: thinned out, or on top of the lines before it.
pub(super) fn stack(chart: &Chart) -> Vec<Drawn> {
    if !chart.kind.stacks() {
        return chart.series.iter().map(|series| thinned(series, chart.span)).collect();
    }
    let mut below: BTreeMap<i64, f64> = BTreeMap::new();
    let on_top = |series: &ChartSeries| {
        let points = series.points.iter().map(|(at, value)| {
            let value = value.filter(|value| value.is_finite());
            let base = below.entry(*at).or_insert(0.0);
            let low = *base;
            *base += value.unwrap_or(0.0);
            (*at, value.map(|value| (low, low + value)))
        });
        points.collect()
    };
    chart.series.iter().map(on_top).collect()
}

fn thinned(series: &ChartSeries, span: ChartSpan) -> Drawn {
    let points = if series.fine.is_empty() { &series.points } else { &series.fine };
    let inside: Vec<(i64, Option<f64>)> = points
        .iter()
        .filter(|(at, _)| span.holds(*at))
        .map(|(at, value)| (*at, value.filter(|value| value.is_finite())))
        .collect();
    let drawn = m4(&inside, span.from, span.to, PIXELS);
    drawn.into_iter().map(|(at, value)| (at, value.map(|value| (value.min(0.0), value)))).collect()
}

/// The line itself and the area below it, which is empty where none is drawn.
pub(super) fn draw(chart: &Chart, line: &Drawn, scale: &Scale) -> (String, String) {
    if chart.kind == ChartKind::Bar {
        return (String::new(), bars(chart.span, line, scale));
    }
    let (mut path, mut area) = (String::new(), String::new());
    for run in runs(line, chart.span) {
        for (nth, (at, (_, high))) in run.iter().enumerate() {
            let mark = if nth == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{mark}{},{:.0}", x(chart.span, *at), scale.y(*high));
        }
        if run.len() == 1 {
            // A single point would not be seen: caps are drawn of a line without length.
            path.push_str("h0");
        }
        if chart.kind != ChartKind::Line {
            area.push_str(&filled(&run, chart, scale));
        }
    }
    (path, area)
}

fn filled(run: &[(i64, (f64, f64))], chart: &Chart, scale: &Scale) -> String {
    let mut area = String::new();
    for (nth, (at, (_, high))) in run.iter().enumerate() {
        let mark = if nth == 0 { 'M' } else { 'L' };
        let _ = write!(area, "{mark}{},{:.0}", x(chart.span, *at), scale.y(*high));
    }
    for (at, (low, _)) in run.iter().rev() {
        let low = if chart.kind == ChartKind::Stacked { *low } else { 0.0 };
        let _ = write!(area, "L{},{:.0}", x(chart.span, *at), scale.y(low));
    }
    area + "Z"
}

/// A bar covers the step that ends at its point.
fn bars(span: ChartSpan, line: &Drawn, scale: &Scale) -> String {
    let mut area = String::new();
    for (at, value) in line.iter().filter(|(at, _)| span.holds(*at)) {
        let Some((low, high)) = value else { continue };
        let wide = (span.x(*at) - span.x(*at - span.step)) * BAR;
        let right = span.x(*at);
        let left = (right - wide).max(0.0);
        let _ = write!(
            area,
            "M{left:.1},{:.0}V{:.0}H{right:.1}V{:.0}Z",
            scale.y(*low),
            scale.y(*high),
            scale.y(*low)
        );
    }
    area
}

/// Height of the band at the top that says how long something lasted.
const BAND: f64 = 40.0;

/// Stretches without a gap.
fn runs(line: &Drawn, span: ChartSpan) -> Vec<Vec<(i64, (f64, f64))>> {
    let step = usual_step(line).max(span.step);
    let mut runs: Vec<Vec<(i64, (f64, f64))>> = Vec::new();
    let mut before = None;
    for (at, value) in line.iter().filter(|(at, _)| span.holds(*at)) {
        let Some(value) = value else {
            before = None;
            continue;
        };
        let joined = before.is_some_and(|before| at - before <= step.saturating_mul(GAP_STEPS));
        match runs.last_mut().filter(|_| joined) {
            Some(run) => run.push((*at, *value)),
            None => runs.push(vec![(*at, *value)]),
        }
        before = Some(*at);
    }
    runs
}

fn usual_step(line: &Drawn) -> i64 {
    let mut steps: Vec<i64> = line.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(0)
}

/// A tenth of a unit is less than a pixel of any screen.
fn x(span: ChartSpan, at: i64) -> String {
    let text = format!("{:.1}", span.x(at));
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// What happened, as upright lines, and as bands for what lasted.
pub(super) fn marks(chart: &Chart, kind: MarkKind) -> String {
    let span = chart.span;
    let mut path = String::new();
    for mark in chart.marks.iter().filter(|mark| mark.kind == kind) {
        match mark.until {
            None if span.holds(mark.at) => {
                let _ = write!(path, "M{},0V1000", x(span, mark.at));
            }
            Some(until) if until >= span.from && mark.at <= span.to => {
                let left = span.x(mark.at).clamp(0.0, SIDE);
                let right = span.x(until).clamp(0.0, SIDE).max(left + 2.0);
                let _ = write!(path, "M{left:.1},0H{right:.1}V{BAND}H{left:.1}Z");
            }
            _ => {}
        }
    }
    path
}
