//! Reads a book's own theme: the folder whose files replace ours or are added to them.
//!
//! `build` and `serve` ask; the files go to [`pages::Assets`]. What stands in them is the author's
//! and trusted as `book.toml` is: `head.html`, `header.html` and `footer.html` are put into every page
//! as they are.

use diagnostics::{Code, Diagnostic, SourceFile};
use document::Config;
use pages::Assets;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that is taken where `output.loggia.theme` names none.
const USUAL: &str = "theme";
/// A larger file is left out.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Of more files the rest is left out.
const FILES_MAX: usize = 500;
/// Files of ours that stand in the folder itself.
const OURS: &[&str] =
    &["head.html", "header.html", "footer.html", "custom.css", "favicon.svg", "favicon.png"];
/// Folders whose files count.
const FOLDERS: &[&str] = &["css", "js", "img", "fonts"];
/// These stand in a theme of mdBook's. Its style sheets and scripts go with its templates, some under
/// names that we have too, so of such a folder only what is certainly ours is taken.
const MDBOOK: &[&str] =
    &["index.hbs", "book.js", "css/general.css", "css/chrome.css", "css/variables.css"];

/// The folder of the theme of the book in `root`, whether it exists or not.
pub(crate) fn folder(root: &Path, config: &Config) -> PathBuf {
    root.join(config.theme.as_deref().unwrap_or(USUAL))
}

/// The theme's files, ours with the book's own.
pub(crate) fn read(root: &Path, config: &Config) -> Assets {
    Assets::with_overrides(files(&folder(root, config)))
}

/// What of the theme cannot be used: a style sheet, a script or a piece of HTML that is no text, and
/// files that cannot be read or are too large.
pub(crate) fn problems(root: &Path, config: &Config) -> Vec<Diagnostic> {
    let folder = folder(root, config);
    let shown = config.theme.as_deref().unwrap_or(USUAL);
    let problem = |name: &String| {
        let bytes = match read_file(&folder.join(name))? {
            Ok(bytes) => bytes,
            Err(why) => return Some(unusable(&format!("{shown}/{name}"), "", 0, why)),
        };
        let is_text = [".html", ".css", ".js"].iter().any(|ending| name.ends_with(ending));
        let error = std::str::from_utf8(&bytes).err().filter(|_| is_text)?;
        let text = String::from_utf8_lossy(&bytes);
        let why = "the file is not UTF-8".to_owned();
        Some(unusable(&format!("{shown}/{name}"), &text, error.valid_up_to(), why))
    };
    names(&folder).iter().filter_map(problem).collect()
}

fn unusable(name: &str, text: &str, at: usize, why: String) -> Diagnostic {
    Diagnostic::at(Code::Unreadable, &SourceFile::new(name, text), at..at, why)
        .with_help("save it as UTF-8 text, in a size and with permissions that let it be read, or take it away")
}

/// Names relative to the folder, with `/` between their parts, and contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| Some((read_file(&folder.join(&name))?.ok()?, name));
    names(folder).into_iter().filter_map(read).map(|(bytes, name)| (name, bytes)).collect()
}

/// Names of the files that a theme may have; not all of them exist.
fn names(folder: &Path) -> Vec<String> {
    if !folder.is_dir() {
        return Vec::new();
    }
    let foreign = MDBOOK.iter().any(|name| folder.join(name).exists());
    let mut names: Vec<String> = OURS.iter().map(|&name| name.to_owned()).collect();
    for below in FOLDERS.iter().filter(|_| !foreign) {
        let Ok(entries) = fs::read_dir(folder.join(below)) else { continue };
        let found = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut found: Vec<String> = found.filter(|name| !name.starts_with('.')).collect();
        found.sort_unstable();
        names.extend(found.into_iter().map(|name| format!("{below}/{name}")));
    }
    names.truncate(FILES_MAX);
    names
}

/// The bytes of a file, or why there are none; nothing where there is no such file.
fn read_file(path: &Path) -> Option<Result<Vec<u8>, String>> {
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if found.len() > FILE_BYTES_MAX {
        let mib = FILE_BYTES_MAX / 1024 / 1024;
        return Some(Err(format!("the file is larger than {mib} MiB")));
    }
    Some(fs::read(path).map_err(|error| format!("cannot read the file: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_what_it_knows() {
        for (given, expected) in [
            (
                &["custom.css", "css/a.css", "notes.txt", "img/x.png"][..],
                &["custom.css", "css/a.css", "img/x.png"][..],
            ),
            (&["index.hbs", "head.hbs", "favicon.png", "css/print.css"], &["favicon.png"]),
            (&["css/general.css", "css/print.css", "fonts/fonts.css"], &[]),
            (&[], &[]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for name in given {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "x").unwrap();
            }
            let found: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
