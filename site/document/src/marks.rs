//! Comments in code that mark lines, as Docusaurus (`// highlight-next-line`) and VitePress
//! (`// [!code ++]`) read them: the comments go, the lines stay marked.
//!
//! `listing` hands in a block's text.

/// What a comment says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `highlight-next-line`, `[!code highlight]`, also `focus`, `warning` and `error`.
    Marked,
    /// `[!code ++]`.
    Added,
    /// `[!code --]`.
    Removed,
}

/// The text without such comments, and the mark of each of its lines; `None` where there are none.
pub(crate) fn read(text: &str) -> Option<(String, Vec<Option<Mark>>)> {
    if !text.contains("highlight-") && !text.contains("[!code ") {
        return None;
    }
    let mut made = String::with_capacity(text.len());
    let mut marks = Vec::new();
    let (mut next, mut block) = (false, false);
    for line in text.split_inclusive('\n') {
        match comment(line.trim()) {
            Some("highlight-next-line") => next = true,
            Some("highlight-start") => block = true,
            Some("highlight-end") => block = false,
            _ => {
                let (rest, mark) = at_end(line);
                let before = (next || block).then_some(Mark::Marked);
                marks.push(mark.or(before));
                made.push_str(rest);
                if rest.len() < line.len() && line.ends_with('\n') {
                    made.push('\n');
                }
                next = false;
            }
        }
    }
    (made.len() < text.len()).then_some((made, marks))
}

/// The words of a line that is a comment and nothing else.
fn comment(line: &str) -> Option<&str> {
    const STYLES: [(&str, &str); 8] = [
        ("//", ""),
        ("/*", "*/"),
        ("{/*", "*/}"),
        ("<!--", "-->"),
        ("#", ""),
        ("--", ""),
        ("%", ""),
        (";", ""),
    ];
    STYLES
        .iter()
        .find_map(|(open, close)| line.strip_prefix(open)?.strip_suffix(close).map(str::trim))
}

/// The line without a `[!code ...]` comment at its end.
fn at_end(line: &str) -> (&str, Option<Mark>) {
    let none = (line, None);
    let Some(at) = line.find("[!code ") else { return none };
    let Some(word) = line[at + 7..].split(']').next().map(str::trim) else { return none };
    let mark = match word.split(':').next().unwrap_or_default() {
        "++" => Mark::Added,
        "--" => Mark::Removed,
        "highlight" | "hl" | "focus" | "warning" | "error" => Mark::Marked,
        _ => return none,
    };
    let before = line[..at].trim_end();
    let opened = ["//", "{/*", "/*", "<!--", "#", "--", "%", ";"];
    match opened.iter().find_map(|open| before.strip_suffix(open)) {
        Some(code) => (code.trim_end(), Some(mark)),
        None => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_mark_lines_and_go() {
        use Mark::{Added, Marked, Removed};
        for (source, text, marks) in [
            ("a\n// highlight-next-line\nb\nc\n", "a\nb\nc\n", vec![None, Some(Marked), None]),
            (
                "# highlight-start\na\nb\n# highlight-end\nc",
                "a\nb\nc",
                vec![Some(Marked), Some(Marked), None],
            ),
            ("{/* highlight-next-line */}\n<b/>\n", "<b/>\n", vec![Some(Marked)]),
            (
                "a // [!code ++]\nb # [!code --]\nc <!-- [!code focus] -->",
                "a\nb\nc",
                vec![Some(Added), Some(Removed), Some(Marked)],
            ),
        ] {
            assert_eq!(read(source), Some((text.to_owned(), marks)), "{source}");
        }
        for source in ["highlight-next-line\n", "x [!code ++]\n", "// [!code other]\n", "a\n"] {
            assert_eq!(read(source), None, "{source}");
        }
    }
}
