//! `loggia build`: the walk in one function, read -> assemble -> render -> write, and `loggia clean`.
//!
//! Reading, parsing, rendering and writing each run on all processors.

mod address;
mod code;
pub(crate) mod extras;
mod output;
mod phases;
mod snapshot;

use crate::cli::{EXIT_FINDINGS, Talk};
use crate::{report, search, source, theme};
use address::Address;
use anyhow::{Context, bail};
use diagnostics::{Code, Diagnostic, SourceFile};
use document::Page;
use evidence::Evidence;
use output::{MANIFEST, Output};
use pages::{Navigation, Site};
use phases::Phases;
use rayon::prelude::*;
use snapshot::Charts;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a build is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The book: a folder with `book.toml`, or any folder of Markdown.
    pub dir: PathBuf,
    /// Where to write, instead of the folder that `book.toml` names.
    pub dest: Option<PathBuf>,
    /// Where the site will stand: a whole address or a path.
    pub base_url: Option<String>,
    /// A running server whose figures are baked in.
    pub snapshot: Option<String>,
    /// Whether warnings fail.
    pub strict: bool,
    /// Whether pages can be searched.
    pub search: bool,
    /// Whether the time of each phase is printed.
    pub timings: bool,
}

/// Builds a book. Exit code 0 built, 1 built with findings that fail.
pub fn run(options: &Options, talk: Talk) -> anyhow::Result<ExitCode> {
    let mut phases = Phases::start(talk.quiet);
    let mut read = source::read(&options.dir)?;
    if !options.search {
        read.leave_search_out();
    }
    let dest = options.dest.clone().unwrap_or_else(|| read.build_dir.clone());
    read.code = Arc::new(code::read(&dest));
    phases.end("read");
    let book = read.assemble(None);
    phases.end("parse");

    let config = read.config();
    let address = Address::parse(options.base_url.as_deref().or(config.base_url.as_deref()))?;
    let evidence = options.snapshot.as_deref().map(snapshot::take).transpose()?;
    let charts = match options.snapshot.as_deref() {
        Some(url) => snapshot::charts(url, &book)?,
        None => Charts::new(),
    };
    let output = Output::open(&dest)?;
    let (assets, navigation) = (theme::read(&options.dir, config), Navigation::new(&book));
    let site = Site {
        book: &book,
        navigation: &navigation,
        assets: &assets,
        live: false,
        version: None,
        base: String::new(),
        url: address.url.clone(),
        now_ms: evidence.as_ref().map_or_else(now_ms, |evidence| evidence.at),
        at: None,
        charts: &[],
        kept: None,
        asked: &[],
    };
    phases.end("prepare");

    write_pages(&output, &site, (evidence.as_ref(), &charts), &phases)?;
    pages::extras(&site).par_iter().try_for_each(|path| {
        let html = pages::render_extra(&site, path, evidence.as_ref());
        html.map_or(Ok(()), |html| output.write(path, html.as_bytes()))
    })?;
    phases.end("render and write");
    assets.iter().try_for_each(|asset| output.write(&asset.path, &asset.bytes))?;
    let mut findings = copy_files(&output, &read)?;
    for redirect in book.redirects().iter().filter(|redirect| !output.has(&redirect.path)) {
        output.write(&redirect.path, pages::render_redirect(&site, redirect).as_bytes())?;
    }
    extras::write(&output, &site, &address.path)?;
    if !read.config().search_off {
        write_search(&output, &site, evidence.as_ref())?;
        phases.end("search");
    }
    code::write(&read.code, &output)?;
    let changed = output.finish()?;
    phases.end("other files");

    findings.splice(0..0, report::findings(&read, &book));
    report::print(&findings);
    if options.timings {
        phases.print();
    }
    if !talk.quiet {
        println!("{}", summary(book.pages.len(), &dest, changed, &findings));
    }
    Ok(if report::fails(&findings, options.strict) {
        ExitCode::from(EXIT_FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

/// Every page, and its Markdown beside it.
fn write_pages(
    output: &Output,
    site: &Site,
    (evidence, charts): (Option<&Evidence>, &Charts),
    phases: &Phases,
) -> anyhow::Result<()> {
    let measured = |page: &Page| charts.get(&page.id).map_or(&[][..], Vec::as_slice);
    let counter = phases.counter(site.book.pages.len());
    let written = site.book.pages.par_iter().try_for_each(|page| -> anyhow::Result<()> {
        let site = Site { charts: measured(page), ..site.clone() };
        let html = pages::render_page(&site, page, evidence, &[], false);
        output.write(&page.path, html.as_bytes())?;
        output.write(&extras::markdown_path(page), page.file.text().as_bytes())?;
        counter.tick();
        Ok(())
    });
    counter.finish();
    written?;
    if let (Some(first), false) = (site.book.pages.first(), has_index(site.book)) {
        let index = Page { path: "index.html".to_owned(), ..(**first).clone() };
        let site = Site { charts: measured(first), ..site.clone() };
        let html = pages::render_page(&site, &index, evidence, &[], false);
        output.write("index.html", html.as_bytes())?;
    }
    Ok(())
}

/// The search index, and the page for searching.
fn write_search(output: &Output, site: &Site, evidence: Option<&Evidence>) -> anyhow::Result<()> {
    search::write(site.book, |path, bytes| output.write(path, bytes))?;
    if site.book.page_at(pages::SEARCH_PATH).is_none() {
        let page = pages::render_search(site, &pages::SearchView::default(), evidence);
        output.write(pages::SEARCH_PATH, page.as_bytes())?;
    }
    Ok(())
}

/// The author's files that are no pages; those that would stand where a page does are left out, and a
/// finding says so.
fn copy_files(output: &Output, read: &source::Source) -> anyhow::Result<Vec<Diagnostic>> {
    let added = read.added.iter().filter(|added| !read.assets.contains(added));
    let listed = read.assets.iter().chain(added);
    let (taken, free): (Vec<&String>, Vec<&String>) = listed.partition(|asset| output.has(asset));
    free.par_iter().try_for_each(|asset| {
        let bytes =
            fs::read(read.file_of(asset)).with_context(|| format!("cannot read `{asset}`"))?;
        output.write(asset, &bytes)
    })?;
    let left_out = |asset: &String| {
        let file = SourceFile::new(read.path_from_here(asset), "");
        let message =
            format!("a page or a file of the theme becomes `{asset}`, so this is left out");
        Diagnostic::at(Code::Config, &file, 0..0, message).with_help("rename one of them")
    };
    Ok(taken.into_iter().map(left_out).collect())
}

fn summary(pages: usize, dest: &Path, changed: usize, findings: &[Diagnostic]) -> String {
    let with = report::count(findings).map(|n| format!(" with {n}")).unwrap_or_default();
    let same = if changed == 0 { " (no file changed)" } else { "" };
    let ending = if pages == 1 { "" } else { "s" };
    format!("built {pages} page{ending} to {}{with}{same}", dest.display())
}

/// Milliseconds since 1970, by the system's clock.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Removes what `build` wrote, and the folder when nothing else is in it.
pub fn clean(dir: &Path, dest: Option<&Path>, talk: Talk) -> anyhow::Result<ExitCode> {
    let dest = match dest {
        Some(dest) => dest.to_owned(),
        None => source::build_dir(dir),
    };
    if !dest.exists() {
        if !talk.quiet {
            println!("nothing to remove: `{}` does not exist", dest.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !dest.join(MANIFEST).is_file() {
        bail!(
            "`{}` was not written by `loggia build`, so it stays\nhelp: remove it by hand if it can go",
            dest.display()
        );
    }
    let output = Output::open(&dest)?;
    let removed = output.files_before();
    output.finish()?;
    fs::remove_file(dest.join(MANIFEST)).with_context(|| "cannot remove the list of files")?;
    // Fails when the folder holds something else, which then stays.
    let _ = fs::remove_dir(&dest);
    if !talk.quiet {
        println!("removed {removed} files from {}", dest.display());
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn has_index(book: &document::Book) -> bool {
    book.pages.iter().any(|page| page.path == "index.html")
}
