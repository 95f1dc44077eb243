//! `loggia build`: the walk in one function, read -> assemble -> render -> write, and `loggia clean`.

use crate::cli::{EXIT_FINDINGS, Talk};
use crate::{report, source};
use anyhow::{Context, bail};
use pages::{Assets, Site};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Lists what a build wrote, so that the next one removes what is no longer part of the site, and
/// nothing else.
const MANIFEST: &str = ".loggia-files";

/// Builds the book in `dir`. Exit code 0 built, 1 built with findings that fail.
pub fn run(dir: &Path, dest: Option<&Path>, strict: bool, talk: Talk) -> anyhow::Result<ExitCode> {
    let read = source::read(dir)?;
    let book = read.assemble(None);
    let dest = dest.unwrap_or(&read.build_dir);
    let mut output = Output::open(dest)?;

    let assets = Assets::embedded();
    let site = Site {
        book: &book,
        assets: &assets,
        live: false,
        reload: false,
        base: String::new(),
        now_ms: 0,
    };
    for page in &book.pages {
        output.write(&page.path, pages::render_page(&site, page, None, &[], false).as_bytes())?;
    }
    if let (Some(first), false) = (book.pages.first(), has_index(&book)) {
        let index = document::Page { path: "index.html".to_owned(), ..(**first).clone() };
        output
            .write("index.html", pages::render_page(&site, &index, None, &[], false).as_bytes())?;
    }
    for asset in assets.iter() {
        output.write(&asset.path, &asset.bytes)?;
    }
    for asset in &read.assets {
        let bytes = fs::read(read.pages_dir.join(asset))
            .with_context(|| format!("cannot read `{asset}`"))?;
        output.write(asset, &bytes)?;
    }
    output.finish()?;

    let findings = report::findings(&read, &book);
    report::print(&findings);
    if !talk.quiet {
        let pages = book.pages.len();
        let with = report::count(&findings).map(|n| format!(" with {n}")).unwrap_or_default();
        println!(
            "built {pages} page{} to {}{with}",
            if pages == 1 { "" } else { "s" },
            dest.display()
        );
    }
    Ok(if report::fails(&findings, strict) {
        ExitCode::from(EXIT_FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

/// Removes what `build` wrote, and the folder when nothing else is in it.
pub fn clean(dir: &Path, dest: Option<&Path>, talk: Talk) -> anyhow::Result<ExitCode> {
    let dest = match dest {
        Some(dest) => dest.to_owned(),
        None => source::read(dir)?.build_dir,
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
    let removed = output.before.len();
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

/// The folder that is written to.
struct Output {
    dir: PathBuf,
    before: BTreeSet<String>,
    written: BTreeSet<String>,
}

impl Output {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let manifest = dir.join(MANIFEST);
        let before = match fs::read_to_string(&manifest) {
            Ok(text) => text.lines().filter(|line| is_inside(line)).map(str::to_owned).collect(),
            Err(_) => {
                let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
                if occupied {
                    bail!(
                        "the folder `{}` holds files that `loggia build` did not write\nhelp: choose another one with --dest-dir, or empty it",
                        dir.display()
                    );
                }
                BTreeSet::new()
            }
        };
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
        let output = Self { dir: dir.to_owned(), before, written: BTreeSet::new() };
        output.save()?;
        Ok(output)
    }

    /// Writes one file, through a temporary one beside it: a reader never sees half a page.
    fn write(&mut self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let target = self.dir.join(path);
        let context = || format!("cannot write `{}`", target.display());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(context)?;
        }
        let half = target.with_extension("half-written");
        fs::write(&half, bytes).with_context(context)?;
        fs::rename(&half, &target).with_context(context)?;
        self.written.insert(path.to_owned());
        Ok(())
    }

    /// Writes the list of what is there now.
    fn save(&self) -> anyhow::Result<()> {
        let list: Vec<&str> = self.before.union(&self.written).map(String::as_str).collect();
        let path = self.dir.join(MANIFEST);
        fs::write(&path, list.join("\n") + "\n")
            .with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Removes what the build before wrote and this one did not, and writes the list anew.
    fn finish(mut self) -> anyhow::Result<()> {
        for stale in self.before.difference(&self.written) {
            let path = self.dir.join(stale);
            let _ = fs::remove_file(&path);
            let mut folder = path.parent();
            while let Some(dir) = folder.filter(|dir| *dir != self.dir) {
                if fs::remove_dir(dir).is_err() {
                    break;
                }
                folder = dir.parent();
            }
        }
        self.before.clear();
        self.save()
    }
}

impl Drop for Output {
    /// A build that ends early still knows its own files, so the next one may take the folder up.
    fn drop(&mut self) {
        let _ = self.save();
    }
}

fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}
