//! Reads a folder into the texts of a book. Commands and the server hand in the folder; the texts go
//! to [`document::Book::assemble_with_assets`].

mod again;

use crate::prepare::{self, Folders, Prepared, Reach};
use crate::rules::{self, RuleFiles};
use anyhow::{Context, bail};
use diagnostics::{Code, Diagnostic, SourceFile};
use document::{Book, CodeCache, Config};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// `book.toml`, where there is one.
    toml: Option<SourceFile>,
    /// All Markdown files as the author wrote them.
    files: Vec<SourceFile>,
    /// What they are when includes are filled in and preprocessors have run.
    prepared: Prepared,
    /// Paths below `pages_dir` of files that are no Markdown, with `/` between their parts.
    pub assets: Vec<String>,
    /// Files of the book's folder that go to the same path of the site: style sheets and scripts that
    /// `book.toml` adds.
    pub added: Vec<String>,
    /// Coloured code: a page that is parsed again takes from it what did not change.
    pub(crate) code: Arc<CodeCache>,
    findings: Vec<Diagnostic>,
    /// The rule files that `book.toml` names.
    pub(crate) rules: RuleFiles,
}

/// Reads `dir`: `book.toml` when it is there, and every Markdown file of the source folder; fills in
/// includes and runs the author's preprocessors.
pub fn read(dir: &Path) -> anyhow::Result<Source> {
    let mut source = list(dir)?;
    source.prepare();
    Ok(source)
}

/// As [`read`], without includes and without running anything: it makes no book, and tells which files
/// there are.
pub(crate) fn list(dir: &Path) -> anyhow::Result<Source> {
    let found = fs::metadata(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    if !found.is_dir() {
        bail!(
            "`{}` is a file\nhelp: name the folder that holds book.toml or the Markdown files",
            dir.display()
        );
    }
    let mut findings = Vec::new();
    let path = dir.join(BOOK_TOML);
    let mut toml = None;
    let (config, build_dir) = if path.is_file() {
        let (config, found) = match read_text(&path, BOOK_TOML)? {
            Ok(file) => {
                let read = Config::parse(&file);
                toml = Some(file);
                read
            }
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
            path.display()
        );
    }
    let mut source = Source {
        root: dir.to_owned(),
        pages_dir,
        build_dir,
        config,
        toml,
        files: Vec::new(),
        prepared: Prepared::default(),
        assets: Vec::new(),
        added: Vec::new(),
        code: Arc::default(),
        findings,
        rules: RuleFiles::default(),
    };
    source.add_from_root();
    source.rules = rules::read(&source.root, &source.config, source.toml.as_ref());
    source.walk()?;
    Ok(source)
}

/// Where `build` writes a book by default.
pub fn build_dir(dir: &Path) -> PathBuf {
    match read_text(&dir.join(BOOK_TOML), BOOK_TOML) {
        Ok(Ok(file)) => dir.join(Config::parse(&file).0.build_dir),
        _ => PathBuf::from("book"),
    }
}

impl Source {
    /// Makes the book; `previous` lends pages that did not change.
    pub fn assemble(&self, previous: Option<&Book>) -> Book {
        let assets: Vec<String> = self.assets.iter().chain(&self.added).cloned().collect();
        let mut draft = self.prepared.draft.clone();
        draft.code = Arc::clone(&self.code);
        let mut book = Book::assemble_draft(self.config.clone(), draft, Some(&assets), previous);
        if let Some(toml) = &self.toml {
            let found = book.check_redirects(toml, &assets).into_iter();
            let found: Vec<Diagnostic> = found.filter_map(|found| book.admit(found)).collect();
            book.diagnostics.extend(found);
        }
        let themed = crate::theme::problems(&self.root, &self.config);
        let ruled = self.rules.findings.iter().cloned();
        let read = self.findings.iter().cloned().chain(themed).chain(ruled);
        let read = read.filter_map(|found| book.admit(found));
        let read: Vec<Diagnostic> = read.collect();
        let queries = self.check_queries(&book).into_iter();
        let queries: Vec<Diagnostic> = queries.filter_map(|found| book.admit(found)).collect();
        book.diagnostics.splice(0..0, read);
        book.diagnostics.extend(queries);
        book
    }

    /// Fills in includes and runs preprocessors.
    fn prepare(&mut self) {
        let folders = Folders { root: &self.root, pages: &self.pages_dir };
        let files = self.files.clone();
        self.prepared = prepare::prepare(files, &self.config, self.toml.as_ref(), &folders);
    }

    /// Where an asset, or an added file, lies.
    pub fn file_of(&self, asset: &str) -> PathBuf {
        let added = self.added.iter().any(|added| added == asset);
        let folder = if added { &self.root } else { &self.pages_dir };
        folder.join(asset)
    }

    /// Path of a page, as in [`document::Page::source`], to the files that it includes, which may lie
    /// beside the folder of pages: when one of them changes, so does the page.
    pub fn includes(&self) -> BTreeMap<&str, Vec<PathBuf>> {
        let place =
            |paths: &BTreeSet<String>| paths.iter().map(|path| self.pages_dir.join(path)).collect();
        self.prepared.includes.iter().map(|(page, paths)| (page.as_str(), place(paths))).collect()
    }

    /// Files and folders that the book depends on and that need not lie in its folder of pages:
    /// included files, `build.extra-watch-dirs`, added style sheets and scripts.
    pub fn watched(&self) -> Vec<PathBuf> {
        let extra = &self.config.mdbook.extra_watch_dirs;
        let mut paths: BTreeSet<PathBuf> =
            extra.iter().chain(&self.added).map(|path| self.root.join(path)).collect();
        paths.extend(self.includes().into_values().flatten());
        // The book's own folder is watched anyway, and is not to be walked through.
        paths.extend(self.rules.watched.iter().filter(|path| **path != self.root).cloned());
        paths.into_iter().collect()
    }

    /// Whether a `SUMMARY.md` says which pages there are.
    pub(crate) fn has_summary(&self) -> bool {
        self.files.iter().any(|file| file.path() == "SUMMARY.md")
    }

    /// What `book.toml` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What is wrong with `book.toml`, with files that cannot be read, and with rules.
    pub(crate) fn own_findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.findings.iter().chain(&self.rules.findings)
    }

    /// As `search = false` in `book.toml`.
    pub fn leave_search_out(&mut self) {
        self.config.search_off = true;
    }

    /// Every Markdown file that could be read.
    pub(crate) fn markdown_files(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|file| self.pages_dir.join(file.path()))
    }

    /// The path of a finding's file (relative to the source folder, or to that of `book.toml`) as it can be opened
    /// from the folder where the command was typed.
    pub(crate) fn path_from_here(&self, file: &str) -> String {
        // A theme's file lies beside `book.toml`, too.
        let at_root = || !self.pages_dir.join(file).exists() && self.root.join(file).exists();
        let folder = if file == BOOK_TOML || at_root() { &self.root } else { &self.pages_dir };
        let path = folder.join(file);
        path.strip_prefix(".").unwrap_or(&path).display().to_string()
    }

    /// PromQL of the authors' that does not parse. `document` stands below `promql` and cannot tell.
    fn check_queries(&self, book: &Book) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for page in &book.pages {
            let of_kpis = page.kpis().filter_map(|kpi| Some((kpi.query.as_ref()?, &kpi.label)));
            let of_charts = page.charts().flat_map(|chart| {
                chart.options.lines.iter().map(move |line| (&line.query, &chart.title))
            });
            for (query, label) in of_kpis.chain(of_charts) {
                let Err(error) = promql::Query::parse(&query.replace("$window", "1m")) else {
                    continue;
                };
                let Some(file) =
                    self.prepared.draft.files.iter().find(|file| file.path() == page.source)
                else {
                    continue;
                };
                let place = place_of_query(file.text(), query, label);
                found.push(
                    Diagnostic::at(Code::Query, file, place, format!("{error}"))
                        .with_label(format!("the query of `{label}`"))
                        .with_help(
                            "the query must be PromQL; `$window` stands for the window of time",
                        ),
                );
            }
        }
        found
    }

    /// Finds the style sheets and scripts that `book.toml` adds to every page.
    fn add_from_root(&mut self) {
        let Some(toml) = &self.toml else { return };
        let settings = &self.config.mdbook;
        for listed in settings.additional_css.iter().chain(&settings.additional_js) {
            let path = listed.trim_start_matches("./");
            let inside = Path::new(path)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            let reason = match (inside, self.root.join(path).is_file()) {
                (true, true) => {
                    self.added.push(path.to_owned());
                    continue;
                }
                (true, false) => "does not exist",
                (false, _) => "lies outside of the book",
            };
            let at = toml.text().find(listed.as_str()).unwrap_or(0);
            self.findings.push(
                Diagnostic::at(
                    Code::Config,
                    toml,
                    at..at + listed.len(),
                    format!("`{listed}` {reason}"),
                )
                .with_help("the path starts at the folder of `book.toml`"),
            );
        }
    }

    /// Finds the assets, and reads the Markdown.
    fn walk(&mut self) -> anyhow::Result<()> {
        let build_dir = self.build_dir.canonicalize().ok();
        let theme_dir = crate::theme::folder(&self.root, &self.config);
        let reach = Reach::of(&Folders { root: &self.root, pages: &self.pages_dir });
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
            let linked = entry.path_is_symlink() && reach.allows(entry.path());
            if !(entry.file_type().is_file() || linked && entry.path().is_file()) {
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

/// Names, lengths and times of change of `book.toml` and of all files of the source folder, as one
/// number: as long as it stays the same nothing was saved. `others` are files and folders elsewhere.
pub(crate) fn stamp(root: &Path, pages_dir: &Path, others: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let walk = |folder: &Path| {
        let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
        entries.filter_entry(|entry| entry.depth() == 0 || !is_foreign(entry))
    };
    let files = walk(pages_dir).filter_map(Result::ok).map(walkdir::DirEntry::into_path);
    let beside = others
        .iter()
        .flat_map(|path| walk(path).filter_map(Result::ok).take(ASSETS_MAX))
        .map(walkdir::DirEntry::into_path);
    for path in files.chain([root.join(BOOK_TOML)]).chain(beside) {
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
