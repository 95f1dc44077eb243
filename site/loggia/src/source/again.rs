//! Reads a folder again after some of its files changed, without a walk over all of it. `serve` hands
//! in what the system's watching named.

use super::{ASSETS_MAX, BOOK_TOML, BUILT, PAGES_MAX, Source, is_hidden, read, read_text};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

impl Source {
    /// The folder as it is after `changed`. Whatever is more than files that were saved, made or
    /// deleted (the configuration, a folder, a file that could not be read) is found by reading all.
    pub(crate) fn again(&self, changed: &[PathBuf]) -> anyhow::Result<Self> {
        let mut next = self.clone();
        for path in changed {
            match next.take_up(path)? {
                Taken::File | Taken::Foreign => {}
                Taken::More => {
                    let code = Arc::clone(&self.code);
                    return Ok(Self { code, ..read(&self.root)? });
                }
            }
        }
        next.prepare();
        Ok(next)
    }

    /// Whether a change at this path can change the book.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        path == self.root.join(BOOK_TOML)
            || self.name_below(path).is_some()
            || self.rules.concerns(path)
            || self.watched().iter().any(|watched| path.starts_with(watched))
    }

    /// The path below the source folder, unless it belongs to somebody else or is what we write.
    fn name_below(&self, path: &Path) -> Option<String> {
        let relative = path.strip_prefix(&self.pages_dir).ok()?;
        let theme = crate::theme::folder(&self.root, &self.config);
        if path.starts_with(&self.build_dir) || path.starts_with(theme) {
            return None;
        }
        let mut parts = Vec::new();
        for part in relative.components() {
            match part {
                Component::Normal(name) if !is_hidden(name) => parts.push(name.to_string_lossy()),
                _ => return None,
            }
        }
        let folders = parts.split_last().map_or(&[][..], |(_, folders)| folders);
        let foreign = folders.iter().any(|folder| BUILT.iter().any(|built| *folder == *built));
        (!foreign).then(|| parts.join("/"))
    }

    fn take_up(&mut self, path: &Path) -> anyhow::Result<Taken> {
        if path == self.root.join(BOOK_TOML) {
            return Ok(Taken::More);
        }
        if self.rules.concerns(path) {
            self.rules = crate::rules::read(&self.root, &self.config, self.toml.as_ref());
        }
        let Some(name) = self.name_below(path) else { return Ok(Taken::Foreign) };
        let is_file = path.symlink_metadata().map(|found| found.is_file());
        // Findings of the reading as a whole are about files that could not be read, or the limits.
        let simple =
            !name.is_empty() && self.findings.is_empty() && is_file.as_ref().is_ok_and(|is| *is);
        let known = self.files.iter().position(|file| file.path() == name);
        let asset = self.assets.iter().position(|asset| *asset == name);
        match (simple, is_file.is_err()) {
            (true, _) if is_markdown(path) => match (read_text(path, &name)?, known) {
                (Ok(file), Some(at)) => self.files[at] = file,
                (Ok(file), None) if self.files.len() < PAGES_MAX => self.files.push(file),
                _ => return Ok(Taken::More),
            },
            (true, _) => match asset {
                None if self.assets.len() < ASSETS_MAX => self.assets.push(name),
                None => return Ok(Taken::More),
                // Its bytes are read when somebody asks for them.
                Some(_) => {}
            },
            (false, true) => match (known, asset) {
                (Some(_), _) if self.files.len() == 1 => return Ok(Taken::More),
                (Some(at), _) => {
                    self.files.remove(at);
                }
                (None, Some(at)) => {
                    self.assets.remove(at);
                }
                // A file that came and went, or a folder that is gone.
                (None, None) if self.has_below(&name) => return Ok(Taken::More),
                (None, None) => {}
            },
            (false, false) => return Ok(Taken::More),
        }
        Ok(Taken::File)
    }

    fn has_below(&self, folder: &str) -> bool {
        let inside =
            |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.files.iter().any(|file| inside(file.path())) || self.assets.iter().any(|a| inside(a))
    }
}

/// What became of a change.
enum Taken {
    /// The file is as it is now.
    File,
    /// It is nothing of the book's.
    Foreign,
    /// The folder has to be read as a whole.
    More,
}

fn is_markdown(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    type Step = fn(&Path);

    /// What is read again is what a reading of the whole folder finds.
    #[test]
    fn again_is_as_from_the_start() {
        let cases: &[(&str, &[&str], Step)] = &[
            ("saved", &["a.md"], |dir| fs::write(dir.join("a.md"), "# New\n").unwrap()),
            ("made", &["c.md"], |dir| fs::write(dir.join("c.md"), "# C\n").unwrap()),
            ("deleted", &["b/b.md"], |dir| fs::remove_file(dir.join("b/b.md")).unwrap()),
            ("renamed", &["a.md", "z.md"], |dir| {
                fs::rename(dir.join("a.md"), dir.join("z.md")).unwrap();
            }),
            ("an asset", &["x.svg"], |dir| fs::write(dir.join("x.svg"), "<svg/>").unwrap()),
            ("an asset goes", &["p.png"], |dir| fs::remove_file(dir.join("p.png")).unwrap()),
            ("a folder moves", &["b", "d"], |dir| {
                fs::rename(dir.join("b"), dir.join("d")).unwrap();
            }),
            ("a folder comes", &["e"], |dir| {
                fs::create_dir(dir.join("e")).unwrap();
                fs::write(dir.join("e/e.md"), "# E\n").unwrap();
            }),
            ("not text", &["a.md"], |dir| fs::write(dir.join("a.md"), b"\xff\xfe").unwrap()),
            ("a title", &["book.toml"], |dir| {
                fs::write(dir.join("book.toml"), "[book]\ntitle = \"T\"\nsrc = \".\"\n").unwrap();
            }),
            ("hidden", &[".a.md.swp"], |dir| fs::write(dir.join(".a.md.swp"), "x").unwrap()),
            ("what we write", &["book/a.html"], |dir| {
                fs::create_dir(dir.join("book")).unwrap();
                fs::write(dir.join("book/a.html"), "x").unwrap();
            }),
        ];
        for (what, changed, step) in cases {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("b")).unwrap();
            fs::write(dir.path().join("book.toml"), "[book]\nsrc = \".\"\n").unwrap();
            for name in ["a.md", "b/b.md", "p.png"] {
                fs::write(dir.path().join(name), format!("# {name}\n")).unwrap();
            }
            let before = read(dir.path()).unwrap();
            step(dir.path());
            let changed: Vec<PathBuf> = changed.iter().map(|name| dir.path().join(name)).collect();
            let told = |source: &Source| {
                let mut files: Vec<_> = source
                    .files
                    .iter()
                    .map(|f| (f.path().to_owned(), f.text().to_owned()))
                    .collect();
                files.sort();
                let mut assets = source.assets.clone();
                assets.sort();
                (files, assets, source.findings.len(), source.config.title.clone())
            };
            let again = before.again(&changed).unwrap();
            assert_eq!(told(&again), told(&read(dir.path()).unwrap()), "{what}");
        }
    }
}
