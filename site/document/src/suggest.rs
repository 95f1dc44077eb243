//! "did you mean": the nearest of the names that would have been right.

/// Longer names are not compared: the cost grows with the product of both lengths.
const COMPARED_CHARS_MAX: usize = 64;

/// The candidate that differs least from `given`, when it is near enough to be a slip of the hand.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let limit = (given.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (slip(&given, &candidate.to_lowercase()), candidate))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", else what there is to choose from.
pub(crate) fn help<'a>(
    given: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    if let Some(near) = nearest(given, candidates.clone()) {
        return format!("did you mean `{near}`?");
    }
    const SHOWN: usize = 8;
    let all: Vec<&str> = candidates.into_iter().collect();
    if all.is_empty() {
        return format!("there are no {what}");
    }
    let shown: Vec<String> = all.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if all.len() > SHOWN { ", ..." } else { "" };
    format!("the {what} are {}{more}", shown.join(", "))
}

/// How far two names are apart; one that is cut short is near.
fn slip(given: &str, candidate: &str) -> usize {
    let cut = given.len() >= 3 && (candidate.starts_with(given) || given.starts_with(candidate));
    if cut && !candidate.is_empty() { 1 } else { distance(given, candidate) }
}

/// Levenshtein's distance in characters, with neighbours swapped counted as one.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > 4 || a.len().max(b.len()) > COMPARED_CHARS_MAX {
        return usize::MAX;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let names = ["orders", "payments", "auth", "guide/intro.md"];
        for (given, expected) in [
            ("order", Some("orders")),
            ("Ordres", Some("orders")),
            ("paymnets", Some("payments")),
            ("pay", Some("payments")),
            ("atuh", Some("auth")),
            ("guide/into.md", Some("guide/intro.md")),
            ("shipping", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), expected, "{given}");
        }
    }
}
