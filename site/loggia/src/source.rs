//! Reads a folder into the texts of a book. Commands and the server hand in the folder; the texts go
//! to [`document::Book::assemble_with_assets`].

mod again;

use anyhow::{Context, bail};
use diagnostics::{Code, Diagnostic, SourceFile};
use document::{Book, Config};
use rayon::prelude::*;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// A Markdown file or `book.toml` larger than this is refused.
pub const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A book with more Markdown files than this is refused.
pub const PAGES_MAX: usize = 20_000;
/// Of more files beside the Markdown the rest is left out.
pub const ASSETS_MAX: usize = 20_000;
/// Folders of other tools: large, and nobody's documents.
const BUILT: &[&str] = &["node_modules", "target"];
/// Name of the configuration.
pub const BOOK_TOML: &str = "book.toml";

/// A folder as it was found at one moment.
#[derive(Debug, Clone)]
pub struct Source {
    /// The folder that was named: `book.toml` stands in it, if anywhere.
    pub root: PathBuf,
    /// The folder of Markdown.
    pub pages_dir: PathBuf,
    /// Where `build` writes by default.
    pub build_dir: PathBuf,
    config: Config,
    files: Vec<SourceFile>,
    /// Paths below `pages_dir` of files that are no Markdown, with `/` between their parts.
    pub assets: Vec<String>,
    findings: Vec<Diagnostic>,
}

/// Reads `dir`: `book.toml` when it is there, and every Markdown file of the source folder.
pub fn read(dir: &Path) -> anyhow::Result<Source> {
    let found = fs::metadata(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    if !found.is_dir() {
        bail!(
            "`{}` is a file\nhelp: name the folder that holds book.toml or the Markdown files",
            dir.display()
        );
    }
    let mut findings = Vec::new();
    let toml = dir.join(BOOK_TOML);
    let (config, build_dir) = if toml.is_file() {
        let (config, found) = match read_text(&toml, BOOK_TOML)? {
            Ok(file) => Config::parse(&file),
            Err(finding) => (Config::without_file(), vec![finding]),
        };
        findings.extend(found);
        let build_dir = dir.join(&config.build_dir);
        (config, build_dir)
    } else {
        // A folder that holds documents and nothing of ours stays as it is: the site is written below
        // the folder where the command was typed.
        (Config::without_file(), PathBuf::from("book"))
    };
    let pages_dir = if config.src == "." { dir.to_owned() } else { dir.join(&config.src) };
    if !pages_dir.is_dir() {
        bail!(
            "the source folder `{}` does not exist\nhelp: make it, or name another one as `src` under [book] in `{}`",
            pages_dir.display(),
            toml.display()
        );
    }
    let mut source = Source {
        root: dir.to_owned(),
        pages_dir,
        build_dir,
        config,
        files: Vec::new(),
        assets: Vec::new(),
        findings,
    };
    source.walk()?;
    Ok(source)
}

impl Source {
    /// Makes the book; `previous` lends pages that did not change.
    pub fn assemble(&self, previous: Option<&Book>) -> Book {
        let mut book = Book::assemble_with_assets(
            self.config.clone(),
            self.files.clone(),
            &self.assets,
            previous,
        );
        let read = self.findings.iter().cloned().filter_map(|found| book.admit(found));
        let read: Vec<Diagnostic> = read.collect();
        let queries = self.check_queries(&book).into_iter();
        let queries: Vec<Diagnostic> = queries.filter_map(|found| book.admit(found)).collect();
        book.diagnostics.splice(0..0, read);
        book.diagnostics.extend(queries);
        book
    }

    /// Whether a `SUMMARY.md` says which pages there are.
    pub(crate) fn has_summary(&self) -> bool {
        self.files.iter().any(|file| file.path() == "SUMMARY.md")
    }

    /// What `book.toml` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every Markdown file that could be read.
    pub(crate) fn markdown_files(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|file| self.pages_dir.join(file.path()))
    }

    /// The path of a finding's file (relative to the source folder, or `book.toml`) as it can be opened
    /// from the folder where the command was typed.
    pub(crate) fn path_from_here(&self, file: &str) -> String {
        let folder = if file == BOOK_TOML { &self.root } else { &self.pages_dir };
        let path = folder.join(file);
        path.strip_prefix(".").unwrap_or(&path).display().to_string()
    }

    /// PromQL of the authors' that does not parse. `document` stands below `promql` and cannot tell.
    fn check_queries(&self, book: &Book) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for page in &book.pages {
            for kpi in page.kpis() {
                let Some(query) = &kpi.query else { continue };
                let Err(error) = promql::Query::parse(&query.replace("$window", "1m")) else {
                    continue;
                };
                let Some(file) = self.files.iter().find(|file| file.path() == page.source) else {
                    continue;
                };
                let place = place_of_query(file.text(), query, &kpi.label);
                found.push(
                    Diagnostic::at(Code::Query, file, place, format!("{error}"))
                        .with_label(format!("the query of `{}`", kpi.label))
                        .with_help(
                            "the query must be PromQL; `$window` stands for the window of time",
                        ),
                );
            }
        }
        found
    }

    fn walk(&mut self) -> anyhow::Result<()> {
        let build_dir = self.build_dir.canonicalize().ok();
        let theme_dir = crate::theme::folder(&self.root, &self.config);
        let entries = walkdir::WalkDir::new(&self.pages_dir)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| {
                let written =
                    || build_dir.is_some() && entry.path().canonicalize().ok() == build_dir;
                entry.depth() == 0
                    || !(is_foreign(entry)
                        || entry.path() == theme_dir
                        || entry.file_type().is_dir() && written())
            });
        let mut documents = Vec::new();
        for entry in entries {
            let entry =
                entry.with_context(|| format!("cannot read `{}`", self.pages_dir.display()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let relative = relative_path(&self.pages_dir, entry.path());
            let ending = entry.path().extension().and_then(|e| e.to_str()).unwrap_or_default();
            if !ending.eq_ignore_ascii_case("md") && !ending.eq_ignore_ascii_case("markdown") {
                if relative != BOOK_TOML && self.assets.len() < ASSETS_MAX {
                    self.assets.push(relative);
                }
                continue;
            }
            if documents.len() == PAGES_MAX {
                bail!("`{}` holds more than {PAGES_MAX} Markdown files", self.pages_dir.display());
            }
            documents.push((entry.into_path(), relative));
        }
        let read = documents.par_iter().map(|(path, name)| read_text(path, name));
        for file in read.collect::<anyhow::Result<Vec<_>>>()? {
            match file {
                Ok(file) => self.files.push(file),
                Err(finding) => self.findings.push(finding),
            }
        }
        if self.files.is_empty() && self.findings.is_empty() {
            bail!(
                "`{}` holds no Markdown file\nhelp: `loggia init {}` starts a book",
                self.pages_dir.display(),
                self.root.display()
            );
        }
        Ok(())
    }
}

/// Names, lengths and times of change of `book.toml` and of all files of the source folder and the
/// theme's, as one number: as long as it stays the same nothing was saved.
pub(crate) fn stamp(root: &Path, pages_dir: &Path, theme_dir: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let walk = |folder: &Path| {
        let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
        entries.filter_entry(|entry| entry.depth() == 0 || !is_foreign(entry))
    };
    let files = walk(pages_dir)
        .chain(walk(theme_dir))
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path);
    for path in files.chain([root.join(BOOK_TOML)]) {
        let Ok(found) = fs::metadata(&path) else { continue };
        (&path, found.len(), found.modified().ok()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Hidden files and folders of other tools.
fn is_foreign(entry: &walkdir::DirEntry) -> bool {
    let name = entry.file_name();
    is_hidden(name) || entry.file_type().is_dir() && BUILT.iter().any(|built| name == *built)
}

/// One text file, or the finding why it cannot be shown.
fn read_text(path: &Path, name: &str) -> anyhow::Result<Result<SourceFile, Diagnostic>> {
    let unreadable = |message: String, help: &str| {
        Diagnostic::at(Code::Unreadable, &SourceFile::new(name, ""), 0..0, message).with_help(help)
    };
    let bytes = match fs::metadata(path).and_then(|found| {
        if found.len() > FILE_BYTES_MAX { Ok(None) } else { fs::read(path).map(Some) }
    }) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return Ok(Err(unreadable(
                format!("the file is larger than {} MiB", FILE_BYTES_MAX / 1024 / 1024),
                "split it into several pages",
            )));
        }
        Err(error) => {
            return Ok(Err(unreadable(
                format!("cannot read the file: {error}"),
                "check its permissions",
            )));
        }
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Ok(SourceFile::new(name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Err(Diagnostic::at(
                Code::Unreadable,
                &SourceFile::new(name, text),
                at..at + 1,
                "the file is not UTF-8",
            )
            .with_help("save it as UTF-8; the mark shows the first byte that is not"))
        }
    })
}

fn place_of_query(text: &str, query: &str, label: &str) -> std::ops::Range<usize> {
    let in_json = serde_json::to_string(query).unwrap_or_default();
    let candidates = [in_json.trim_matches('"').to_owned(), query.to_owned(), label.to_owned()];
    candidates
        .iter()
        .filter(|needle| !needle.is_empty())
        .find_map(|needle| text.find(needle.as_str()).map(|at| at..at + needle.len()))
        .unwrap_or(0..0)
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

fn relative_path(base: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(base).unwrap_or(path);
    let parts: Vec<_> =
        relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
