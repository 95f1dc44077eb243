//! `loggia new`: a starter book in a folder of its own, with a page of each kind. The files lie in
//! `starter/`; `{{title}}` in them becomes the book's title.

use crate::cli::Talk;
use anyhow::{Context, bail};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Path below the new folder, and text.
const FILES: [(&str, &str); 10] = [
    ("book.toml", include_str!("starter/book.toml")),
    (".gitignore", include_str!("starter/gitignore")),
    ("src/SUMMARY.md", include_str!("starter/SUMMARY.md")),
    ("src/index.md", include_str!("starter/index.md")),
    ("src/system.md", include_str!("starter/system.md")),
    ("src/decisions/README.md", include_str!("starter/decisions.md")),
    ("src/decisions/0001-payments-stand-apart.md", include_str!("starter/decision.md")),
    ("src/operation.md", include_str!("starter/operation.md")),
    ("src/connect.md", include_str!("starter/connect.md")),
    ("src/glossary.md", include_str!("starter/glossary.md")),
];

/// Writes the starter book to `dir`, which must be missing or empty.
///
/// # Errors
/// When `dir` holds something, or a file cannot be written.
pub fn run(dir: &Path, title: Option<&str>, talk: Talk) -> anyhow::Result<ExitCode> {
    let shown = dir.display();
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "`{shown}` is not empty\nhelp: name a new folder, or add a book to this one with `loggia init {shown}`"
        );
    }
    let title = match title.map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => title.to_owned(),
        None => title_of(dir),
    };
    for (name, text) in FILES {
        let path = dir.join(name);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        fs::write(&path, text.replace("{{title}}", &quoted(&title)))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    if !talk.quiet {
        println!("wrote {} files to {shown}", FILES.len());
        println!("next: loggia serve {shown} --open");
    }
    Ok(ExitCode::SUCCESS)
}

/// `our-shop` becomes `Our shop`.
fn title_of(dir: &Path) -> String {
    let name = fs::canonicalize(dir).ok().unwrap_or_else(|| dir.to_owned());
    let name = name.file_name().unwrap_or_default().to_string_lossy().replace(['-', '_'], " ");
    let mut letters = name.trim().chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Our architecture".to_owned(),
    }
}

/// In double quotes, as TOML, YAML and JSON read it alike.
fn quoted(title: &str) -> String {
    let plain: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}
