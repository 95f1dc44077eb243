//! A claim in words to a comparison with a bound. `document` hands in the words; `verdict` compares.
//!
//! Understood are a comparison (sign or words), a number (`1,000`, `1.5`, `10k`, `1M+`) and a unit, with
//! other words around them: "95th percentile < 500ms", "99.9% uptime", "6 Regions". Without a
//! comparison a unit decides: durations and sizes are upper bounds, rates, large counts ("50k users")
//! and what ends in `+` are capacities, percentages from 50 are lower bounds (unless the words speak of errors or of use),
//! anything else must be equal. Not understood are ranges, factors ("10x") and words alone.

use crate::units::{Unit, read_unit};
use serde::Serialize;

/// Longer texts are prose and no claims.
const CLAIM_CHARS_MAX: usize = 120;
/// From here a percentage without a comparison is meant to be reached, below to be kept under.
const REACHED_FROM: f64 = 0.5;
/// Words that make a percentage something to keep low.
const UNWANTED: [&str; 10] = [
    "error",
    "errors",
    "failure",
    "failures",
    "failed",
    "loss",
    "lost",
    "utilization",
    "utilisation",
    "usage",
];

/// How a measured value must stand to the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Below the bound.
    Less,
    /// Not above it.
    AtMost,
    /// Above it.
    Greater,
    /// Not below it.
    AtLeast,
    /// The bound itself.
    Equal,
}

/// What a document states of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// How the value must stand to the bound.
    pub comparison: Comparison,
    /// The bound in the base unit; always finite.
    pub bound: f64,
    /// The base unit: `s`, `ratio`, `1/s`, `bytes`, or `` for a count.
    pub unit: String,
    /// Says what the system could do rather than what it does: not reached is not refuted.
    pub is_capacity: bool,
}

/// Reads a claim; `None` when the words state nothing that can be measured.
pub fn parse_claim(words: &str) -> Option<Claim> {
    if words.chars().count() > CLAIM_CHARS_MAX {
        return None;
    }
    let text = words.replace('_', " ").replace(['\u{a0}', '\u{202f}'], " ").to_lowercase();
    let (comparison, rest) = split_comparison(&text);
    let (number, large, rest) = read_number(rest.trim_start())?;
    let (plus, rest) = take_plus(rest);
    let quantity = read_unit(rest)?;
    let (plus, rest) = if plus { (true, quantity.rest) } else { take_plus(quantity.rest) };
    let plus = plus || large && quantity.unit == Unit::Count;
    if starts_like_more(rest) {
        return None;
    }
    let bound = number * quantity.factor;
    let implied = implied(quantity.unit, bound, plus, &text);
    let comparison = comparison.unwrap_or(implied);
    let lower = matches!(comparison, Comparison::AtLeast | Comparison::Greater);
    bound.is_finite().then(|| Claim {
        comparison,
        bound,
        unit: quantity.unit.base().to_owned(),
        is_capacity: lower && can_be_capacity(quantity.unit, plus),
    })
}

/// A rate that is stated as a lower bound, or any amount with a `+`: nobody loads a system to its
/// limit all day. Shares are not capacities.
fn can_be_capacity(unit: Unit, plus: bool) -> bool {
    unit == Unit::PerSecond || plus && unit != Unit::Ratio
}

fn implied(unit: Unit, bound: f64, plus: bool, text: &str) -> Comparison {
    let unwanted = text.split(|c: char| !c.is_alphabetic()).any(|word| UNWANTED.contains(&word));
    match unit {
        _ if plus => Comparison::AtLeast,
        Unit::Seconds | Unit::Bytes => Comparison::AtMost,
        Unit::PerSecond => Comparison::AtLeast,
        Unit::Ratio if unwanted || bound < REACHED_FROM => Comparison::AtMost,
        Unit::Ratio => Comparison::AtLeast,
        Unit::Count => Comparison::Equal,
    }
}

/// The comparison and what follows it. A sign may have words before it ("p95 < 1s"); comparing words
/// and bare numbers stand at the beginning.
fn split_comparison(text: &str) -> (Option<Comparison>, &str) {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less};
    const SIGNS: [(&str, Comparison); 10] = [
        ("<=", AtMost),
        ("=<", AtMost),
        (">=", AtLeast),
        ("=>", AtLeast),
        ("≤", AtMost),
        ("≥", AtLeast),
        ("<", Less),
        (">", Greater),
        ("==", Equal),
        ("=", Equal),
    ];
    const WORDS: [(&str, Comparison); 18] = [
        ("less than ", Less),
        ("lower than ", Less),
        ("under ", Less),
        ("below ", Less),
        ("at most ", AtMost),
        ("no more than ", AtMost),
        ("not more than ", AtMost),
        ("up to ", AtMost),
        ("within ", AtMost),
        ("max ", AtMost),
        ("maximum ", AtMost),
        ("more than ", Greater),
        ("over ", Greater),
        ("above ", Greater),
        ("at least ", AtLeast),
        ("no less than ", AtLeast),
        ("min ", AtLeast),
        ("minimum ", AtLeast),
    ];
    let text = text.trim();
    if let Some(at) = text.find(['<', '>', '=', '≤', '≥']) {
        let tail = &text[at..];
        if let Some((sign, comparison)) = SIGNS.iter().find(|(sign, _)| tail.starts_with(sign)) {
            return (Some(*comparison), &tail[sign.len()..]);
        }
    }
    for (word, comparison) in WORDS {
        if let Some(rest) = text.strip_prefix(word) {
            return (Some(comparison), rest);
        }
    }
    (None, text)
}

/// A number with its thousands separators and its magnitude (`k`, `m`, `million`), whether it had a
/// magnitude, and what follows.
fn read_number(text: &str) -> Option<(f64, bool, &str)> {
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let digits = digits.trim_end_matches(['.', ',']);
    let number: f64 = without_separators(digits)?.parse().ok()?;
    let (factor, rest) = magnitude(rest);
    Some((number * factor, factor > 1.0, rest))
}

/// `1,000` but not `1,5`: a comma that separates no thousands could be a decimal one.
fn without_separators(digits: &str) -> Option<String> {
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let separated = whole.contains(',');
    if separated && (first.len() > 3 || !groups.all(|group| group.len() == 3)) {
        return None;
    }
    let whole = whole.replace(',', "");
    match fraction {
        Some(fraction) if fraction.contains([',', '.']) => None,
        Some(fraction) => Some(format!("{whole}.{fraction}")),
        None => Some(whole),
    }
}

fn magnitude(rest: &str) -> (f64, &str) {
    const LETTERS: [(char, f64); 3] = [('k', 1e3), ('m', 1e6), ('b', 1e9)];
    const WORDS: [(&str, f64); 4] =
        [("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("mio", 1e6)];
    let spaced = rest.trim_start();
    for (word, factor) in WORDS {
        if let Some(after) = spaced.strip_prefix(word) {
            return (factor, after);
        }
    }
    for (letter, factor) in LETTERS {
        let after = rest.strip_prefix(letter);
        // Only a letter that ends the number: `10ms`, `5min` and `5mb` are units.
        if let Some(after) = after.filter(|after| !after.starts_with(char::is_alphanumeric)) {
            return (factor, after);
        }
    }
    (1.0, rest)
}

fn take_plus(rest: &str) -> (bool, &str) {
    match rest.trim_start().strip_prefix('+') {
        Some(after) => (true, after),
        None => (false, rest),
    }
}

/// Whether what is left makes the number something else: a range, a fraction, another bound.
fn starts_like_more(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.starts_with(['-', '–', '—', '/', ':', '±', '<', '>', '=', '×', '*'])
        || rest.starts_with(|c: char| c.is_ascii_digit())
        || rest.starts_with("to ") && rest.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less};

    #[test]
    fn words_become_claims() {
        let cases = [
            ("< 200ms", Less, 0.2, "s", false),
            ("<200 ms", Less, 0.2, "s", false),
            ("< 200ms response", Less, 0.2, "s", false),
            ("≤ 1.5 s", AtMost, 1.5, "s", false),
            ("under 2 seconds", Less, 2.0, "s", false),
            ("200 ms", AtMost, 0.2, "s", false),
            ("95th percentile < 500ms", Less, 0.5, "s", false),
            ("95th_percentile < 500ms", Less, 0.5, "s", false),
            ("P99: <= 1 min", AtMost, 60.0, "s", false),
            ("< 1 day for feature changes", Less, 86_400.0, "s", false),
            ("99.99%", AtLeast, 0.9999, "ratio", false),
            ("99.9% uptime", AtLeast, 0.999, "ratio", false),
            ("99.9 percent", AtLeast, 0.999, "ratio", false),
            ("99.9%+", AtLeast, 0.999, "ratio", false),
            ("< 0.1% error rate", Less, 0.001, "ratio", false),
            ("< 1 %", Less, 0.01, "ratio", false),
            ("0.1% error rate", AtMost, 0.001, "ratio", false),
            ("70% CPU usage", AtMost, 0.7, "ratio", false),
            ("2%", AtMost, 0.02, "ratio", false),
            ("> 1,000 rps", Greater, 1000.0, "1/s", true),
            ("1,000+ req/s", AtLeast, 1000.0, "1/s", true),
            ("> 1000_requests_per_second", Greater, 1000.0, "1/s", true),
            ("10k req/s", AtLeast, 10_000.0, "1/s", true),
            ("600 requests/min", AtLeast, 10.0, "1/s", true),
            ("< 5 errors/s", Less, 5.0, "1/s", false),
            ("1M+", AtLeast, 1e6, "", true),
            ("1M+ users", AtLeast, 1e6, "", true),
            ("2.5 million+ users", AtLeast, 2.5e6, "", true),
            ("50k users", AtLeast, 5e4, "", true),
            ("10 TB+", AtLeast, 1e13, "bytes", true),
            ("< 300 MB", Less, 3e8, "bytes", false),
            ("512 MiB", AtMost, 536_870_912.0, "bytes", false),
            ("6 Regions", Equal, 6.0, "", false),
            ("≥ 3 replicas", AtLeast, 3.0, "", false),
            ("< 3 clicks for key actions", Less, 3.0, "", false),
            ("Request Queue Length > 100", Greater, 100.0, "", false),
            ("0", Equal, 0.0, "", false),
        ];
        for (words, comparison, bound, unit, is_capacity) in cases {
            let claim = parse_claim(words).unwrap_or_else(|| panic!("`{words}` is a claim"));
            assert!((claim.bound - bound).abs() <= 1e-12 * bound.abs(), "{words}: {claim:?}");
            assert_eq!(
                (claim.comparison, claim.unit.as_str(), claim.is_capacity),
                (comparison, unit, is_capacity),
                "{words}"
            );
        }
    }

    #[test]
    fn what_cannot_be_measured_is_no_claim() {
        let cases = [
            "",
            "Instant",
            "Multi-AZ",
            "Zero critical vulnerabilities",
            "Handle 10x load",
            "10x",
            "24/7",
            "10-20 ms",
            "10 – 20 ms",
            "1,5 s",
            "v2.0",
            "1.2.3",
            "<",
            "< fast",
            "99.99.9%",
            "5 to 10 s",
            "300 MB/s",
            "5 GB per day",
            "~ 5",
            "2024-01-01",
            "+",
            "١٢",
            "10×",
        ];
        for words in cases {
            assert_eq!(parse_claim(words), None, "{words}");
        }
        assert_eq!(parse_claim(&format!("{} < 5", "x".repeat(200))), None);
        assert_eq!(
            parse_claim(&format!("< {}", "9".repeat(110))).map(|c| c.bound.is_finite()),
            Some(true)
        );
    }
}
