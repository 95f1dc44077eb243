//! Objectives as a rule file of Prometheus: for every span the share of bad events is recorded, and each pair of spans is an
//! alert.
//!
//! Another Prometheus can then raise the same alerts. The expressions are those that `objectives` asks for itself.

use crate::objective::{BurnAlert, Severity, burn_alerts, is_reachable};
use crate::objectives::{Asked, of_book};
use crate::words::amount;
use document::Book;
use std::fmt::Write as _;

/// Seconds between two evaluations of what reaches back as far as [`NEAR_S`], and of the alerts.
const INTERVAL_S: u32 = 15;
/// Seconds of the spans that change quickly.
const NEAR_S: u32 = 6 * 3_600;
/// Seconds between two evaluations of longer spans: they read much and change little. Below the five
/// minutes for which a sample holds.
const FAR_INTERVAL_S: u32 = 60;

/// The rule file of a book's objectives, as YAML. Objectives without an error budget, and those that nothing measures, have
/// no rules.
pub fn objective_rules(book: &Book) -> String {
    let mut yaml = String::from("groups:\n");
    let mut any = false;
    for asked in of_book(book, 0) {
        let Some(share) = asked.share() else { continue };
        any = true;
        group(&mut yaml, &asked, share);
    }
    if any { yaml } else { "groups: []\n".to_owned() }
}

fn group(yaml: &mut String, asked: &Asked<'_>, share: f64) {
    // Text in double quotes is the same in JSON and YAML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let id = quoted(&asked.id);
    let (near, far): (Vec<u32>, Vec<u32>) =
        asked.spans().into_iter().partition(|span_s| *span_s <= NEAR_S);
    // The alerts stand last, behind the shares that they read.
    for (name, interval_s, spans) in [
        (format!("objective {}, long spans", asked.id), FAR_INTERVAL_S, far),
        (format!("objective {}", asked.id), INTERVAL_S, near),
    ] {
        if spans.is_empty() {
            continue;
        }
        let _ = writeln!(yaml, "- name: {}", quoted(&name));
        let _ = writeln!(yaml, "  interval: {interval_s}s\n  rules:");
        for span_s in spans {
            let _ = writeln!(yaml, "  - record: {}", record(span_s));
            let _ = writeln!(yaml, "    expr: {}", quoted(&asked.bad_share_query(span_s)));
            let _ = writeln!(yaml, "    labels: {{objective: {id}}}");
        }
    }
    for alert in burn_alerts(asked.period_s()).filter(|alert| is_reachable(alert.factor, share)) {
        let severity = match alert.severity {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        };
        let (long, short) =
            (amount(f64::from(alert.long_s), "s"), amount(f64::from(alert.short_s), "s"));
        let _ = writeln!(yaml, "  - alert: ErrorBudgetBurns");
        let _ = writeln!(yaml, "    expr: {}", quoted(&alert_query(asked, &alert, share)));
        let services: Vec<&str> =
            asked.services().iter().map(|service| service.0.as_str()).collect();
        let _ = write!(
            yaml,
            "    labels: {{severity: {severity}, objective: {id}, long: {}, short: {}",
            quoted(&long),
            quoted(&short)
        );
        if let [only] = services.as_slice() {
            let _ = write!(yaml, ", service: {}", quoted(only));
        }
        let summary = format!(
            "{}: the error budget burns more than {} times as fast as it may",
            asked.title(),
            amount(alert.factor, "")
        );
        let told = format!(
            "Over {long} and over {short}. Share of bad events: {{{{ $value | humanizePercentage }}}}; target: {}.",
            asked.target()
        );
        let _ = writeln!(yaml, "}}\n    annotations:");
        let _ = writeln!(yaml, "      summary: {}", quoted(&summary));
        let _ = writeln!(yaml, "      description: {}", quoted(&told));
    }
}

fn record(span_s: u32) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(seconds, _)| span_s.is_multiple_of(*seconds));
    let (seconds, letter) = unit.unwrap_or((1, 's'));
    format!("objective:bad_share:rate{}{letter}", span_s / seconds)
}

/// Both spans burn too fast, and enough happened in the long one.
fn alert_query(asked: &Asked<'_>, alert: &BurnAlert, share: f64) -> String {
    let id = serde_json::Value::from(asked.id.as_str());
    let over = |span_s: u32| {
        let limit = alert.factor * (1.0 - share);
        // Eleven digits hide what binary fractions add.
        let limit = format!("{limit:.11}");
        let limit = limit.trim_end_matches('0').trim_end_matches('.');
        format!("{}{{objective={id}}} > {limit}", record(span_s))
    };
    let (total, least) = (asked.total_query(alert.long_s), asked.min_events());
    format!(
        "{} and {} and on() {total} * {} >= {least}",
        over(alert.long_s),
        over(alert.short_s),
        alert.long_s
    )
}
