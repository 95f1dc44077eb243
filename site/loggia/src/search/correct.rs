//! Slips of the keys: the book's word that is nearest to one that it does not have, by the same rules as
//! in `search.js`. `find` asks.

use super::words::{fold, runs};

/// Words up to this length stand for themselves.
const SHORT: usize = 2;
/// Words up to this length may differ by one edit, longer ones by two.
const MIDDLE: usize = 7;

/// The query with the nearest of `words`, the most frequent first, in place of those that are unknown;
/// nothing where one of them has none.
pub(super) fn corrected(query: &str, unknown: &[String], words: &[&str]) -> Option<String> {
    let near: Vec<(&str, &str)> = unknown
        .iter()
        .map(|term| Some((term.as_str(), nearest(term, words)?)))
        .collect::<Option<_>>()?;
    let (mut better, mut at) = (String::with_capacity(query.len()), 0);
    for (start, run) in runs(query) {
        let folded = fold(run);
        let Some((_, word)) = near.iter().find(|(term, _)| *term == folded) else { continue };
        better.push_str(&query[at..start]);
        better.push_str(word);
        at = start + run.len();
    }
    better.push_str(&query[at..]);
    (better != query).then_some(better)
}

fn nearest<'a>(term: &str, words: &[&'a str]) -> Option<&'a str> {
    let term: Vec<char> = term.chars().collect();
    let most = match term.len() {
        ..=SHORT => 0,
        _ if term.len() <= MIDDLE => 1,
        _ => 2,
    };
    let (mut best, mut least) = (None, most + 1);
    let mut letters = Vec::new();
    for word in words {
        letters.clear();
        letters.extend(word.chars());
        if letters.len().abs_diff(term.len()) >= least {
            continue;
        }
        let edits = distance(&term, &letters, least);
        if edits < least {
            (best, least) = (Some(*word), edits);
        }
        if least == 1 {
            break;
        }
    }
    best
}

/// Edits between two words, `limit` at most. Two neighbours that changed places are one edit (optimal
/// string alignment).
fn distance(a: &[char], b: &[char], limit: usize) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = same.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        if next.iter().min().is_none_or(|least| *least >= limit) {
            return limit;
        }
        (before, row) = (row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_put_right() {
        let words = ["order", "gateway", "orders", "checkout"];
        for (query, unknown, expected) in [
            ("gatewya", &["gatewya"][..], Some("gateway")),
            ("the Gatway, please", &["gatway"], Some("the gateway, please")),
            ("checkuot", &["checkuot"], Some("checkout")),
            ("cehckuot", &["cehckuot"], Some("checkout")),
            ("ordrs", &["ordrs"], Some("orders")),
            ("rdr", &["rdr"], None),
            ("gatewya qqxxqq", &["gatewya", "qqxxqq"], None),
            ("or", &["or"], None),
        ] {
            let unknown: Vec<String> = unknown.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(corrected(query, &unknown, &words).as_deref(), expected, "{query}");
        }
    }
}
