//! `loggia fmt`: brings Markdown into an even form, or restores text that was decoded wrongly.
//!
//! `cli` hands in what was typed; `document` says what each file's text should be. A file is written
//! beside its old self and put in its place at once, never when somebody else saved it meanwhile.

use crate::cli::{EXIT_FAILURE, EXIT_FINDINGS, Talk};
use crate::out::put;
use crate::source::{self, FILE_BYTES_MAX};
use anyhow::{Context, bail};
use diagnostics::SourceFile;
use document::{Config, Doubt, Repair, format_page, repair_encoding};
use rayon::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Doubtful places that are printed for each file.
const DOUBTS_SHOWN_MAX: usize = 20;
/// Lines around a change in `--diff`.
const CONTEXT: usize = 3;
const BOM: &str = "\u{feff}";

/// What was typed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Write nothing, say what would change.
    pub check: bool,
    /// Show the changes.
    pub diff: bool,
    /// Restore text instead of formatting it.
    pub repair_encoding: bool,
}

/// Formats or restores every file below `paths`.
pub fn run(paths: &[PathBuf], options: Options, talk: Talk) -> anyhow::Result<ExitCode> {
    let mut files: Vec<(PathBuf, Config)> = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files.dedup_by(|a, b| a.0 == b.0);
    let outcomes: Vec<_> =
        files.par_iter().map(|(path, config)| (path, carry_out(path, config, options))).collect();
    let (mut changed, mut failed) = (0, 0);
    for (path, outcome) in &outcomes {
        match outcome {
            Ok(done) => {
                changed += usize::from(done.changed);
                done.print(&path.display().to_string(), options, talk);
            }
            Err(error) => {
                failed += 1;
                eprintln!("error: {error:#}");
            }
        }
    }
    if !talk.quiet {
        put(&(summary(outcomes.len(), changed, failed, options) + "\n"));
    }
    Ok(match (failed, changed) {
        (1.., _) => ExitCode::from(EXIT_FAILURE),
        (0, 1..) if options.check => ExitCode::from(EXIT_FINDINGS),
        _ => ExitCode::SUCCESS,
    })
}

fn summary(all: usize, changed: usize, failed: usize, options: Options) -> String {
    let files = |count: usize| match count {
        1 => "1 file".to_owned(),
        some => format!("{some} files"),
    };
    let verb = match (options.repair_encoding, options.check) {
        (false, false) => "formatted",
        (false, true) => "would format",
        (true, false) => "restored",
        (true, true) => "would restore",
    };
    let rest = all - changed - failed;
    let state = if options.repair_encoding { "sound" } else { "even already" };
    let mut line = format!("{verb} {}; {} {state}", files(changed), files(rest));
    if failed > 0 {
        line.push_str(&format!("; {} could not be read or written", files(failed)));
    }
    line
}

/// A named file, or all Markdown of a named book or folder.
fn collect(path: &Path, files: &mut Vec<(PathBuf, Config)>) -> anyhow::Result<()> {
    if path.is_file() {
        let is_markdown = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("md") || e.eq_ignore_ascii_case("markdown"));
        if !is_markdown {
            bail!(
                "`{}` is no Markdown file\nhelp: name files that end in .md, or a folder",
                path.display()
            );
        }
        files.push((path.to_owned(), Config::without_file()));
        return Ok(());
    }
    let book = source::list(path)?;
    let config = book.config().clone();
    files.extend(book.markdown_files().map(|file| {
        let file = file.strip_prefix(".").map(Path::to_owned).unwrap_or(file);
        (file, config.clone())
    }));
    Ok(())
}

/// What happened to one file.
struct Done {
    changed: bool,
    notes: Vec<String>,
    diff: String,
}

fn carry_out(path: &Path, config: &Config, options: Options) -> anyhow::Result<Done> {
    let name = path.display().to_string();
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes)
        .with_context(|| format!("`{name}` is not UTF-8\nhelp: save it as UTF-8 first"))?;
    let bare = text.strip_prefix(BOM).unwrap_or(text);
    let (new, notes) = if options.repair_encoding {
        match repair_encoding(bare) {
            Some(repair) => {
                let notes = tell_repair(&name, &repair);
                (repair.text, notes)
            }
            None => (bare.to_owned(), Vec::new()),
        }
    } else {
        let formatted = format_page(&SourceFile::new(name.as_str(), bare), config);
        let notes = formatted.kept.iter().map(|kept| tell_kept(&name, kept)).collect();
        (formatted.text, notes)
    };
    let changed = new != bare;
    let diff = if options.diff && changed { unified(&name, bare, &new) } else { String::new() };
    if changed && !options.check {
        let mark = if bare.len() < text.len() { BOM } else { "" };
        replace(path, &bytes, format!("{mark}{new}").as_bytes())?;
    }
    Ok(Done { changed, notes, diff })
}

impl Done {
    fn print(&self, name: &str, options: Options, talk: Talk) {
        if self.changed && (options.check || !talk.quiet) && !options.repair_encoding {
            put(&format!("{} {name}\n", if options.check { "would format" } else { "formatted" }));
        }
        if options.repair_encoding || !talk.quiet {
            self.notes.iter().for_each(|note| put(&format!("{note}\n")));
        }
        put(&self.diff);
    }
}

fn tell_kept(name: &str, kept: &document::Kept) -> String {
    match kept.line {
        0 => format!("note: {name} stays as it is: {}", kept.what),
        line => format!("note: {name}:{line}: {}: the page would read differently", kept.what),
    }
}

fn tell_repair(name: &str, repair: &Repair) -> Vec<String> {
    let times = match repair.passes {
        1 => "".to_owned(),
        some => format!(", {some} times over"),
    };
    let mut notes = vec![format!(
        "{name}: {} places in {} lines were UTF-8 read as {}{times}; {} had lost bytes, {} of them doubtful, {} left as they are",
        repair.places, repair.lines, repair.code_page, repair.filled, repair.doubtful, repair.left
    )];
    let shown = repair.doubts.iter().take(DOUBTS_SHOWN_MAX);
    notes.extend(shown.map(|doubt| tell_doubt(name, doubt)));
    let more = repair.doubtful.saturating_sub(DOUBTS_SHOWN_MAX);
    if more > 0 {
        notes.push(format!("  and {more} more doubtful places"));
    }
    notes
}

fn tell_doubt(name: &str, doubt: &Doubt) -> String {
    let show = |c: &char| match c.is_alphanumeric() || u32::from(*c) > 0x2010 {
        true => format!("`{c}`"),
        false => format!("U+{:04X}", u32::from(*c)),
    };
    let others: Vec<String> = doubt.instead.iter().map(show).collect();
    format!(
        "  {name}:{}:{}: {} was put here; it may have been {}",
        doubt.line,
        doubt.column,
        show(&doubt.put),
        others.join(" or ")
    )
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let length = fs::metadata(path).with_context(cannot)?.len();
    if length > FILE_BYTES_MAX {
        bail!("`{}` is larger than {} MiB", path.display(), FILE_BYTES_MAX / 1024 / 1024);
    }
    fs::read(path).with_context(cannot)
}

/// Puts `new` in the place of a file that still holds `old`, with its permissions.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write `{}`", path.display());
    // A link stays a link: what it leads to is replaced.
    let target = path.canonicalize().with_context(cannot)?;
    let permissions = fs::metadata(&target).with_context(cannot)?.permissions();
    if permissions.readonly() {
        bail!("`{}` is write-protected", path.display());
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| -> anyhow::Result<()> {
        let mut file = fs::File::create_new(&beside)?;
        file.write_all(new)?;
        file.set_permissions(permissions)?;
        file.sync_all()?;
        if fs::read(&target)? != old {
            bail!("it was saved by somebody else meanwhile\nhelp: run the command again");
        }
        Ok(fs::rename(&beside, &target)?)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(cannot)
}

fn unified(name: &str, old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_file_that_changed_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        fs::write(&path, "new words").unwrap();
        let error = replace(&path, b"old words", b"formatted").unwrap_err();
        assert!(format!("{error:#}").contains("saved by somebody else"), "{error:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new words");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
        replace(&path, b"new words", b"formatted").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "formatted");
    }
}
