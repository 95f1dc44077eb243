//! mdBook's protocol for preprocessors: which run in which order, and the book as JSON.
//!
//! `config` reads what the author asks for; `loggia` runs the commands; `draft` hands out the book and
//! takes it back.

use crate::align::align;
use crate::{Chapter, Config, Draft, OutlineItem, links};
use diagnostics::SourceFile;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// The version of mdBook whose protocol this is; preprocessors compare it with the one they were made
/// for.
const MDBOOK_VERSION: &str = "0.5.4";
/// The renderer that preprocessors are told of: they make HTML for it, which is what is wanted.
const RENDERER: &str = "html";
/// The name under which `renderers` may also list us.
const OURS: &str = "loggia";
/// What mdBook does by itself.
const BUILT_IN: [&str; 2] = ["index", "links"];

/// `[preprocessor.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preprocessor {
    /// The table's name.
    pub name: String,
    /// `command`, else `mdbook-NAME`.
    pub command: String,
    /// Names of preprocessors that run later.
    pub before: Vec<String>,
    /// Names of preprocessors that run earlier.
    pub after: Vec<String>,
    /// `renderers`, when it says for which it runs; else it is asked.
    pub renderers: Option<Vec<String>>,
    /// Whether it may be missing.
    pub optional: bool,
    /// The place of the table's name in `book.toml`.
    pub span: Range<usize>,
}

impl Preprocessor {
    /// Whether the author says that it runs for us; `None` when it must be asked.
    pub fn wanted(&self) -> Option<bool> {
        let names = self.renderers.as_ref()?;
        Some(names.iter().any(|name| name == RENDERER || name == OURS))
    }

    /// The renderer to name in both calls.
    pub fn renderer(&self) -> &'static str {
        match &self.renderers {
            Some(names) if !names.iter().any(|name| name == RENDERER) => OURS,
            _ => RENDERER,
        }
    }
}

/// One step on the way from files to pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `README.md` becomes `index.md`.
    Index,
    /// Includes are filled in.
    Links,
    /// A command runs.
    Run(Preprocessor),
}

/// The steps in mdBook's order: whoever waits for nobody, by name; then whoever waits only for
/// those, by name; and so on. The error names those that wait for each other.
pub fn steps(config: &Config) -> Result<Vec<Step>, Vec<String>> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    if config.mdbook.default_preprocessors {
        waiting.extend(BUILT_IN.map(|name| (name, BTreeSet::new())));
    }
    let listed = &config.mdbook.preprocessors;
    waiting.extend(listed.iter().map(|one| (one.name.as_str(), BTreeSet::new())));
    for one in listed {
        for later in &one.before {
            if let Some(waits) = waiting.get_mut(later.as_str()) {
                waits.insert(&one.name);
            }
        }
        for earlier in &one.after {
            if waiting.contains_key(earlier.as_str())
                && let Some(waits) = waiting.get_mut(one.name.as_str())
            {
                waits.insert(earlier);
            }
        }
    }
    let mut steps = Vec::new();
    while !waiting.is_empty() {
        let free: Vec<&str> =
            waiting.iter().filter(|(_, waits)| waits.is_empty()).map(|(name, _)| *name).collect();
        if free.is_empty() {
            return Err(waiting.into_keys().map(str::to_owned).collect());
        }
        for name in free {
            waiting.remove(name);
            for waits in waiting.values_mut() {
                waits.remove(name);
            }
            steps.push(match (name, listed.iter().find(|one| one.name == name)) {
                ("index", _) => Step::Index,
                ("links", _) => Step::Links,
                (_, Some(one)) => Step::Run(one.clone()),
                (_, None) => continue,
            });
        }
    }
    Ok(steps)
}

/// What a preprocessor is told of the book: its folder and its whole `book.toml`.
pub fn context(book_toml: &str, root: &str, renderer: &str) -> serde_json::Value {
    let mut config = book_toml
        .parse::<toml::Table>()
        .ok()
        .and_then(|table| serde_json::to_value(table).ok())
        .unwrap_or_default();
    for key in ["book", "build", "rust", "output", "preprocessor"] {
        if config.get(key).is_none() {
            config[key] = serde_json::json!({});
        }
    }
    serde_json::json!({
        "root": root,
        "config": config,
        "renderer": renderer,
        "mdbook_version": MDBOOK_VERSION,
    })
}

/// A book as mdBook writes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JsonBook {
    /// Preprocessors made for mdBook before 0.5 call it `sections`.
    #[serde(alias = "sections")]
    items: Vec<JsonItem>,
}

#[derive(Debug, Serialize, Deserialize)]
enum JsonItem {
    Chapter(JsonChapter),
    Separator,
    PartTitle(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct JsonChapter {
    name: String,
    content: String,
    #[serde(default)]
    number: Option<Vec<u32>>,
    #[serde(default)]
    sub_items: Vec<JsonItem>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    source_path: Option<String>,
    #[serde(default)]
    parent_names: Vec<String>,
}

impl JsonBook {
    pub(crate) fn of(draft: &Draft, indexed: bool) -> Self {
        let files = by_id(&draft.files);
        let writer = Writer { files, indexed };
        let items = draft
            .plan
            .iter()
            .flatten()
            .map(|item| match item {
                OutlineItem::Part(title) => JsonItem::PartTitle(title.clone()),
                OutlineItem::Separator => JsonItem::Separator,
                OutlineItem::Chapter(chapter) => writer.item(chapter, &[]),
            })
            .collect();
        Self { items }
    }
}

/// Files by the [`crate::Page::id`] that they will have.
fn by_id(files: &[SourceFile]) -> HashMap<String, SourceFile> {
    files
        .iter()
        .map(|file| {
            (links::markdown_stem(file.path()).unwrap_or(file.path()).to_owned(), file.clone())
        })
        .collect()
}

struct Writer {
    files: HashMap<String, SourceFile>,
    indexed: bool,
}

impl Writer {
    fn item(&self, chapter: &Chapter, above: &[String]) -> JsonItem {
        let file = chapter.page.as_ref().and_then(|id| self.files.get(id));
        let mut below = above.to_vec();
        below.push(chapter.title.clone());
        let number = chapter.number.as_ref().map(|number| {
            number.split('.').filter_map(|part| part.parse().ok()).collect::<Vec<u32>>()
        });
        JsonItem::Chapter(JsonChapter {
            name: chapter.title.clone(),
            content: file.map(|file| file.text().to_owned()).unwrap_or_default(),
            number,
            sub_items: chapter.children.iter().map(|child| self.item(child, &below)).collect(),
            path: file.map(|file| self.path(file.path())),
            source_path: file.map(|file| file.path().to_owned()),
            parent_names: above.to_vec(),
        })
    }

    fn path(&self, path: &str) -> String {
        let (folder, name) =
            path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let readme =
            links::markdown_stem(name).is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
        match (readme && self.indexed, folder) {
            (false, _) => path.to_owned(),
            (true, "") => "index.md".to_owned(),
            (true, folder) => format!("{folder}/index.md"),
        }
    }
}

/// Takes the tree and the texts that a preprocessor made; the places of lines that stayed are kept.
pub(crate) fn take(draft: &mut Draft, book: JsonBook) {
    let known = draft.files.iter().map(|file| (file.path().to_owned(), file.clone())).collect();
    let mut reader = Reader { known, files: Vec::new(), seen: BTreeSet::new() };
    let plan = book
        .items
        .into_iter()
        .map(|item| match item {
            JsonItem::PartTitle(title) => OutlineItem::Part(title),
            JsonItem::Separator => OutlineItem::Separator,
            JsonItem::Chapter(chapter) => OutlineItem::Chapter(reader.chapter(chapter)),
        })
        .collect();
    draft.files = reader.files;
    draft.plan = Some(plan);
}

struct Reader {
    known: HashMap<String, SourceFile>,
    files: Vec<SourceFile>,
    seen: BTreeSet<String>,
}

impl Reader {
    fn chapter(&mut self, chapter: JsonChapter) -> Chapter {
        let JsonChapter { name, content, number, sub_items, path, source_path, .. } = chapter;
        let page = path.and_then(|path| self.page(path, source_path, content));
        let number =
            number.map(|parts| parts.iter().map(|part| format!("{part}.")).collect::<String>());
        let children = sub_items
            .into_iter()
            .filter_map(|item| match item {
                JsonItem::Chapter(child) => Some(self.chapter(child)),
                JsonItem::Separator | JsonItem::PartTitle(_) => None,
            })
            .collect();
        Chapter { title: name, number: number.filter(|text| !text.is_empty()), page, children }
    }

    /// Files the text and returns its page's id; `None` for a path that leaves the book.
    fn page(&mut self, path: String, source: Option<String>, content: String) -> Option<String> {
        let path = links::resolve("", &path)?;
        // A file keeps its name as long as its page keeps its address.
        let same = |source: &String| links::page_path(source) == links::page_path(&path);
        let source = source.filter(same).unwrap_or(path);
        if self.seen.insert(source.clone()) {
            self.files.push(match self.known.get(&source) {
                Some(file) if file.text() == content => file.clone(),
                Some(file) => {
                    let parts = align(file.written(), &content);
                    SourceFile::new(file.path(), file.written()).remade(content, parts)
                }
                None => SourceFile::new(source.as_str(), content),
            });
        }
        Some(links::markdown_stem(&source).unwrap_or(&source).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> Config {
        let (config, found) = Config::parse(&SourceFile::new("book.toml", toml));
        assert_eq!(found, [], "{toml}");
        config
    }

    #[test]
    fn order_of_steps() {
        for (toml, expected) in [
            ("", Ok(vec!["index", "links"])),
            ("[build]\nuse-default-preprocessors = false\n", Ok(vec![])),
            (
                "[preprocessor.gettext]\nafter = [\"links\"]\n[preprocessor.svgbob]\nafter = [\"gettext\"]\n[preprocessor.course]\n",
                Ok(vec!["course", "index", "links", "gettext", "svgbob"]),
            ),
            (
                "[preprocessor.z]\nbefore = [\"links\", \"nobody\"]\n",
                Ok(vec!["index", "z", "links"]),
            ),
            (
                "[preprocessor.a]\nafter = [\"b\"]\n[preprocessor.b]\nafter = [\"a\"]\n",
                Err(vec!["a", "b"]),
            ),
        ] {
            let found = steps(&config(toml)).map(|steps| {
                let name = |step: &Step| match step {
                    Step::Index => "index".to_owned(),
                    Step::Links => "links".to_owned(),
                    Step::Run(one) => one.name.clone(),
                };
                steps.iter().map(name).collect::<Vec<_>>()
            });
            let found = found.as_ref().map(|names| names.iter().map(String::as_str).collect());
            let found = found.map_err(|names| names.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{toml}");
        }
    }

    #[test]
    fn a_book_goes_out_and_comes_back() {
        let files = [
            ("README.md", "# Hello\n"),
            ("sub/README.md", "# Sub\n\ntext\n"),
            (
                "SUMMARY.md",
                "[Hi](README.md)\n\n# Part\n\n- [Sub](sub/README.md)\n  - [Draft]()\n\n---\n",
            ),
        ];
        let mut draft = Draft::of(files.map(|(path, text)| SourceFile::new(path, text)).to_vec());
        let before = draft.clone();
        let json = draft.to_json(true);
        assert_eq!(
            json["items"][2]["Chapter"]["path"], "sub/index.md",
            "mdBook's `index` has had its turn"
        );
        assert_eq!(json["items"][2]["Chapter"]["sub_items"][0]["Chapter"]["number"][1], 1);
        draft.take_json(json.to_string().as_bytes()).expect("it is a book");
        assert_eq!((&draft.files, &draft.plan), (&before.files, &before.plan));
        let changed = json.to_string().replace("text", "more\\n\\ntext");
        draft.take_json(changed.as_bytes()).expect("it is a book");
        let file = &draft.files[1];
        assert_eq!(file.text(), "# Sub\n\nmore\n\ntext\n");
        assert_eq!(file.position(file.text().len() - 2).0, 3);
        assert!(draft.take_json(b"hello").is_err());
    }
}
