//! A chart as words and numbers: for its tooltip, its table, and as CSV.

use super::{CHART_SERIES_MAX, Chart, ChartSeries, ChartSpan, exemplar_words, slowest};
use crate::figures::{amount, clock, stamp};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Axes longer than this are named by days too.
const DAY_MS: i64 = 86_400_000;

/// What the page's script shows of a chart: for each step the values with their words, the exemplars and
/// what happened. Numbers get their words here and nowhere else.
pub fn chart_json(chart: &Chart) -> Value {
    let series: Vec<Value> = chart
        .series
        .iter()
        .take(CHART_SERIES_MAX)
        .map(|series| {
            let values: Vec<Option<f64>> = series.points.iter().map(|(_, v)| finite(*v)).collect();
            let texts: Vec<String> = values.iter().map(|v| text(*v, &chart.unit)).collect();
            json!({ "name": series.name, "values": values, "texts": texts })
        })
        .collect();
    let times: Vec<i64> = chart
        .series
        .first()
        .map_or_else(Vec::new, |series| series.points.iter().map(|(at, _)| *at).collect());
    let exemplars: Vec<Value> = slowest(chart)
        .into_iter()
        .map(|one| {
            let words = amount(one.value, &chart.unit).text();
            json!({ "at": one.at, "text": words, "trace": one.trace_id, "why": exemplar_words(one, &chart.unit) })
        })
        .collect();
    let marks: Vec<Value> = chart
        .marks
        .iter()
        .map(|mark| json!({ "at": mark.at, "until": mark.until, "kind": mark.kind.word(), "words": mark.words }))
        .collect();
    let span = chart.span;
    json!({
        "title": chart.title, "unit": chart.unit, "from": span.from, "to": span.to, "step": span.step,
        "times": times, "series": series, "exemplars": exemplars, "marks": marks, "more": chart.more,
        "fault": chart.fault,
    })
}

/// A line for each step: the time as RFC 3339 and the value of each series with all its digits; nothing
/// stands where nothing was measured.
pub fn chart_csv(chart: &Chart) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut table = String::from("time");
    chart.series.iter().for_each(|series| {
        table.push(',');
        table.push_str(&quoted(&series.name));
    });
    table.push('\n');
    let steps = chart.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    for nth in 0..steps {
        let at = chart.series.iter().find_map(|series| series.points.get(nth)).map(|(at, _)| *at);
        table.push_str(&stamp(at.unwrap_or_default(), "%Y-%m-%dT%H:%M:%S%.fZ"));
        for series in &chart.series {
            table.push(',');
            if let Some(value) = series.points.get(nth).and_then(|(_, value)| *value) {
                let _ = write!(table, "{value}");
            }
        }
        table.push('\n');
    }
    table
}

/// Name, last, lowest, mean and highest value of each line.
pub(super) fn summary(chart: &Chart) -> Vec<[String; 5]> {
    let row = |series: &ChartSeries| {
        let values: Vec<f64> = series.points.iter().filter_map(|(_, v)| finite(*v)).collect();
        let count = values.len() as f64;
        let of = |value: f64| match values.is_empty() {
            true => text(None, &chart.unit),
            false => amount(value, &chart.unit).text(),
        };
        [
            series.name.clone(),
            last(series, &chart.unit),
            of(values.iter().copied().fold(f64::INFINITY, f64::min)),
            of(values.iter().sum::<f64>() / count),
            of(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        ]
    };
    chart.series.iter().take(CHART_SERIES_MAX).map(row).collect()
}

/// The chart in words, for those who do not see it.
pub(super) fn words(chart: &Chart, when: &str) -> String {
    let mut words = format!("{} {when}", chart.title);
    for (nth, [name, last, ..]) in summary(chart).iter().enumerate() {
        let _ = write!(words, "{} {name} {last}", if nth == 0 { ":" } else { "," });
    }
    words
}

/// The last value in words.
pub(super) fn last(series: &ChartSeries, unit: &str) -> String {
    // The newest step may stand before the newest sample of a slow target: one step back still is now.
    let mut newest = series.points.iter().rev().take(2).map(|(_, value)| finite(*value));
    text(newest.find(Option::is_some).flatten(), unit)
}

/// A time at the axis.
pub(super) fn axis_time(at: i64, span: ChartSpan) -> String {
    let long = span.to - span.from;
    match long {
        long if long > DAY_MS => stamp(at, "%m-%d %H:%M"),
        long if long > 600_000 => stamp(at, "%H:%M"),
        _ => clock(at),
    }
}

/// The first query that is asked, as it stands in the address.
pub(super) fn first_query(source: &str) -> Option<&str> {
    source.split('&').find_map(|part| part.strip_prefix("query="))
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn text(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "no data".to_owned(), |value| amount(value, unit).text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_every_digit_and_leaves_gaps_open() {
        let series = |name: &str, values: [Option<f64>; 2]| ChartSeries {
            name: name.to_owned(),
            points: vec![(0, values[0]), (1_500, values[1])],
            ..ChartSeries::default()
        };
        let chart = Chart {
            series: vec![
                series("a \"b\", c", [Some(0.1 + 0.2), None]),
                series("d", [Some(f64::NAN), Some(2.0)]),
            ],
            ..Chart::default()
        };
        assert_eq!(
            chart_csv(&chart),
            "time,\"a \"\"b\"\", c\",\"d\"\n1970-01-01T00:00:00Z,0.30000000000000004,NaN\n1970-01-01T00:00:01.5Z,,2\n"
        );
        let json = chart_json(&chart);
        assert_eq!(json["series"][1]["texts"], json!(["no data", "2"]));
        assert_eq!(json["series"][0]["values"], json!([0.30000000000000004, null]));
    }
}
