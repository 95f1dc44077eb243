//! What mdBook's own keys of `book.toml` ask for, as far as it applies to us.
//!
//! `config` hands in the tables. Keys that are not listed here are fine, and do nothing.

use crate::config::Reader;
use crate::findings::Findings;
use crate::{Mode, Preprocessor};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// mdBook's settings, with its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdBook {
    /// `output.html.additional-css`: style sheets below the book's folder, for every page.
    pub additional_css: Vec<String>,
    /// `output.html.additional-js`: scripts, likewise.
    pub additional_js: Vec<String>,
    /// `output.html.redirect` by old address.
    pub redirects: Vec<Moved>,
    /// `output.html.input-404` below the source folder; `Some("")` asks for no such page.
    pub input_404: Option<String>,
    /// `output.html.git-repository-url`.
    pub git_repository_url: Option<String>,
    /// `output.html.no-section-label`: the sidebar shows no numbers.
    pub no_section_label: bool,
    /// `output.html.fold`: down to which level the sidebar is open; `None` leaves it open.
    pub fold: Option<u8>,
    /// Mode of `output.html.default-theme` and `preferred-dark-theme`.
    pub mode: Mode,
    /// `output.html.playground.runnable`: whether Rust code may be marked as runnable.
    pub playground_runnable: bool,
    /// `output.html.playground.editable`.
    pub playground_editable: bool,
    /// `output.html.print.enable`.
    pub print: bool,
    /// Source paths that `output.html.search.chapter` takes out of the search: files and folders.
    pub search_left_out: Vec<String>,
    /// `rust.edition`.
    pub rust_edition: Option<String>,
    /// `build.create-missing`, where it is said; a missing chapter is then an empty page. Nothing is
    /// ever written into the author's folder.
    pub create_missing: Option<bool>,
    /// `build.use-default-preprocessors`: `links` and `index`.
    pub default_preprocessors: bool,
    /// `build.extra-watch-dirs` below the book's folder.
    pub extra_watch_dirs: Vec<String>,
    /// `[preprocessor.NAME]` in the order of their names.
    pub preprocessors: Vec<Preprocessor>,
}

/// A line of `[output.html.redirect]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Old address, with a fragment where only that moved.
    pub from: String,
    /// New address, relative to the old one.
    pub to: String,
    /// The place of the line in `book.toml`.
    pub span: Range<usize>,
}

impl Default for MdBook {
    fn default() -> Self {
        Self {
            additional_css: Vec::new(),
            additional_js: Vec::new(),
            redirects: Vec::new(),
            input_404: None,
            git_repository_url: None,
            no_section_label: false,
            fold: None,
            mode: Mode::Auto,
            playground_runnable: true,
            playground_editable: false,
            print: true,
            search_left_out: Vec::new(),
            rust_edition: None,
            create_missing: None,
            default_preprocessors: true,
            extra_watch_dirs: Vec::new(),
            preprocessors: Vec::new(),
        }
    }
}

/// Reads `[output.html]`, `[build]`, `[rust]` and `[preprocessor]`.
pub(crate) fn read(root: &DeTable<'_>, findings: &mut Findings<'_>) -> MdBook {
    let mut settings = MdBook::default();
    if let Some(mut build) = Reader::below(root, "build", findings) {
        settings.create_missing = build.flag("create-missing");
        settings.default_preprocessors = build.flag("use-default-preprocessors").unwrap_or(true);
        settings.extra_watch_dirs = build.texts("extra-watch-dirs");
    }
    if let Some(mut rust) = Reader::below(root, "rust", findings) {
        settings.rust_edition = rust.text("edition");
    }
    settings.preprocessors = preprocessors(root, findings);
    let output = Reader::below(root, "output", findings).map(|reader| reader.table);
    let Some(mut html) = output.and_then(|output| Reader::below(output, "html", findings)) else {
        return settings;
    };
    settings.additional_css = html.texts("additional-css");
    settings.additional_js = html.texts("additional-js");
    settings.input_404 = html.text("input-404");
    settings.git_repository_url = html.text("git-repository-url");
    settings.no_section_label = html.flag("no-section-label").unwrap_or(false);
    settings.mode = mode(html.text("default-theme"), html.text("preferred-dark-theme"));
    let html = html.table;
    nested(html, &mut settings, findings);
    settings.redirects = moved(html, findings);
    settings
}

/// mdBook shows the first theme to whose system is light, and the second to whose system is dark.
fn mode(light: Option<String>, dark: Option<String>) -> Mode {
    // Three of mdBook's five themes are dark.
    let is_dark =
        |theme: &str| matches!(theme.to_ascii_lowercase().as_str(), "coal" | "navy" | "ayu");
    match (light.is_some_and(|theme| is_dark(&theme)), dark.is_none_or(|theme| is_dark(&theme))) {
        (true, true) => Mode::Dark,
        (false, false) => Mode::Light,
        _ => Mode::Auto,
    }
}

/// The tables below `[output.html]`.
fn nested(html: &DeTable<'_>, settings: &mut MdBook, findings: &mut Findings<'_>) {
    if let Some(mut fold) = Reader::below(html, "fold", findings) {
        let level = fold.number("level", "a number from 0 to 255").unwrap_or(0);
        settings.fold = fold.flag("enable").unwrap_or(false).then_some(level);
    }
    for name in ["playpen", "playground"] {
        if let Some(mut playground) = Reader::below(html, name, findings) {
            settings.playground_runnable = playground.flag("runnable").unwrap_or(true);
            settings.playground_editable = playground.flag("editable").unwrap_or(false);
        }
    }
    if let Some(mut print) = Reader::below(html, "print", findings) {
        settings.print = print.flag("enable").unwrap_or(true);
    }
    let Some(search) = Reader::below(html, "search", findings) else { return };
    let search = search.table;
    let Some(chapters) = Reader::below(search, "chapter", findings).map(|reader| reader.table)
    else {
        return;
    };
    for (path, value) in chapters.iter() {
        let enabled = value.get_ref().get("enable").map(|flag| flag.get_ref());
        if matches!(enabled, Some(DeValue::Boolean(false))) {
            settings.search_left_out.push(path.get_ref().to_string());
        }
    }
}

fn moved(html: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<Moved> {
    let Some(mut table) = Reader::below(html, "redirect", findings) else { return Vec::new() };
    let mut redirects = Vec::new();
    for (from, _) in table.table.iter() {
        let span = from.span();
        let from: &str = from.get_ref();
        if let Some(to) = table.text(from) {
            redirects.push(Moved { from: from.to_owned(), to, span });
        }
    }
    redirects
}

fn preprocessors(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<Preprocessor> {
    let Some(all) = Reader::below(root, "preprocessor", findings).map(|reader| reader.table) else {
        return Vec::new();
    };
    let mut listed = Vec::new();
    for (name, _) in all.iter() {
        let span = name.span();
        let name: &str = name.get_ref();
        let Some(mut table) = Reader::below(all, name, findings) else { continue };
        let command = table.text("command").unwrap_or_else(|| format!("mdbook-{name}"));
        let renderers = table.table.get("renderers").is_some().then(|| table.texts("renderers"));
        listed.push(Preprocessor {
            name: name.to_owned(),
            command,
            before: table.texts("before"),
            after: table.texts("after"),
            renderers,
            optional: table.flag("optional").unwrap_or(false),
            span,
        });
    }
    listed
}

#[cfg(test)]
mod tests {
    use crate::{Config, Mode};
    use diagnostics::SourceFile;

    fn read(toml: &str) -> (super::MdBook, Vec<String>) {
        let (config, found) = Config::parse(&SourceFile::new("book.toml", toml));
        (config.mdbook, found.into_iter().map(|f| format!("{}: {}", f.line, f.message)).collect())
    }

    #[test]
    fn all_keys() {
        let (settings, found) = read(
            "[rust]\nedition = \"2024\"\n[build]\ncreate-missing = false\nextra-watch-dirs = [\"po\"]\n\
             [output.html]\nadditional-css = [\"a.css\"]\nadditional-js = [\"b.js\"]\nsite-url = \"/x/\"\n\
             input-404 = \"gone.md\"\ndefault-theme = \"Navy\"\nsmart-punctuation = false\nno-section-label = true\n\
             theme = \"mine\"\nhash-files = false\n\
             [output.html.fold]\nenable = true\nlevel = 2\n[output.html.print]\nenable = false\n\
             [output.html.code.hidelines]\npython = \"~\"\n[output.html.search]\nenable = true\n\
             [output.html.search.chapter]\n\"a.md\" = { enable = false }\n\"b.md\" = { enable = true }\n\
             [output.html.playground]\nrunnable = false\n[output.html.redirect]\n\"/o.html\" = \"n.html\"\n\
             [output.linkcheck]\nx = 1\n[preprocessor.p]\n[preprocessor.q]\ncommand = \"q -v\"\nrenderers = [\"html\"]\noptional = true\n",
        );
        assert_eq!(found, [""; 0]);
        assert_eq!(settings.rust_edition.as_deref(), Some("2024"));
        assert_eq!((settings.create_missing, settings.fold), (Some(false), Some(2)));
        assert_eq!(settings.mode, Mode::Dark);
        assert_eq!((settings.print, settings.no_section_label), (false, true));
        assert_eq!(settings.search_left_out, ["a.md"]);
        assert_eq!(settings.redirects[0].from, "/o.html");
        let names: Vec<_> =
            settings.preprocessors.iter().map(|p| (p.command.as_str(), p.wanted())).collect();
        assert_eq!(names, [("mdbook-p", None), ("q -v", Some(true))]);
    }

    #[test]
    fn modes_of_themes() {
        for (toml, expected) in [
            ("", Mode::Auto),
            ("default-theme = \"light\"", Mode::Auto),
            ("default-theme = \"Ayu\"", Mode::Dark),
            ("preferred-dark-theme = \"light\"", Mode::Light),
            ("default-theme = \"navy\"\npreferred-dark-theme = \"light\"", Mode::Auto),
        ] {
            assert_eq!(read(&format!("[output.html]\n{toml}\n")).0.mode, expected, "{toml}");
        }
    }

    #[test]
    fn wrong_values_are_findings() {
        for (toml, expected) in [
            (
                "[output.html.fold]\nlevel = \"x\"\n",
                "2: `level` must be a number from 0 to 255, not string",
            ),
            (
                "[output.html]\nadditional-css = 1\n",
                "2: `additional-css` must be a list of strings, not integer",
            ),
            (
                "[output.html.redirect]\n\"a.html\" = 1\n",
                "2: `a.html` must be a string, not integer",
            ),
            ("[preprocessor]\nx = 1\n", "2: `x` must be a table, not integer"),
        ] {
            assert_eq!(read(toml).1, [expected], "{toml}");
        }
    }
}
