//! Lines of series in the scripts: a metric with its labels, and values in a short notation.

use series::{Labels, METRIC_NAME, stale_marker};

/// One value of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item {
    Gap,
    Value(f64),
    Native,
}

/// Reads `metric{a="b"} 1 2+1x3 _ stale`.
pub(crate) fn parse(line: &str) -> Option<(Labels, Vec<Item>)> {
    let (labels, rest) = parse_metric(line.trim())?;
    Some((labels, parse_values(rest)?))
}

/// Reads a metric; gives it and what follows.
fn parse_metric(line: &str) -> Option<(Labels, &str)> {
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace()).unwrap_or(line.len());
    let mut pairs: Vec<(String, String)> = Vec::new();
    if name_end > 0 {
        pairs.push((METRIC_NAME.to_owned(), line[..name_end].to_owned()));
    }
    let mut rest = &line[name_end..];
    if let Some(inner) = rest.strip_prefix('{').filter(|inner| !inner.starts_with('{')) {
        rest = parse_pairs(inner, &mut pairs)?;
    } else if name_end == 0 {
        return None;
    }
    Some((Labels::from_pairs(pairs), rest))
}

fn parse_pairs<'a>(mut rest: &'a str, pairs: &mut Vec<(String, String)>) -> Option<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some(after);
        }
        let (name, after, quoted) = match rest.chars().next()? {
            '"' => unquote(rest).map(|(name, after)| (name, after, true))?,
            _ => {
                let end = rest.find(['=', ' '])?;
                (rest[..end].to_owned(), &rest[end..], false)
            }
        };
        match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = unquote(value.trim_start())?;
                pairs.push((name, value));
                rest = after;
            }
            None if quoted => {
                pairs.push((METRIC_NAME.to_owned(), name));
                rest = after;
            }
            None => return None,
        }
    }
}

/// Reads a quoted text; gives it and what follows.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((out, &text[at + 1..]));
        }
        if c == '\\' && quote != '`' {
            match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                other => out.push(other),
            }
        } else {
            out.push(c);
        }
    }
    None
}

/// Reads the values of a line.
pub(crate) fn parse_values(text: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rest.starts_with("{{") {
            // A native histogram and what is done to it: `{{..}}+{{..}}x3`.
            let mut end = rest.find("}}")? + 2;
            while rest[end..].starts_with(['+', '-']) && rest[end + 1..].starts_with("{{") {
                end += rest[end..].find("}}")? + 2;
            }
            end += rest[end..].find(char::is_whitespace).unwrap_or(rest.len() - end);
            items.push(Item::Native);
            rest = rest[end..].trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        expand(&rest[..end], &mut items)?;
        rest = rest[end..].trim_start();
    }
    Some(items)
}

/// `5`, `_`, `_x3`, `stale`, `7x3` (four times), `1+2x3` (1 3 5 7).
fn expand(word: &str, items: &mut Vec<Item>) -> Option<()> {
    if let Some(times) = word.strip_prefix("_x") {
        items.extend(vec![Item::Gap; times.parse().ok()?]);
        return Some(());
    }
    match word {
        "_" => items.push(Item::Gap),
        "stale" => items.push(Item::Value(stale_marker())),
        _ => expand_numbers(word, items)?,
    }
    Some(())
}

fn expand_numbers(word: &str, items: &mut Vec<Item>) -> Option<()> {
    // No number in hexadecimal: `0x59` is sixty zeros.
    let Some((start, times)) = word.rsplit_once('x') else {
        items.push(Item::Value(number(word)?));
        return Some(());
    };
    let times: usize = times.parse().ok()?;
    if let Some(v) = number(start) {
        items.extend(vec![Item::Value(v); times + 1]);
        return Some(());
    }
    // The sign of the step is the last one that is not an exponent's.
    let sign = start
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !start[..*at].ends_with(['e', 'E', '+', '-']));
    let (at, _) = sign.last()?;
    let (mut v, step) = (number(&start[..at])?, number(&start[at..])?);
    for _ in 0..=times {
        items.push(Item::Value(v));
        v += step;
    }
    Some(())
}

/// A number in Go's notation.
pub(crate) fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(|v| sign * v as f64);
    }
    digits.parse::<f64>().ok().map(|v| sign * v)
}

/// A duration such as `1m30s`, or seconds; in milliseconds.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    if let Some(seconds) = number(text) {
        return Some((seconds * 1e3).round() as i64);
    }
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut total = 0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let next = rest[unit_at..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |at| unit_at + at);
        let unit = match &rest[unit_at..next] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        total += rest[..unit_at].parse::<i64>().ok()? * unit;
        rest = &rest[next..];
    }
    Some(sign * total)
}
