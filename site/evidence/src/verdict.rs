//! A measured value against a claim. `kpis` hands both in; out comes a word and a reason.
//!
//! "At risk" means true, but within 10 % of the bound. For shares that are to stay above 90 % that
//! would be everything, so there the 10 % are those of the error budget: of a claim of 99.9 % the
//! budget is 0.1 %, and the claim is at risk as soon as less than a tenth of it is left.

use crate::claim::{Claim, Comparison};
use crate::words::amount;
use crate::{Figure, Verdict};

/// Nearer to the bound than this part of it, a claim is at risk.
pub(crate) const RISK_MARGIN: f64 = 0.1;
/// Lower bounds of shares from here are judged by their error budget.
pub(crate) const BUDGET_FROM: f64 = 0.9;
/// Differences below this part of the bound are of the arithmetic.
const TOLERANCE: f64 = 1e-9;

/// Whether `value` bears the claim out; `peak` is the largest value of the last minutes.
pub(crate) fn judge(claim: &Claim, value: &Figure, peak: Option<f64>) -> (Verdict, String) {
    match value {
        Figure::Value(value) => judge_value(claim, *value, peak),
        Figure::NoTraffic => (Verdict::NoData, "no traffic in the window".to_owned()),
        Figure::NoData => (Verdict::NoData, "the query finds nothing".to_owned()),
        Figure::Loading => (Verdict::NoData, "not asked yet".to_owned()),
        Figure::QueryError(error) => (Verdict::NoData, format!("the query failed: {error}")),
        Figure::Stale(value, age_s) => {
            let last = amount(*value, &claim.unit);
            let age = amount(f64::from(*age_s), "s");
            (Verdict::Stale, format!("{last} measured {age} ago, nothing since"))
        }
    }
}

fn judge_value(claim: &Claim, value: f64, peak: Option<f64>) -> (Verdict, String) {
    if claim.is_capacity {
        return judge_capacity(claim, peak.map_or(value, |peak| peak.max(value)));
    }
    let bound = claim.bound;
    let tolerance = TOLERANCE * bound.abs();
    // Room that is left; negative when the claim does not hold, and how much is enough.
    let (room, strict, enough) = match claim.comparison {
        Comparison::Less => (bound - value, true, RISK_MARGIN * bound.abs()),
        Comparison::AtMost => (bound - value, false, RISK_MARGIN * bound.abs()),
        Comparison::Greater => (value - bound, true, room_above(claim)),
        Comparison::AtLeast => (value - bound, false, room_above(claim)),
        Comparison::Equal => (-(value - bound).abs(), false, 0.0),
    };
    let violated = if strict { room <= tolerance } else { room < -tolerance.max(f64::EPSILON) };
    let measured = amount(value, &claim.unit);
    let stated = amount(bound, &claim.unit);
    if violated {
        (Verdict::Violated, format!("{measured}, {} {stated}", instead(claim.comparison)))
    } else if room < enough - tolerance {
        (Verdict::AtRisk, at_risk(claim, room, &measured, &stated))
    } else {
        (Verdict::Holds, format!("{measured}, {} {stated}", so_far(claim.comparison)))
    }
}

/// How far above a lower bound a value must be to have room to spare.
fn room_above(claim: &Claim) -> f64 {
    if judged_by_budget(claim) {
        RISK_MARGIN * (1.0 - claim.bound)
    } else {
        RISK_MARGIN * claim.bound.abs()
    }
}

fn judged_by_budget(claim: &Claim) -> bool {
    claim.unit == "ratio" && (BUDGET_FROM..=1.0).contains(&claim.bound)
}

fn at_risk(claim: &Claim, room: f64, measured: &str, stated: &str) -> String {
    let lower = matches!(claim.comparison, Comparison::Greater | Comparison::AtLeast);
    if lower && judged_by_budget(claim) {
        let used = 1.0 - room / (1.0 - claim.bound);
        // Not rounded up: 99.7 % of a budget is not all of it.
        return format!("{measured}, {:.0} % of the error budget used", (used * 100.0).floor());
    }
    format!("{measured}, within 10 % of {stated}")
}

fn judge_capacity(claim: &Claim, peak: f64) -> (Verdict, String) {
    let reached = match claim.comparison {
        Comparison::Greater => peak > claim.bound,
        _ => peak >= claim.bound * (1.0 - TOLERANCE),
    };
    let seen = amount(peak, &claim.unit);
    if reached {
        (Verdict::Holds, format!("{seen} seen"))
    } else {
        (Verdict::Unproven, format!("peak seen {seen}"))
    }
}

fn instead(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less | Comparison::AtMost => "over",
        Comparison::Greater | Comparison::AtLeast => "short of",
        Comparison::Equal => "not",
    }
}

fn so_far(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less | Comparison::AtMost => "below",
        Comparison::Greater | Comparison::AtLeast => "above",
        Comparison::Equal => "as stated:",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_claim;

    fn check(words: &str, value: f64, verdict: Verdict, reason: &str) {
        let claim = parse_claim(words).expect("the case is a claim");
        let got = judge(&claim, &Figure::Value(value), None);
        assert_eq!(got, (verdict, reason.to_owned()), "{words} at {value}");
    }

    #[test]
    fn values_are_judged_by_their_claims() {
        check("< 200ms", 0.038, Verdict::Holds, "38 ms, below 200 ms");
        check("< 200ms", 0.18, Verdict::Holds, "180 ms, below 200 ms");
        check("< 200ms", 0.181, Verdict::AtRisk, "181 ms, within 10 % of 200 ms");
        check("< 200ms", 0.2, Verdict::Violated, "200 ms, over 200 ms");
        check("<= 200ms", 0.2, Verdict::AtRisk, "200 ms, within 10 % of 200 ms");
        check("<= 200ms", 0.25, Verdict::Violated, "250 ms, over 200 ms");
        check("99.9%", 1.0, Verdict::Holds, "100 %, above 99.9 %");
        check("99.9%", 0.9995, Verdict::Holds, "99.95 %, above 99.9 %");
        check("99.9%", 0.999_05, Verdict::AtRisk, "99.905 %, 95 % of the error budget used");
        check("99.9%", 0.999, Verdict::AtRisk, "99.9 %, 100 % of the error budget used");
        check("99.9%", 0.998, Verdict::Violated, "99.8 %, short of 99.9 %");
        check("100%", 1.0, Verdict::Holds, "100 %, above 100 %");
        check(">= 60%", 0.62, Verdict::AtRisk, "62 %, within 10 % of 60 %");
        check(">= 60%", 0.7, Verdict::Holds, "70 %, above 60 %");
        check("< 1 %", 0.0, Verdict::Holds, "0 %, below 1 %");
        check("<= 0 %", 0.0, Verdict::Holds, "0 %, below 0 %");
        check("<= 0 %", 0.01, Verdict::Violated, "1 %, over 0 %");
        check("6 Regions", 6.0, Verdict::Holds, "6, as stated: 6");
        check("6 Regions", 5.0, Verdict::Violated, "5, not 6");
        check("1M+", 1_200.0, Verdict::Unproven, "peak seen 1,200");
        check("1M+", 1e6, Verdict::Holds, "1,000,000 seen");
        check("1,000+ req/s", 40.0, Verdict::Unproven, "peak seen 40 req/s");
        check("≥ 3 replicas", 2.0, Verdict::Violated, "2, short of 3");
    }

    #[test]
    fn a_capacity_is_judged_by_its_peak() {
        let claim = parse_claim("1,000+ req/s").expect("a claim");
        let got = judge(&claim, &Figure::Value(40.0), Some(1_100.0));
        assert_eq!(got, (Verdict::Holds, "1,100 req/s seen".to_owned()));
    }

    #[test]
    fn without_a_value_there_is_a_reason() {
        let claim = parse_claim("< 200ms").expect("a claim");
        let cases = [
            (Figure::NoTraffic, Verdict::NoData, "no traffic in the window"),
            (Figure::NoData, Verdict::NoData, "the query finds nothing"),
            (Figure::Loading, Verdict::NoData, "not asked yet"),
            (Figure::Stale(0.1, 40), Verdict::Stale, "100 ms measured 40 s ago, nothing since"),
            (Figure::QueryError("no".into()), Verdict::NoData, "the query failed: no"),
        ];
        for (figure, verdict, reason) in cases {
            assert_eq!(judge(&claim, &figure, None), (verdict, reason.to_owned()));
        }
    }
}
