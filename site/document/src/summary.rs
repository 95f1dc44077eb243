//! `SUMMARY.md` as mdBook knows it, to a tree of entries: prefix chapters, numbered chapters in parts,
//! suffix chapters, separators and drafts.
//!
//! `outline` hands in the text and finds the files that the entries mean. Where mdBook would end with
//! an error, here stands a mistake with its place, and what follows is still read.

use pulldown_cmark::{Event, HeadingLevel, OffsetIter, Parser, Tag, TagEnd};
use std::iter::Peekable;
use std::ops::Range;

/// Lists that are nested deeper than this are put at this depth.
const DEPTH_MAX: usize = 32;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) items: Vec<Item>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// A line of the summary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Part(String),
    Separator,
    Entry(Entry),
}

/// A chapter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) title: String,
    /// Empty outside of the numbered chapters.
    pub(crate) number: Vec<usize>,
    /// The link as it stands there; empty for a draft.
    pub(crate) target: String,
    pub(crate) span: Range<usize>,
    pub(crate) children: Vec<Entry>,
}

/// Something that mdBook would refuse.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) span: Range<usize>,
    pub(crate) message: &'static str,
    pub(crate) help: &'static str,
}

/// Reads the text of `SUMMARY.md`.
pub(crate) fn read(text: &str) -> Summary {
    let mut reader =
        Reader { events: Parser::new(text).into_offset_iter().peekable(), mistakes: Vec::new() };
    reader.skip_title();
    let items = reader.items();
    Summary { items, mistakes: reader.mistakes }
}

/// Where in the file the reader is: only between both affixes are chapters numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Prefix,
    /// Right below the title of a part, where a paragraph is no suffix chapter yet.
    PartBegins,
    Numbered,
    Suffix,
}

struct Reader<'a> {
    events: Peekable<OffsetIter<'a>>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    /// The first heading is the title of the summary, unless something stands above it.
    fn skip_title(&mut self) {
        while let Some((event, _)) = self.events.peek() {
            match event {
                Event::Html(_)
                | Event::InlineHtml(_)
                | Event::Start(Tag::HtmlBlock)
                | Event::End(TagEnd::HtmlBlock) => drop(self.events.next()),
                Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
                    self.words_until(TagEnd::Heading(HeadingLevel::H1));
                    return;
                }
                _ => return,
            }
        }
    }

    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut stage = Stage::Prefix;
        let mut numbered = 0;
        while let Some((event, span)) = self.events.next() {
            let after = match event {
                Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
                    self.expect_no_suffix(stage, &span);
                    let title = self.words_until(TagEnd::Heading(HeadingLevel::H1));
                    items.push(Item::Part(title));
                    Stage::PartBegins
                }
                Event::Start(Tag::List(_)) => {
                    self.expect_no_suffix(stage, &span);
                    let entries = self.list(&[], numbered, 0);
                    numbered += entries.len();
                    items.extend(entries.into_iter().map(Item::Entry));
                    Stage::Numbered
                }
                Event::Start(Tag::Paragraph) if stage == Stage::Numbered => Stage::Suffix,
                Event::Start(Tag::Link { dest_url, .. })
                    if matches!(stage, Stage::Prefix | Stage::Suffix) =>
                {
                    items.push(Item::Entry(self.entry(&dest_url, span, Vec::new())));
                    stage
                }
                Event::Rule => {
                    items.push(Item::Separator);
                    stage
                }
                Event::Start(tag) if !matches!(stage, Stage::Prefix | Stage::Suffix) => {
                    self.words_until(tag.into());
                    Stage::Numbered
                }
                _ => stage,
            };
            stage = after;
        }
        items
    }

    fn expect_no_suffix(&mut self, stage: Stage, span: &Range<usize>) {
        if stage == Stage::Suffix {
            self.mistakes.push(Mistake {
                span: span.start..span.start,
                message: "numbered chapters cannot follow suffix chapters",
                help: "put a list item's dash before the chapters above, or move them to the end",
            });
        }
    }

    /// The entries of a list whose start was read; `before` of its siblings came earlier.
    fn list(&mut self, parent: &[usize], before: usize, depth: usize) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut flattened = 0;
        while let Some((event, span)) = self.events.next() {
            match event {
                Event::Start(Tag::Item) => {
                    let mut number = parent.to_vec();
                    number.push(before + entries.len() + 1);
                    entries.push(self.item(number, span));
                }
                Event::Start(Tag::List(_)) if depth == DEPTH_MAX => flattened += 1,
                Event::Start(Tag::List(_)) => match entries.last_mut() {
                    Some(last) => {
                        let number = last.number.clone();
                        let below = self.list(&number, last.children.len(), depth + 1);
                        last.children.extend(below);
                    }
                    None => entries.extend(self.list(parent, before, depth + 1)),
                },
                Event::End(TagEnd::List(_)) if flattened > 0 => flattened -= 1,
                Event::End(TagEnd::List(_)) => break,
                _ => {}
            }
        }
        entries
    }

    /// The link at the front of a list item.
    fn item(&mut self, number: Vec<usize>, span: Range<usize>) -> Entry {
        self.events.next_if(|(event, _)| matches!(event, Event::Start(Tag::Paragraph)));
        let link =
            self.events.next_if(|(event, _)| matches!(event, Event::Start(Tag::Link { .. })));
        if let Some((Event::Start(Tag::Link { dest_url, .. }), span)) = link {
            return self.entry(&dest_url, span, number);
        }
        self.mistakes.push(Mistake {
            span: span.start..span.start,
            message: "a list item must begin with a link",
            help: "write `- [Title](file.md)`, or `- [Title]()` for a draft",
        });
        let ends = |event: &Event<'_>| {
            matches!(
                event,
                Event::Start(Tag::List(_)) | Event::End(TagEnd::Item | TagEnd::Paragraph)
            )
        };
        let mut title = String::new();
        while let Some((event, _)) = self.events.next_if(|(event, _)| !ends(event)) {
            push_words(&mut title, &event);
        }
        Entry { title, number, target: String::new(), span, children: Vec::new() }
    }

    fn entry(&mut self, target: &str, span: Range<usize>, number: Vec<usize>) -> Entry {
        let title = self.words_until(TagEnd::Link);
        Entry { title, number, target: target.to_owned(), span, children: Vec::new() }
    }

    /// Text without markup up to the end of an element, which is taken too.
    fn words_until(&mut self, end: TagEnd) -> String {
        let mut words = String::new();
        for (event, _) in self.events.by_ref() {
            if event == Event::End(end) {
                break;
            }
            push_words(&mut words, &event);
        }
        words
    }
}

fn push_words(words: &mut String, event: &Event<'_>) {
    match event {
        Event::Text(text) | Event::Code(text) => words.push_str(text),
        Event::SoftBreak => words.push(' '),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(entry: &Entry, depth: usize, out: &mut Vec<String>) {
        let number: String = entry.number.iter().map(|n| format!("{n}.")).collect();
        let indent = "  ".repeat(depth);
        out.push(format!("{indent}{number}{} <{}>", entry.title, entry.target));
        entry.children.iter().for_each(|child| show(child, depth + 1, out));
    }

    fn check(text: &str, expected: &[&str], mistakes: &[&str]) {
        let summary = read(text);
        let mut out = Vec::new();
        for item in &summary.items {
            match item {
                Item::Part(title) => out.push(format!("# {title}")),
                Item::Separator => out.push("---".to_owned()),
                Item::Entry(entry) => show(entry, 0, &mut out),
            }
        }
        assert_eq!(out, expected, "{text}");
        let found: Vec<String> = summary
            .mistakes
            .iter()
            .map(|mistake| {
                let line = text[..mistake.span.start].matches('\n').count() + 1;
                format!("{line}: {}", mistake.message)
            })
            .collect();
        assert_eq!(found, mistakes, "{text}");
    }

    #[test]
    fn summaries() {
        check(
            "<!-- hello -->\n\n# Summary of *all*\n\n[Intro](a.md)\n[More `code`\nhere](b.md)\n\n---\n\n\
             - [One](c.md)\n  - [One one](d.md)\n    - [Deep](<e f.md>)\n  - [Draft]()\n\n# Part\n\nsaid the *author*\n\n\
             * [Two](g.md)\n\n  spaced\n* [Three](h.md)\n\n---\n\n- [Four](i.md)\n  - [Five](j.md)\n\n[End](k.md)\n\n***\n\n[Last](l.md)\n",
            &[
                "Intro <a.md>",
                "More code here <b.md>",
                "---",
                "1.One <c.md>",
                "  1.1.One one <d.md>",
                "    1.1.1.Deep <e f.md>",
                "  1.2.Draft <>",
                "# Part",
                "2.Two <g.md>",
                "3.Three <h.md>",
                "---",
                "4.Four <i.md>",
                "  4.1.Five <j.md>",
                "End <k.md>",
                "---",
                "Last <l.md>",
            ],
            &[],
        );
        check("- [A](a.md)\n# Part\n- [B](b.md)\n", &["1.A <a.md>", "# Part", "2.B <b.md>"], &[]);
        check("", &[], &[]);
        check("# Only a title\n", &[], &[]);
        check("# T\n\n# Part\n\n[no chapter](a.md)\n", &["# Part"], &[]);
    }

    #[test]
    fn mistakes_do_not_end_the_reading() {
        check(
            "- [A](a.md)\n\n[End](b.md)\n\n- [B](c.md)\n",
            &["1.A <a.md>", "End <b.md>", "2.B <c.md>"],
            &["5: numbered chapters cannot follow suffix chapters"],
        );
        check(
            "- Folder `x`\n  - [A](a.md)\n- [B](b.md)\n",
            &["1.Folder x <>", "  1.1.A <a.md>", "2.B <b.md>"],
            &["1: a list item must begin with a link"],
        );
    }

    #[test]
    fn nesting_has_an_end() {
        let text: String =
            (0..200).map(|depth| format!("{}- [x](x{depth}.md)\n", "  ".repeat(depth))).collect();
        let summary = read(&text);
        let mut depth = 0;
        let Some(Item::Entry(mut entry)) = summary.items.into_iter().next() else {
            panic!("no entry");
        };
        while let Some(next) = entry.children.into_iter().next() {
            entry = next;
            depth += 1;
        }
        assert_eq!(depth, DEPTH_MAX);
    }
}
