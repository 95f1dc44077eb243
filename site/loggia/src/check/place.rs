//! Where in a page something of a diagram or a claim is written.

use document::Page;
use std::ops::Range;

/// The first line of a diagram, `graph TD`; the start of the page when it is not found.
pub(super) fn of_diagram(page: &Page, diagram: usize) -> Range<usize> {
    lines(page, diagram).into_iter().next().map_or(0..0, |(at, line)| at..at + line.len())
}

/// The first line of a diagram that names a box, else its first line.
pub(super) fn of_box(page: &Page, diagram: usize, node: &str) -> Range<usize> {
    let mut lines = lines(page, diagram).into_iter();
    let found =
        lines.find_map(|(at, line)| after(line, node).map(|end| (at + end - node.len(), at + end)));
    found.map_or_else(|| of_diagram(page, diagram), |(start, end)| start..end)
}

/// The line `%% bind:` of a diagram that binds a box, else its first line.
pub(super) fn of_bind(page: &Page, diagram: usize, node: &str) -> Range<usize> {
    let binds = |line: &str| {
        let said = line.strip_prefix("%%").and_then(|rest| rest.trim().strip_prefix("bind:"));
        said.and_then(|rest| rest.split_once('=')).is_some_and(|(left, _)| left.trim() == node)
    };
    let found = lines(page, diagram).into_iter().find(|(_, line)| binds(line));
    found.map_or_else(|| of_diagram(page, diagram), |(at, line)| at..at + line.len())
}

/// Lines `%% bind:` of a diagram that do not say `BOX = NAME`.
pub(super) fn of_unread_binds(page: &Page, diagram: usize) -> Vec<Range<usize>> {
    let unread = |line: &str| {
        let said = line.strip_prefix("%%").and_then(|rest| rest.trim().strip_prefix("bind:"));
        let whole =
            |(left, right): (&str, &str)| !left.trim().is_empty() && !right.trim().is_empty();
        said.is_some_and(|rest| !rest.split_once('=').is_some_and(whole))
    };
    let lines = lines(page, diagram).into_iter().filter(|(_, line)| unread(line));
    lines.map(|(at, line)| at..at + line.len()).collect()
}

/// The first line of a diagram that names one box and then another, else its first line.
pub(super) fn of_edge(page: &Page, diagram: usize, from: &str, to: &str) -> Range<usize> {
    let mut lines = lines(page, diagram).into_iter();
    let found = lines.find_map(|(at, line)| {
        let end = after(line, from)?;
        let last = end + after(&line[end..], to)?;
        Some((at + end - from.len(), at + last))
    });
    found.map_or_else(|| of_diagram(page, diagram), |(start, end)| start..end)
}

/// A figure's label, else the start of the page.
pub(super) fn of_claim(page: &Page, label: &str) -> Range<usize> {
    let text = page.file.text();
    let quoted = serde_json::to_string(label).unwrap_or_default();
    let places = [quoted.as_str(), label].into_iter().filter(|words| !words.is_empty());
    places
        .filter_map(|words| text.find(words).map(|at| at..at + words.len()))
        .next()
        .unwrap_or(0..0)
}

/// The lines of a diagram with text, trimmed, with the offset of each in the page.
fn lines(page: &Page, diagram: usize) -> Vec<(usize, &str)> {
    let text = page.file.text();
    let Some(block) = page.diagrams().find(|block| block.index == diagram) else {
        return Vec::new();
    };
    // The fence may be indented or its lines end in another way: line by line finds it all the same.
    let mut wanted = block.source.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let Some(first) = wanted.peek().copied() else { return Vec::new() };
    let offset = |line: &str| line.as_ptr() as usize - text.as_ptr() as usize;
    let all: Vec<(usize, &str)> =
        text.lines().map(str::trim).map(|line| (offset(line), line)).collect();
    let wanted: Vec<&str> = wanted.collect();
    let starts = (0..all.len()).filter(|at| all[*at].1 == first);
    let matching = |start: usize| {
        let found: Vec<_> = all[start..]
            .iter()
            .copied()
            .filter(|(_, line)| !line.is_empty())
            .take(wanted.len())
            .collect();
        found.iter().map(|(_, line)| *line).eq(wanted.iter().copied()).then_some(found)
    };
    starts.into_iter().find_map(matching).unwrap_or_default()
}

/// The offset behind `word` where it stands on its own in `line`.
fn after(line: &str, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: &usize| {
        let (before, behind) = (&line[..*at], &line[at + word.len()..]);
        !before.ends_with(part) && !behind.starts_with(part)
    };
    let mut found = line.match_indices(word).map(|(at, _)| at);
    (!word.is_empty()).then(|| found.find(alone)).flatten().map(|at| at + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceFile;
    use document::{Book, Config};

    const TEXT: &str = "# Page\n\n```mermaid\ngraph TD\n  A --> B\n```\n\n- item\n\n  ```mermaid\n  graph TD\n\n  \
                        AB[One] --> A\n    A-->B & C\n  ```\n\n```kpi-grid\n[{\"label\": \"Page\", \"value\": \"1\"}]\n```\n";

    fn check(found: Range<usize>, line: u32, expected: &str) {
        let file = SourceFile::new("page.md", TEXT);
        assert_eq!((&TEXT[found.clone()], file.position(found.start).0), (expected, line));
    }

    #[test]
    fn places_are_found() {
        let file = SourceFile::new("page.md", TEXT);
        let book = Book::assemble(Config::default(), vec![file], None);
        let page = &book.pages[0];
        check(of_diagram(page, 0), 4, "graph TD");
        check(of_diagram(page, 1), 11, "graph TD");
        check(of_diagram(page, 7), 1, "");
        check(of_edge(page, 0, "A", "B"), 5, "A --> B");
        check(of_edge(page, 1, "A", "B"), 14, "A-->B");
        check(of_edge(page, 1, "AB", "A"), 13, "AB[One] --> A");
        check(of_edge(page, 1, "C", "A"), 11, "graph TD");
        check(of_box(page, 1, "C"), 14, "C");
        check(of_box(page, 1, "ghost"), 11, "graph TD");
        check(of_claim(page, "Page"), 18, "\"Page\"");
        check(of_claim(page, "Ghost"), 1, "");
    }
}
