//! The HTML of a code block: title, marked and numbered lines, hidden lines behind a switch.
//!
//! `fences` hands in the info string and the text; the colours come from `highlight`.

use crate::html::escape;
use crate::info::Info;
use crate::marks::{self, Mark};
use crate::{CodeCache, Config};
use std::fmt::Write as _;

/// The block as HTML.
pub(crate) fn html(info: &Info, text: &str, config: &Config, code: &CodeCache) -> String {
    let language = escape(&info.language);
    // Where the fence names lines, Docusaurus leaves comments in the code as they are, and so do we.
    let by_comment = !config.markdown.for_mdbook && info.marked.is_empty();
    let (made, marks) = by_comment.then(|| marks::read(text)).flatten().unzip();
    let text = made.as_deref().unwrap_or(text);
    let lines = Lines { marks: marks.unwrap_or_default(), ..Lines::read(info, text, config) };
    let coloured = code.highlight(&info.language, lines.text.as_deref().unwrap_or(text));
    let mut out = String::with_capacity(coloured.len() + 256);
    match language.is_empty() {
        true => out.push_str("<div class=\"code\">"),
        false => _ = write!(out, "<div class=\"code\" data-language=\"{language}\">"),
    }
    if let Some(title) = &info.title {
        _ = write!(out, "<p class=\"code-title\">{}</p>", escape(title));
    }
    if !language.is_empty() {
        _ = write!(out, "<span class=\"language\">{language}</span>");
    }
    if lines.hidden.contains(&true) {
        out.push_str(
            "<label class=\"code-more\"><input type=\"checkbox\"> Show hidden lines</label>",
        );
    }
    out.push_str("<pre tabindex=\"0\">");
    match language.is_empty() {
        true => out.push_str("<code>"),
        false => {
            _ = write!(out, "<code class=\"language-{language}");
            info.words.iter().for_each(|word| _ = write!(out, " {word}"));
            out.push_str("\">");
        }
    }
    lines.write(info, &coloured, &mut out);
    out.push_str("</code></pre></div>\n");
    out
}

/// Which lines are hidden, and the text without the marks that hide them.
#[derive(Default)]
struct Lines {
    /// `None` where no line is marked.
    text: Option<String>,
    /// By line; empty where none is marked.
    hidden: Vec<bool>,
    /// By line, what comments said of it; empty where they said nothing.
    marks: Vec<Option<Mark>>,
}

impl Lines {
    /// The rules are mdBook's: `# ` in Rust, where `##` stands for one `#`; elsewhere the prefix
    /// that the fence or `output.html.code.hidelines` names.
    fn read(info: &Info, text: &str, config: &Config) -> Self {
        let rust = info.language == "rust";
        let prefix = info.hide.as_ref().or_else(|| config.markdown.hide_lines.get(&info.language));
        let any = match (rust, prefix) {
            (true, _) => text.lines().any(|line| line.trim_start().starts_with('#')),
            (false, Some(prefix)) => text.contains(prefix.as_str()),
            (false, None) => false,
        };
        if !any {
            return Self::default();
        }
        let mut lines = Self { text: Some(String::with_capacity(text.len())), ..Self::default() };
        for line in text.split_inclusive('\n') {
            let content = line.trim_start();
            let indent = &line[..line.len() - content.len()];
            let (shown, hidden) = match prefix.filter(|_| !rust) {
                Some(prefix) => match content.strip_prefix(prefix.as_str()) {
                    Some(rest) => (rest, true),
                    None => (content, false),
                },
                None => rust_line(content),
            };
            if let Some(text) = &mut lines.text {
                text.push_str(indent);
                text.push_str(shown);
            }
            lines.hidden.push(hidden);
        }
        lines
    }

    /// Puts `html`, which has one line for each of the text, into elements where lines differ.
    fn write(&self, info: &Info, html: &str, out: &mut String) {
        let plain = !self.hidden.contains(&true) && self.marks.is_empty();
        if plain && info.marked.is_empty() && info.first_line.is_none() {
            out.push_str(html);
            return;
        }
        let mut number = 0; // counts what is shown
        for (at, line) in html.split_inclusive('\n').enumerate() {
            if self.hidden.get(at) == Some(&true) {
                _ = write!(out, "<span class=\"boring\">{line}</span>");
                continue;
            }
            number += 1;
            let marked = info.marked.iter().any(|range| range.contains(&number));
            let class = match self.marks.get(at).copied().flatten() {
                Some(Mark::Added) => "line marked added",
                Some(Mark::Removed) => "line marked removed",
                Some(Mark::Marked) => "line marked",
                None if marked => "line marked",
                None => "line",
            };
            _ = write!(out, "<span class=\"{class}\"");
            if let Some(first) = info.first_line {
                _ = write!(out, " data-line=\"{}\"", first.saturating_add(number - 1));
            }
            _ = write!(out, ">{line}</span>");
        }
    }
}

/// The line without the mark, and whether it is hidden.
fn rust_line(content: &str) -> (&str, bool) {
    let Some(rest) = content.strip_prefix('#') else { return (content, false) };
    match rest.chars().next() {
        Some('#') => (rest, false),
        Some(' ') => (&rest[1..], true),
        Some('\n' | '\r') | None => (rest, true),
        _ => (content, false),
    }
}
