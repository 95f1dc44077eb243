//! Cuts lines out of an included file, by number or between anchors.
//!
//! `include` hands in the text and the place that `directive` read.

use crate::directive::Place;

/// The lines of a place. With `rest_hidden` all others are kept too, hidden as `rustdoc` hides them.
pub(crate) fn take(text: &str, place: &Place, rest_hidden: bool) -> String {
    let mut taken: Vec<String> = Vec::new();
    let mut push = |line: &str, inside: bool| {
        if inside {
            taken.push(line.to_owned());
        } else if rest_hidden {
            taken.push(format!("# {line}"));
        }
    };
    match place {
        Place::Lines { from, to } => {
            for (at, line) in text.lines().enumerate() {
                push(line, at >= *from && to.is_none_or(|to| at < to));
            }
        }
        Place::Anchor(name) => {
            let mut inside = false;
            let mut over = false;
            for line in text.lines() {
                match (begins(line), ends(line)) {
                    (Some(begun), _) if !inside => inside |= begun == name && !over,
                    (_, Some(ended)) if inside && ended == name => {
                        inside = false;
                        // A plain include takes the first stretch only.
                        over = !rest_hidden;
                    }
                    (None, None) => push(line, inside),
                    _ => {}
                }
            }
        }
    }
    taken.join("\n")
}

/// Whether an anchor of this name begins somewhere.
pub(crate) fn has_anchor(text: &str, name: &str) -> bool {
    text.lines().any(|line| begins(line) == Some(name))
}

fn begins(line: &str) -> Option<&str> {
    named(line, "ANCHOR:")
}

fn ends(line: &str) -> Option<&str> {
    named(line, "ANCHOR_END:")
}

/// The name behind a mark, anywhere in the line.
fn named<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.match_indices(mark).find_map(|(at, _)| {
        let rest = line[at + mark.len()..].trim_start();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_anchors() {
        const TEXT: &str =
            "a\n// ANCHOR: x\nb\n// ANCHOR: y\nc\n// ANCHOR_END: y\nd\n// ANCHOR_END: x\ne\n";
        let lines = |from, to| Place::Lines { from, to };
        let anchor = |name: &str| Place::Anchor(name.to_owned());
        for (place, plain, hidden) in [
            (anchor("x"), "b\nc\nd", "# a\nb\nc\nd\n# e"),
            (anchor("y"), "c", "# a\n# b\nc\n# d\n# e"),
            (anchor("z"), "", "# a\n# b\n# c\n# d\n# e"),
        ] {
            assert_eq!(take(TEXT, &place, false), plain, "{place:?}");
            assert_eq!(take(TEXT, &place, true), hidden, "{place:?}");
        }
        for (place, plain, hidden) in [
            (lines(0, None), "a\nb\nc", "a\nb\nc"),
            (lines(1, Some(2)), "b", "# a\nb\n# c"),
            (lines(1, None), "b\nc", "# a\nb\nc"),
            (lines(7, Some(9)), "", "# a\n# b\n# c"),
            (lines(2, Some(1)), "", "# a\n# b\n# c"),
        ] {
            assert_eq!(take("a\nb\nc\n", &place, false), plain, "{place:?}");
            assert_eq!(take("a\nb\nc\n", &place, true), hidden, "{place:?}");
        }
        assert!(has_anchor(TEXT, "y") && !has_anchor(TEXT, "z"));
    }
}
