//! Reads a book's own theme: the folder whose files replace ours or are added to them.
//!
//! `build` and `serve` ask; the files go to [`pages::Assets`]. What stands in them is the author's
//! and trusted as `book.toml` is: `head.html`, `header.html` and `footer.html` are put into every page
//! as they are.

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

/// Names relative to the folder, with `/` between their parts, and contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let foreign = MDBOOK.iter().any(|name| folder.join(name).exists());
    let mut names: Vec<String> = OURS.iter().map(|&name| name.to_owned()).collect();
    for below in FOLDERS.iter().filter(|_| !foreign) {
        let Ok(entries) = fs::read_dir(folder.join(below)) else { continue };
        let found = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut found: Vec<String> = found.filter(|name| !name.starts_with('.')).collect();
        found.sort_unstable();
        names.extend(found.into_iter().map(|name| format!("{below}/{name}")));
    }
    let read = |name: String| {
        let path = folder.join(&name);
        let small = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= FILE_BYTES_MAX);
        let bytes = small.then(|| fs::read(&path).ok()).flatten()?;
        Some((name, bytes))
    };
    names.into_iter().filter_map(read).take(FILES_MAX).collect()
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
