//! From files to a draft of the book: includes are filled in and preprocessors run, in mdBook's order.
//!
//! `source` hands in what it read from the folder and keeps what comes back.

use crate::preprocessor;
use crate::source::FILE_BYTES_MAX;
use diagnostics::{Code, Diagnostic, SourceFile};
use document::{Config, Draft, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folders of a book.
pub(crate) struct Folders<'a> {
    pub(crate) root: &'a Path,
    pub(crate) pages: &'a Path,
}

/// A draft and the files that its pages were made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prepared {
    pub(crate) draft: Draft,
    /// Path of a page to the files that it includes, all below the source folder or beside it.
    pub(crate) includes: BTreeMap<String, BTreeSet<String>>,
}

/// Walks the steps. What fails is a finding, and the book goes on without it.
pub(crate) fn prepare(
    files: Vec<SourceFile>,
    config: &Config,
    toml: Option<&SourceFile>,
    folders: &Folders<'_>,
) -> Prepared {
    let mut prepared = Prepared { draft: Draft::of_book(files, config), ..Prepared::default() };
    let steps = document::preprocessor_steps(config).unwrap_or_else(|names| {
        let message = format!("these preprocessors wait for each other: {}", names.join(", "));
        let place = config.mdbook.preprocessors.first().map_or(0..0, |one| one.span.clone());
        let found = Diagnostic::at(Code::Preprocessor, &book_toml(toml), place, message)
            .with_help("take one out of `before` or `after`");
        prepared.draft.findings.push(found);
        vec![Step::Index, Step::Links]
    });
    let reach = Reach::of(folders);
    let mut indexed = false;
    for step in &steps {
        match step {
            Step::Index => indexed = true,
            Step::Links => {
                let read = |path: &str| reach.read(path);
                prepared.includes = prepared.draft.expand_includes(&read);
            }
            Step::Run(one) => {
                let book_toml = book_toml(toml);
                let place = one.span.clone();
                if let Err(fault) = run(one, &mut prepared.draft, &book_toml, folders, indexed) {
                    let found =
                        Diagnostic::at(Code::Preprocessor, &book_toml, place, fault.message)
                            .with_help(fault.help);
                    prepared.draft.findings.push(found);
                }
            }
        }
    }
    prepared
}

fn book_toml(toml: Option<&SourceFile>) -> SourceFile {
    toml.cloned().unwrap_or_else(|| SourceFile::new(crate::source::BOOK_TOML, ""))
}

fn run(
    one: &document::Preprocessor,
    draft: &mut Draft,
    book_toml: &SourceFile,
    folders: &Folders<'_>,
    indexed: bool,
) -> Result<(), preprocessor::Fault> {
    let command = preprocessor::Command { config: one, root: folders.root };
    let wanted = match one.wanted() {
        Some(wanted) => wanted,
        None => command.supports()?,
    };
    if !wanted {
        return Ok(());
    }
    if !draft.has_summary() {
        return Err(preprocessor::Fault::new(
            format!("the preprocessor `{}` needs a `SUMMARY.md`", one.name),
            "list the chapters in `SUMMARY.md`, or take the preprocessor out",
        ));
    }
    let root = folders.root.canonicalize().unwrap_or_else(|_| folders.root.to_owned());
    let context =
        document::preprocessor_context(book_toml.text(), &root.to_string_lossy(), one.renderer());
    let input = serde_json::json!([context, draft.to_json(indexed)]).to_string();
    let Some(output) = command.run(input.into_bytes())? else { return Ok(()) };
    draft.take_json(&output).map_err(|reason| {
        preprocessor::Fault::new(
            format!("the preprocessor `{}` did not answer with a book: {reason}", one.name),
            "it must print the book as JSON, as mdBook 0.5 hands it over, and nothing else",
        )
    })
}

/// How far includes and links between files may reach: the repository that the book lies in, else the book's own folder.
/// The Rust book keeps its listings beside its source folder, so that folder alone is too narrow.
pub(crate) struct Reach {
    pages: PathBuf,
    outermost: PathBuf,
}

impl Reach {
    pub(crate) fn of(folders: &Folders<'_>) -> Self {
        let root = folders.root.canonicalize().unwrap_or_else(|_| folders.root.to_owned());
        let repository = root.ancestors().find(|folder| folder.join(".git").exists());
        let outermost = repository.unwrap_or(&root).to_owned();
        Self { pages: folders.pages.to_owned(), outermost }
    }

    /// Whether a file, links followed, lies within.
    pub(crate) fn allows(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| self.inside(&path).is_ok())
    }

    /// Whether a path without links lies within; the error is the reason in words.
    fn inside(&self, path: &Path) -> Result<(), String> {
        let Ok(inside) = path.strip_prefix(&self.outermost) else {
            return Err("it lies outside of the book's repository".to_owned());
        };
        match inside.components().any(|part| part.as_os_str() == ".git") {
            true => Err("it belongs to git".to_owned()),
            false => Ok(()),
        }
    }

    /// A file by its path below the folder of pages.
    fn read(&self, path: &str) -> Result<Arc<str>, String> {
        let path = self.pages.join(path).canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        })?;
        // Links were followed above, so a link to elsewhere is caught too.
        self.inside(&path)?;
        let found = fs::metadata(&path).map_err(|error| error.to_string())?;
        if !found.is_file() {
            return Err("it is no file".to_owned());
        }
        if found.len() > FILE_BYTES_MAX {
            return Err(format!("it is larger than {} MiB", FILE_BYTES_MAX / 1024 / 1024));
        }
        let bytes = fs::read(&path).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).into())
    }
}
