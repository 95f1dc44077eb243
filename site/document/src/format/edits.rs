//! Finds what may be made even in a Markdown text.
//!
//! The format's `mod` hands in the text and where its front matter ends; it makes the proposed changes,
//! as long as they keep the meaning. Positions come from comrak; nothing is printed from its tree, so
//! what an author wrote inside a block stays as it is, character by character.

use super::{json, table};
use comrak::nodes::{ListType, Node, NodeValue, Sourcepos};
use comrak::{Arena, Options, parse_document};
use std::collections::BTreeSet;
use std::ops::Range;

/// Fences whose JSON is laid out.
const JSON_FENCES: &[&str] = &["kpi-grid"];

/// Changes that are made together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// The first line that it touches, from 1.
    pub(super) line: usize,
    /// What stays undone without it, in words.
    pub(super) what: &'static str,
    edits: Vec<(Range<usize>, String)>,
}

/// Where the front matter's text stands, and where the body begins.
pub(super) struct Parts {
    pub(super) front: Range<usize>,
    pub(super) body: usize,
}

/// The text with these groups' changes.
pub(super) fn apply(text: &str, groups: &[&Group]) -> String {
    let mut edits: Vec<&(Range<usize>, String)> =
        groups.iter().flat_map(|group| &group.edits).collect();
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        if range.start < at {
            continue;
        }
        out.push_str(&text[at..range.start]);
        out.push_str(new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Everything that differs from the even form.
pub(super) fn propose(text: &str, parts: Parts) -> Vec<Group> {
    let arena = Arena::new();
    let root = parse_document(&arena, &text[parts.body..], &options());
    let mut finder = Finder::new(text, parts.body);
    finder.front_matter(&parts);
    for node in root.descendants() {
        finder.node(node);
    }
    finder.between_blocks(root);
    finder.white_space();
    finder.groups.sort_by_key(|group| group.line);
    finder.groups
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.tasklist = true;
    options.extension.strikethrough = true;
    options.extension.footnotes = true;
    options.extension.description_lists = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.parse.leave_footnote_definitions = true;
    options
}

struct Finder<'a> {
    text: &'a str,
    /// Of every line without its line feed; line 1 of the body is the first.
    lines: Vec<Range<usize>>,
    /// The body's first line in the file, from 1.
    first: usize,
    /// Lines of code and raw HTML: nothing in them is touched.
    closed: Vec<bool>,
    /// Lines that a change of a whole block covers already.
    taken: Vec<bool>,
    /// Lines at whose end a hard break stands.
    breaks: BTreeSet<usize>,
    groups: Vec<Group>,
}

impl<'a> Finder<'a> {
    fn new(text: &'a str, body: usize) -> Self {
        let mut lines = Vec::new();
        let mut at = body;
        for line in text[body..].split_inclusive('\n') {
            let length = line.trim_end_matches('\n').len();
            lines.push(at..at + length);
            at += line.len();
        }
        let count = lines.len();
        let first = text[..body].matches('\n').count() + 1;
        let (closed, taken) = (vec![false; count], vec![false; count]);
        Self { text, lines, first, closed, taken, breaks: BTreeSet::new(), groups: Vec::new() }
    }

    /// The source of line `at` of the body, from 0.
    fn line(&self, at: usize) -> &'a str {
        self.lines.get(at).map_or("", |line| &self.text[line.clone()])
    }

    fn is_blank(&self, at: usize) -> bool {
        self.line(at).trim().is_empty()
    }

    /// Lines of the body that a node covers, from 0, without blank ones at its end.
    fn covered(&self, place: Sourcepos) -> Range<usize> {
        let start = place.start.line.saturating_sub(1);
        let mut end = place.end.line.max(start + 1).min(self.lines.len());
        while end > start + 1 && self.is_blank(end - 1) {
            end -= 1;
        }
        start..end
    }

    /// Adds a group when it changes anything.
    fn propose(&mut self, at: usize, what: &'static str, edits: Vec<(Range<usize>, String)>) {
        if edits.iter().any(|(range, new)| self.text[range.clone()] != **new) {
            self.groups.push(Group { line: self.first + at, what, edits });
        }
    }

    /// Replaces whole lines from `column` (bytes) of the first one.
    fn replace_lines(
        &mut self,
        lines: Range<usize>,
        column: usize,
        what: &'static str,
        new: String,
    ) {
        let last = lines.end.checked_sub(1).filter(|last| *last >= lines.start);
        let (Some(first), Some(last)) =
            (self.lines.get(lines.start), last.and_then(|last| self.lines.get(last)))
        else {
            return;
        };
        let range = first.start + column..last.end;
        self.taken[lines.clone()].fill(true);
        self.propose(lines.start, what, vec![(range, new)]);
    }

    fn front_matter(&mut self, parts: &Parts) {
        let span = parts.front.clone();
        let is_json = self.text[..span.start].trim_start().starts_with("```");
        if !is_json || self.text[..span.start].trim_start().len() > 200 {
            return;
        }
        if let Some(new) = json::lay_out(&self.text[span.clone()]) {
            let line = self.text[..span.start].matches('\n').count() + 1;
            if self.text[span.clone()] != new {
                let what = "the front matter's JSON is not laid out";
                self.groups.push(Group { line, what, edits: vec![(span, new)] });
            }
        }
    }

    fn node(&mut self, node: Node<'_>) {
        let data = node.data();
        let place = data.sourcepos;
        let lines = self.covered(place);
        let column = place.start.column.saturating_sub(1);
        match &data.value {
            NodeValue::CodeBlock(code) => {
                let open = usize::from(code.fenced && code.closed && lines.len() > 1);
                self.closed[lines.start..lines.end].fill(true);
                if open == 1 {
                    self.closed[lines.start] = false;
                    self.closed[lines.end - 1] = false;
                }
                let top =
                    node.parent().is_some_and(|p| matches!(p.data().value, NodeValue::Document));
                let name = code.info.split_whitespace().next().unwrap_or_default();
                if top && open == 1 && column == 0 && JSON_FENCES.contains(&name) {
                    self.json_fence(lines);
                }
            }
            NodeValue::HtmlBlock(_) => self.closed[lines].fill(true),
            // A formula is not prose, whether this engine or another one draws it.
            NodeValue::Paragraph if lines.clone().any(|at| self.line(at).contains("$$")) => {
                self.closed[lines].fill(true);
            }
            NodeValue::Heading(heading) if heading.setext => {
                self.setext(heading.level, lines, column)
            }
            NodeValue::Heading(heading) => self.atx(heading.level, heading.closed, lines, column),
            NodeValue::Table(found) => {
                let prefix = self.line(lines.start).get(..column).unwrap_or_default();
                let rows: Option<Vec<&str>> =
                    lines.clone().map(|at| self.line(at).strip_prefix(prefix)).collect();
                let new = rows.and_then(|rows| table::align(&rows, &found.alignments, prefix));
                if let Some(new) = new {
                    self.replace_lines(lines, column, "the table's columns are not aligned", new);
                }
            }
            NodeValue::List(list) if list.list_type == ListType::Bullet => self.bullets(node),
            NodeValue::LineBreak => {
                self.breaks.insert(place.start.line.saturating_sub(1));
            }
            _ => {}
        }
    }

    fn json_fence(&mut self, lines: Range<usize>) {
        let inside = lines.start + 1..lines.end - 1;
        if inside.is_empty() {
            return;
        }
        let range = self.lines[inside.start].start..self.lines[inside.end - 1].end;
        if let Some(new) = json::lay_out(&self.text[range]) {
            let new = new.trim_end().to_owned();
            self.replace_lines(inside, 0, "the fence's JSON is not laid out", new);
        }
    }

    /// A title with a line of `=` or `-` below it becomes one with `#` before it.
    fn setext(&mut self, level: u8, lines: Range<usize>, column: usize) {
        let title = self.line(lines.start).get(column..).unwrap_or_default().trim();
        if lines.len() == 2 && !title.is_empty() {
            let new = format!("{} {title}", "#".repeat(usize::from(level)));
            self.replace_lines(lines, column, "the title keeps the line below it", new);
        }
    }

    /// One space behind the `#`, none at the end, and no `#` there.
    fn atx(&mut self, level: u8, closed: bool, lines: Range<usize>, column: usize) {
        let level = usize::from(level);
        let line = self.line(lines.start).get(column..).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let Some(title) = line[indent..].strip_prefix(&*"#".repeat(level)) else { return };
        let mut title = title.trim();
        if closed {
            title = title.trim_end_matches('#').trim_end();
        }
        let new = format!("{} {title}", "#".repeat(level));
        let new = new.trim_end().to_owned();
        self.replace_lines(
            lines.start..lines.start + 1,
            column,
            "the heading's spaces or closing `#` stay",
            new,
        );
    }

    /// `*` and `+` become `-`, in all items of a list at once.
    fn bullets(&mut self, list: Node<'_>) {
        let beside = |node: Option<Node<'_>>| {
            node.is_some_and(|node| matches!(node.data().value, NodeValue::List(_)))
        };
        if beside(list.previous_sibling()) || beside(list.next_sibling()) {
            return; // with the same marker both would be one list
        }
        let mut edits = Vec::new();
        for item in list.children() {
            let start = item.data().sourcepos.start;
            let Some(line) = self.lines.get(start.line.saturating_sub(1)) else { return };
            let at = line.start + start.column.saturating_sub(1);
            if !matches!(self.text.as_bytes().get(at), Some(b'*' | b'+' | b'-')) {
                return;
            }
            edits.push((at..at + 1, "-".to_owned()));
        }
        let first = list.data().sourcepos.start.line.saturating_sub(1);
        self.propose(first, "the list's items keep their markers", edits);
    }

    /// One blank line between two blocks of the page that touch each other.
    fn between_blocks(&mut self, root: Node<'_>) {
        let blocks: Vec<Node<'_>> = root.children().collect();
        for pair in blocks.windows(2) {
            let (one, other) = (pair[0].data(), pair[1].data());
            let (above, below) = (self.covered(one.sourcepos), self.covered(other.sourcepos));
            let left_alone = |value: &NodeValue| {
                matches!(value, NodeValue::HtmlBlock(_) | NodeValue::FootnoteDefinition(_))
            };
            if above.end != below.start || left_alone(&one.value) || left_alone(&other.value) {
                continue;
            }
            if let Some(line) = self.lines.get(below.start) {
                let at = line.start;
                let what = "no blank line is put between these blocks";
                self.propose(below.start, what, vec![(at..at, "\n".to_owned())]);
            }
        }
    }

    /// No space at the end of a line, no two blank lines in a row, one line feed at the end.
    fn white_space(&mut self) {
        let mut blank_before = self.first == 1;
        let last = (0..self.lines.len()).rev().find(|at| self.closed[*at] || !self.is_blank(*at));
        for at in 0..self.lines.len() {
            let range = self.lines[at].clone();
            let open = !self.closed[at] && !self.taken[at];
            let blank = open && self.is_blank(at);
            if blank && (blank_before || last.is_none_or(|last| at > last)) {
                let end = (range.end + 1).min(self.text.len());
                self.propose(at, "blank lines stay", vec![(range.start..end, String::new())]);
            } else if open {
                self.line_end(at);
            }
            blank_before = blank;
        }
        if !self.text.is_empty() && !self.text.ends_with('\n') && last.is_some() {
            let end = self.text.len();
            let at = self.lines.len().saturating_sub(1);
            if last == Some(at) {
                self.propose(
                    at,
                    "no line feed is put at the end",
                    vec![(end..end, "\n".to_owned())],
                );
            }
        }
    }

    fn line_end(&mut self, at: usize) {
        let line = self.line(at);
        let bare = line.trim_end_matches([' ', '\t']);
        if bare.len() == line.len() {
            return;
        }
        let range = self.lines[at].start + bare.len()..self.lines[at].end;
        let hard = self.breaks.contains(&at) && line.ends_with("  ") && !bare.is_empty();
        let new = if hard { "\\" } else { "" };
        self.propose(at, "spaces stay at the end of the line", vec![(range, new.to_owned())]);
    }
}
