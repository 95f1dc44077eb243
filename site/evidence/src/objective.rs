//! An objective's words as numbers, and the arithmetic of error budgets and burn rates.
//!
//! `document` has the words, `objectives` measures. The numbers are those of the Google SRE Workbook, chapter 5, table 5-8:
//! a span of time is given a share of the budget that may be spent in it, and both the span and a twelfth of it must burn
//! faster than that, so that an alert comes soon and goes soon.

use crate::claim::{Claim, Comparison, parse_claim};
use serde::{Deserialize, Serialize};

/// The share of requests that is meant by a bound of time without a percentile.
const USUAL_SHARE: f64 = 0.95;
/// The longest period: a year, in seconds.
const PERIOD_MAX_S: f64 = 366.0 * 86_400.0;
/// A short span is this part of its long one.
const SHORT_PART: u32 = 12;

/// What an objective promises.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Promise {
    /// At least this share of all events is good; below 1. With a bound in seconds, good is what ends within it.
    Good { share: f64, within_s: Option<f64> },
    /// A value stands to a bound; there is no budget.
    Value(Claim),
}

/// Reads a target: `99.9%`, `p95 < 500ms`, `95% < 500ms`, `< 1%`, `> 1000 rps`. The error says what is wrong with it.
pub(crate) fn promise(words: &str) -> Result<Promise, String> {
    let text = words.replace('_', " ").to_lowercase();
    let nothing =
        || format!("`{words}` states nothing that can be measured, as `99.9%` or `95% < 500ms` do");
    let (head, bound) = split_at_sign(&text).unwrap_or(("", text.as_str()));
    let claim = parse_claim(bound).ok_or_else(nothing)?;
    let upper = matches!(claim.comparison, Comparison::Less | Comparison::AtMost);
    if claim.unit == "s" && upper {
        let share =
            if head.is_empty() { USUAL_SHARE } else { percentile(head).unwrap_or(USUAL_SHARE) };
        return Ok(Promise::Good { share, within_s: Some(claim.bound) });
    }
    if claim.unit != "ratio" {
        return Ok(Promise::Value(claim));
    }
    let share = if upper { 1.0 - claim.bound } else { claim.bound };
    if share > 0.0 && share < 1.0 {
        Ok(Promise::Good { share, within_s: None })
    } else {
        Err(format!("`{words}` leaves no error budget: a target lies between 0 % and 100 %"))
    }
}

/// `95% of requests < 500ms` as its two sides, the sign with the second.
fn split_at_sign(text: &str) -> Option<(&str, &str)> {
    let words = [" within ", " under ", " below ", " in less than ", " faster than "];
    let word = words.iter().find_map(|word| Some((text.find(word)?, word.len())));
    match text.find(['<', '≤']) {
        Some(at) => Some((text[..at].trim(), &text[at..])),
        None => word.map(|(at, length)| (text[..at].trim(), &text[at + length..])),
    }
}

/// `p95`, `95th percentile`, `95 % of requests` as a share.
fn percentile(head: &str) -> Option<f64> {
    let start = head.find(|c: char| c.is_ascii_digit())?;
    let rest = &head[start..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let number: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
    (number > 0.0 && number < 100.0).then_some(number / 100.0)
}

/// Reads a period in words, `30 days`, `30_days`, `7d`, `5m`, as whole seconds.
pub(crate) fn period_s(words: &str) -> Result<u32, String> {
    let wrong = || format!("`{words}` is no period such as `30d`, `7 days` or `5m`");
    let text = words.trim().replace('_', " ").to_lowercase();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
    let number: f64 = text[..end].parse().map_err(|_| wrong())?;
    let unit = match text[end..].trim() {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 7.0 * 86_400.0,
        "month" | "months" => 30.0 * 86_400.0,
        "q" | "quarter" | "quarters" => 90.0 * 86_400.0,
        "y" | "year" | "years" => 365.0 * 86_400.0,
        _ => return Err(wrong()),
    };
    let seconds = number * unit;
    if (1.0..=PERIOD_MAX_S).contains(&seconds) { Ok(seconds as u32) } else { Err(wrong()) }
}

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// At once.
    Page,
    /// In working hours.
    Ticket,
}

/// A pair of spans with the burn rate that both must exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BurnAlert {
    pub(crate) severity: Severity,
    pub(crate) long_s: u32,
    pub(crate) short_s: u32,
    pub(crate) factor: f64,
}

/// Severity, seconds of the long span, share of the budget that may be spent in it.
const BURN_ALERTS: [(Severity, u32, f64); 4] = [
    (Severity::Page, 3_600, 0.02),
    (Severity::Page, 6 * 3_600, 0.05),
    (Severity::Ticket, 86_400, 0.10),
    (Severity::Ticket, 3 * 86_400, 0.10),
];

/// The alerts of an objective over `period_s` seconds; none for spans as long as the period, where the objective itself says
/// all there is.
pub(crate) fn burn_alerts(period_s: u32) -> impl Iterator<Item = BurnAlert> {
    let fitting = BURN_ALERTS.into_iter().filter(move |(_, long_s, _)| *long_s < period_s);
    fitting.map(move |(severity, long_s, budget)| BurnAlert {
        severity,
        long_s,
        short_s: long_s / SHORT_PART,
        factor: budget * f64::from(period_s) / f64::from(long_s),
    })
}

/// How fast a share of bad events spends the budget of an objective: 1 spends it exactly in the period.
pub(crate) fn burn_rate(bad_share: f64, target_share: f64) -> f64 {
    bad_share / (1.0 - target_share)
}

/// The part of the budget that is left; below 0 when more than all is spent.
pub(crate) fn budget_left(bad_share: f64, target_share: f64) -> f64 {
    1.0 - burn_rate(bad_share, target_share)
}

/// The budget in seconds of the period that may be wholly bad.
pub(crate) fn budget_s(period_s: u32, target_share: f64) -> f64 {
    f64::from(period_s) * (1.0 - target_share)
}

/// Whether a burn rate can be exceeded at all: with every event bad it is 1 / (1 - target).
pub(crate) fn is_reachable(factor: f64, target_share: f64) -> bool {
    factor < 1.0 / (1.0 - target_share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: u32 = 86_400;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn targets_are_read() {
        let good = |share, within_s| Ok(Some((share, within_s)));
        for (words, expected) in [
            ("99.9%", good(0.999, None)),
            ("99.95 % availability", good(0.9995, None)),
            ("95th_percentile < 500ms", good(0.95, Some(0.5))),
            ("p99.9 < 1s", good(0.999, Some(1.0))),
            ("99% of requests within 200 ms", good(0.99, Some(0.2))),
            ("< 300ms", good(0.95, Some(0.3))),
            ("< 1%", good(0.99, None)),
            ("<= 0.1% errors", good(0.999, None)),
            ("> 1000_requests_per_second", Ok(None)),
            ("100%", Err("no error budget")),
            ("fast", Err("nothing that can be measured")),
            ("", Err("nothing that can be measured")),
        ] {
            match (promise(words), expected) {
                (Ok(Promise::Good { share, within_s }), Ok(Some((wanted, bound)))) => {
                    assert!(
                        close(share, wanted) && within_s == bound,
                        "{words}: {share} {within_s:?}"
                    );
                }
                (Ok(Promise::Value(_)), Ok(None)) => {}
                (Err(message), Err(part)) => assert!(message.contains(part), "{words}: {message}"),
                (got, _) => panic!("{words}: {got:?}"),
            }
        }
    }

    #[test]
    fn periods_are_read() {
        for (words, seconds) in [
            ("30_days", Some(30 * DAY_S)),
            ("28d", Some(28 * DAY_S)),
            ("5_minutes", Some(300)),
            ("1 minute", Some(60)),
            ("4 weeks", Some(28 * DAY_S)),
            ("1.5h", Some(5400)),
            ("30", None),
            ("0d", None),
            ("99999y", None),
            ("soon", None),
        ] {
            assert_eq!(period_s(words).ok(), seconds, "{words}");
        }
    }

    /// The reference's hand-worked cases.
    #[test]
    fn budgets_and_burn_rates() {
        assert!(close(budget_s(30 * DAY_S, 0.999) / 60.0, 43.2));
        assert!(close(budget_s(30 * DAY_S, 0.9999) / 60.0, 4.32));
        assert!(close(budget_left(0.0005, 0.999), 0.5));
        assert!(close(budget_left(0.002, 0.999), -1.0));
        // One failure of ten requests at 99.9 %.
        assert!(close(burn_rate(0.1, 0.999), 100.0));
        assert!(close(burn_rate(1.0, 0.999), 1000.0));
        let table: Vec<_> = burn_alerts(30 * DAY_S)
            .map(|alert| (alert.severity, alert.factor, alert.long_s, alert.short_s))
            .collect();
        for (found, expected) in table.iter().zip([
            (Severity::Page, 14.4, 3_600, 300),
            (Severity::Page, 6.0, 6 * 3_600, 1_800),
            (Severity::Ticket, 3.0, DAY_S, 7_200),
            (Severity::Ticket, 1.0, 3 * DAY_S, 6 * 3_600),
        ]) {
            assert!(close(found.1, expected.1), "{found:?}");
            assert_eq!((found.0, found.2, found.3), (expected.0, expected.2, expected.3));
        }
        let week: Vec<f64> = burn_alerts(7 * DAY_S).map(|alert| alert.factor).collect();
        assert!(close(week[0], 3.36) && close(week[1], 1.4) && week.len() == 4, "{week:?}");
        assert_eq!((burn_alerts(3_600).count(), burn_alerts(DAY_S).count()), (0, 2));
        assert!(!is_reachable(14.4, 0.93) && is_reachable(14.4, 0.9306));
    }
}
