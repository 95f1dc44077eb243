//! Mutated files of the corpus end in a page, a configuration or a finding, never in a panic.
//!
//! The corpus lies in `tests/corpus`: pages, pages of which the front matter is changed, and
//! `book.toml`s. Set `LOGGIA_TEST_SEED` to a seed that was printed to see a run again, and
//! `LOGGIA_FUZZ_ROUNDS` for a longer one.

#![allow(clippy::unwrap_used)]

use diagnostics::SourceFile;
use document::{Book, Config, format_page, parse_page};
use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Mutations of each file in an ordinary run.
const ROUNDS: usize = 100;
/// Changes to one text.
const CHANGES_MAX: u64 = 6;
/// What is put in beside parts of the corpus itself.
const PARTS: &[&str] = &[
    "\0",
    "\r",
    "\n",
    "\n\n",
    "\t",
    "\u{feff}",
    "\u{202e}",
    "é",
    "🏗️",
    "---\n",
    "+++\n",
    "```",
    "```json frontmatter\n",
    "~~~",
    "{#a}",
    "{",
    "}",
    "[",
    "]",
    "](",
    "[^1]",
    "[^1]: ",
    "![",
    "<b>",
    "</b>",
    "<!--",
    "-->",
    "<a id=\"x\">",
    "> ",
    "> [!NOTE]\n",
    "- ",
    "    ",
    "| a | b |\n|--|--|\n",
    "|",
    "$",
    "$$",
    "\\",
    "\\(",
    "&",
    "&#0;",
    "*",
    "**",
    "_",
    "~~",
    "\"",
    "'",
    "=",
    ": ",
    "#",
    "{{#include a.md}}",
    "{{#",
    "}}",
    "[a]: b\n",
    "1e999",
    "99999999999999999999",
    "&a *a",
    "!!x",
    "<<: *a",
    "[[a]]\n",
    "[output.loggia]\n",
    "true",
    "service-map",
    "mermaid",
    "glossary",
    "kpi-grid",
];

/// A xorshift generator: the same numbers for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn mutate(text: &str, others: &[(String, String)], dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.roll() % CHANGES_MAX {
        let (a, b) = (dice.place(&text), dice.place(&text));
        let (from, to) = (a.min(b), a.max(b));
        let near = (from..to.min(from + 40)).rev().find(|at| text.is_char_boundary(*at));
        match dice.below(6) {
            0 => text.replace_range(from..near.unwrap_or(from), ""),
            1 => text.insert_str(a, PARTS[dice.below(PARTS.len())]),
            2 => text.replace_range(from..near.unwrap_or(from), PARTS[dice.below(PARTS.len())]),
            3 => {
                let copy = text[from..near.unwrap_or(from)].to_owned();
                text.insert_str(from, &copy.repeat(1 + dice.below(8)));
            }
            4 => {
                let other = &others[dice.below(others.len())].1;
                let start = dice.place(other);
                let part: String = other[start..].chars().take(60).collect();
                text.insert_str(a, &part);
            }
            _ => text.truncate(to),
        }
    }
    text
}

/// Name and text of the files in a folder of the corpus, by name.
fn corpus(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut files: Vec<(String, String)> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{} holds too little", folder.display());
    files
}

/// Hands mutations of every file to `read`; a panic is told with the text that led to it.
fn run(kind: &str, read: impl Fn(&str)) {
    let files = corpus(kind);
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("LOGGIA_TEST_SEED").unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into()
    });
    let rounds = number("LOGGIA_FUZZ_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let said = format!("{kind}: {} texts from LOGGIA_TEST_SEED={seed}", files.len() * rounds);
    let _ = writeln!(std::io::stderr(), "{said}");
    let mut dice = Dice(seed | 1 << 40);
    for round in 0..rounds {
        for (name, text) in &files {
            let text = if round == 0 { text.clone() } else { mutate(text, &files, &mut dice) };
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&text)));
            assert!(outcome.is_ok(), "LOGGIA_TEST_SEED={seed}, from {name}:\n{text:?}");
        }
    }
}

/// Every finding lies in the text.
fn check_places(file: &SourceFile, found: &[diagnostics::Diagnostic]) {
    let lines = file.text().split('\n').count() as u32 + 1;
    for finding in found {
        assert!(finding.line <= lines, "{finding:?} in {lines} lines");
    }
}

fn read_page(text: &str) {
    let file = SourceFile::new("a.md", text);
    let page = parse_page(&file, &Config::without_file());
    check_places(&file, &page.diagnostics);
    let book = Book::assemble(Config::without_file(), vec![file], None);
    book.check(&[], false);
}

#[test]
fn markdown() {
    run("markdown", read_page);
}

#[test]
fn markdown_formatted() {
    run("markdown", |text| {
        if text.len() < 600 {
            format_page(&SourceFile::new("a.md", text), &Config::without_file());
        }
    });
}

#[test]
fn front_matter() {
    run("frontmatter", read_page);
}

#[test]
fn book_toml() {
    run("book", |text| {
        let file = SourceFile::new("book.toml", text);
        let (config, found) = Config::parse(&file);
        check_places(&file, &found);
        assert!(!config.src.is_empty() && !config.build_dir.is_empty());
    });
}
