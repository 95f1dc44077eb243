//! Front matter in its three forms: a first fence ```` ```json frontmatter ````, YAML between `---`,
//! TOML between `+++`.
//!
//! `page` asks for it first; what remains of the file is the body. A broken one is reported at the
//! place of the fault, and what could be read of it is used all the same.

use crate::findings::{Findings, place_of};
use crate::{GlossaryEntry, Hero, Mode, Theme, colour, suggest};
use diagnostics::{Code, Diagnostic, Severity};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::ops::Range;

/// Everything an author can say above a page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FrontMatter {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    theme: ThemeSource,
    pub(crate) navigation: Navigation,
    pub(crate) hero: Option<Hero>,
    pub(crate) glossary: Vec<GlossaryEntry>,
    pub(crate) services: Names,
    pub(crate) sections: IndexMap<String, SectionSource>,
    pub(crate) checks: Checks,
}

const KEYS: &[&str] = &[
    "title",
    "description",
    "theme",
    "navigation",
    "hero",
    "glossary",
    "services",
    "sections",
    "checks",
];
const TOKENS: &[&str] =
    &["primary", "secondary", "background", "surface", "text", "text-secondary"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ThemeSource {
    mode: Mode,
    #[serde(alias = "colours")]
    colors: Colours,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Colours {
    light: IndexMap<String, String>,
    dark: IndexMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Navigation {
    pub(crate) order: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Checks {
    pub(crate) ignore: Names,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SectionSource {
    pub(crate) services: Names,
}

/// Several names: a list, or words in one string.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "NamesSource")]
pub(crate) struct Names(pub(crate) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum NamesSource {
    List(Vec<String>),
    Words(String),
}

impl From<NamesSource> for Names {
    fn from(source: NamesSource) -> Self {
        match source {
            NamesSource::List(names) => Self(names),
            NamesSource::Words(words) => Self(split_words(&words)),
        }
    }
}

/// Names between spaces and commas.
pub(crate) fn split_words(words: &str) -> Vec<String> {
    words.split([' ', ',', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What stands above a page's body.
#[derive(Debug, Default)]
pub(crate) struct Above {
    pub(crate) matter: FrontMatter,
    pub(crate) theme: Theme,
    /// Bytes of the front matter's text in the file; empty when there is none.
    pub(crate) span: Range<usize>,
    /// Where the body begins, in bytes of the file.
    pub(crate) body: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Json,
    Yaml,
    Toml,
}

struct Block {
    form: Form,
    span: Range<usize>,
    body: usize,
}

/// Reads the front matter of the file that `findings` is about.
pub(crate) fn read(findings: &mut Findings<'_>) -> Above {
    let text = findings.file().text();
    let start = text.len() - text.trim_start_matches('\u{feff}').len();
    let Some(block) = find(text, start, findings) else {
        return Above { body: start, ..Above::default() };
    };
    let source = &text[block.span.clone()];
    let (parsed, value) = match block.form {
        Form::Json => parse_json(source),
        Form::Yaml => parse_yaml(source),
        Form::Toml => parse_toml(source),
    };
    if block.form == Form::Yaml && matches!(value, Some(Value::String(_))) {
        // Prose between two rules, no mapping: the author drew lines.
        return Above { body: start, ..Above::default() };
    }
    let matter = match parsed {
        Ok(matter) => matter,
        Err(fault) => {
            report(&fault, &block, findings);
            value.as_ref().map(salvage).unwrap_or_default()
        }
    };
    if let Some(Value::Object(keys)) = &value {
        note_unknown_keys(keys, &block, findings);
    }
    let theme = check_theme(&matter.theme, &block, findings);
    Above { matter, theme, span: block.span, body: block.body }
}

/// Where a parser stopped, relative to the front matter's text.
struct Fault {
    message: String,
    span: Range<usize>,
}

fn report(fault: &Fault, block: &Block, findings: &mut Findings<'_>) {
    let (name, help) = match block.form {
        Form::Json => (
            "JSON",
            "keys and texts stand in double quotes, a comma between two entries and none after the last",
        ),
        Form::Yaml => {
            ("YAML", "write `key: value`, indent with spaces, put texts with `:` or `#` in quotes")
        }
        Form::Toml => ("TOML", "write `key = \"value\"`, tables as [name]"),
    };
    let span = block.span.start + fault.span.start..block.span.start + fault.span.end;
    let message = format!("front matter cannot be read as {name}: {}", fault.message);
    findings.report(Code::FrontMatter, span, message, help);
}

/// Finds the block; one that is opened and never closed is reported.
fn find(text: &str, start: usize, findings: &mut Findings<'_>) -> Option<Block> {
    let lead = text[start..].len() - text[start..].trim_start().len();
    let open = start + lead;
    let first = text[open..].lines().next()?;
    let inside = next_line(text, open);
    if let Some(fence) = json_fence(first) {
        return Some(find_json(text, open, inside, fence, findings));
    }
    if open != start {
        return None; // rules and pluses count in the first line only
    }
    let (form, closers): (Form, &[&str]) = match first.trim_end() {
        "---" => (Form::Yaml, &["---", "..."]),
        "+++" => (Form::Toml, &["+++"]),
        _ => return None,
    };
    let mut at = inside;
    while at < text.len() {
        let line = text[at..].lines().next().unwrap_or_default().trim_end();
        if closers.contains(&line) {
            return Some(Block { form, span: inside..at, body: next_line(text, at) });
        }
        if at == inside && line.is_empty() {
            return None; // a thematic break, then a paragraph
        }
        at = next_line(text, at);
    }
    let next = text[inside..].lines().next().unwrap_or_default();
    let looks_like = if form == Form::Yaml { ':' } else { '=' };
    if next.contains(looks_like) {
        findings.report(
            Code::FrontMatter,
            open..open + 3,
            "front matter is opened here and never closed",
            format!("end it with a line `{}`", closers[0]),
        );
        let body = after_broken(text, inside);
        return Some(Block { form, span: inside..body, body });
    }
    None
}

/// The fence's characters when `line` opens a JSON front matter.
fn json_fence(line: &str) -> Option<&str> {
    let mark = if line.starts_with("```") { '`' } else { '~' };
    let rest = line.trim_start_matches(mark);
    let fence = &line[..line.len() - rest.len()];
    let mut words = rest.split_whitespace();
    (fence.len() >= 3 && words.next() == Some("json") && words.next() == Some("frontmatter"))
        .then_some(fence)
}

fn find_json(
    text: &str,
    open: usize,
    inside: usize,
    fence: &str,
    findings: &mut Findings<'_>,
) -> Block {
    let mut at = inside;
    while at < text.len() {
        let line = text[at..].lines().next().unwrap_or_default().trim();
        if line.starts_with(fence) && line.trim_start_matches(&fence[..1]).is_empty() {
            return Block { form: Form::Json, span: inside..at, body: next_line(text, at) };
        }
        if line.starts_with('#') {
            break; // no JSON begins so: the body has begun
        }
        at = next_line(text, at);
    }
    findings.report(
        Code::UnclosedFence,
        open..open + fence.len(),
        "the fence of the front matter is never closed",
        format!("end it with a line `{fence}`"),
    );
    let mut values = serde_json::Deserializer::from_str(&text[inside..]).into_iter::<Value>();
    let end = match values.next() {
        Some(Ok(_)) => inside + values.byte_offset(),
        _ => after_broken(text, inside),
    };
    Block { form: Form::Json, span: inside..end, body: end }
}

/// Where the body most likely begins when nothing says so: the first heading, else the first empty
/// line.
fn after_broken(text: &str, from: usize) -> usize {
    let heading = text[from..].find("\n#").map(|at| from + at + 1);
    let empty = text[from..].find("\n\n").map(|at| from + at + 2);
    heading.or(empty).unwrap_or(text.len())
}

fn next_line(text: &str, from: usize) -> usize {
    text[from..].find('\n').map_or(text.len(), |at| from + at + 1)
}

type Parsed = (Result<FrontMatter, Fault>, Option<Value>);

fn parse_json(source: &str) -> Parsed {
    let value = serde_json::from_str(source).ok();
    (serde_json::from_str(source).map_err(|error| json_fault(&error, source)), value)
}

/// The place of a JSON error: `serde_json` counts columns in bytes.
fn json_fault(error: &serde_json::Error, source: &str) -> Fault {
    let (message, mut start) = json_place(error, source);
    let last = start;
    if error.is_data() && source[start..].starts_with('"') {
        // A wrong text is noticed at its closing quote: mark it from the opening one.
        start = source[..start].rfind('"').unwrap_or(start);
    }
    let end = source[last..].chars().next().map_or(last, |c| last + c.len_utf8());
    Fault { message, span: start..end }
}

/// Message without its position, and the byte at which the parser stopped.
pub(crate) fn json_place(error: &serde_json::Error, source: &str) -> (String, usize) {
    let text = error.to_string();
    let message = text.rfind(" at line ").map_or(&*text, |at| &text[..at]).to_owned();
    let line_start: usize =
        source.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut at = (line_start + error.column().saturating_sub(1)).min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    (message, at)
}

fn parse_yaml(source: &str) -> Parsed {
    if source.trim().is_empty() {
        return (Ok(FrontMatter::default()), None);
    }
    let value = serde_saphyr::from_str(source).ok();
    let parsed = serde_saphyr::from_str(source).map_err(|error| yaml_fault(&error, source));
    (parsed, value)
}

fn yaml_fault(error: &serde_saphyr::Error, source: &str) -> Fault {
    let (message, start) = yaml_place(error, source);
    let end = start + source[start..].lines().next().unwrap_or_default().trim_end().len();
    Fault { message, span: start..end }
}

/// Message without its position, and the byte at which the parser stopped.
pub(crate) fn yaml_place(error: &serde_saphyr::Error, source: &str) -> (String, usize) {
    let error = error.without_snippet();
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = match first.rfind(" at line ") {
        Some(at) => &first[..at],
        None => first,
    };
    let Some(location) = error.location() else { return (message.to_owned(), 0) };
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let line_start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(line_start..).unwrap_or_default();
    let within = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
    (message.trim_start_matches("error: ").to_owned(), line_start + within)
}

fn parse_toml(source: &str) -> Parsed {
    let value = toml::from_str::<Value>(source).ok();
    let parsed = toml::from_str(source).map_err(|error: toml::de::Error| Fault {
        message: error.message().trim().to_owned(),
        span: error.span().unwrap_or(0..0),
    });
    (parsed, value)
}

/// Uses the keys that are right when one of them is not.
fn salvage(value: &Value) -> FrontMatter {
    fn part<T: serde::de::DeserializeOwned + Default>(value: &Value, key: &str) -> T {
        let Some(found) = value.get(key) else { return T::default() };
        serde_json::from_value(found.clone()).unwrap_or_default()
    }
    FrontMatter {
        title: part(value, "title"),
        description: part(value, "description"),
        theme: part(value, "theme"),
        navigation: part(value, "navigation"),
        hero: part(value, "hero"),
        glossary: part(value, "glossary"),
        services: part(value, "services"),
        sections: part(value, "sections"),
        checks: part(value, "checks"),
    }
}

/// A key that is nearly one of ours; keys of other tools pass silently.
fn note_unknown_keys(keys: &Map<String, Value>, block: &Block, findings: &mut Findings<'_>) {
    for key in keys.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let Some(near) = suggest::nearest(key, KEYS.iter().copied()) else { continue };
        let span = place_of(findings.file().text(), block.span.clone(), key);
        let message = format!("front matter has no key `{key}`");
        let mut note = Diagnostic::at(Code::FrontMatter, findings.file(), span, message)
            .with_help(format!("did you mean `{near}`?"));
        note.severity = Severity::Note;
        findings.add(note);
    }
}

fn check_theme(source: &ThemeSource, block: &Block, findings: &mut Findings<'_>) -> Theme {
    let mut check = |colours: &IndexMap<String, String>| {
        let mut sound = IndexMap::new();
        for (token, value) in colours {
            let text = findings.file().text();
            if !TOKENS.contains(&token.as_str()) {
                findings.report(
                    Code::Colour,
                    place_of(text, block.span.clone(), token),
                    format!("the theme has no colour `{token}`"),
                    suggest::help(token, "colours", TOKENS.iter().copied()),
                );
            } else if !colour::is_colour(value) {
                findings.report(
                    Code::Colour,
                    place_of(text, block.span.clone(), value),
                    format!("`{value}` is no colour"),
                    "write `#059669`, `rgb(5 150 105)`, `hsl(161 94% 30%)`, `oklch(0.6 0.13 163)` or a CSS name",
                );
            } else {
                sound.insert(token.clone(), value.trim().to_owned());
            }
        }
        sound
    };
    let light = check(&source.colors.light);
    let dark = check(&source.colors.dark);
    Theme { mode: source.mode, light, dark }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceFile;

    fn check(text: &str, title: Option<&str>, body: &str, faults: &[(&str, u32, u32)]) {
        let file = SourceFile::new("a.md", text);
        let mut findings = Findings::new(&file);
        let above = read(&mut findings);
        assert_eq!(above.matter.title.as_deref(), title, "{text}");
        assert_eq!(&text[above.body..], body, "{text}");
        let found = findings.into_list();
        let places: Vec<(&str, u32, u32)> =
            found.iter().map(|f| (f.code.as_str(), f.line, f.column)).collect();
        assert_eq!(places, faults, "{text}: {found:#?}");
    }

    #[test]
    fn three_forms() {
        check("```json frontmatter\n{\"title\": \"T\"}\n```\nBody\n", Some("T"), "Body\n", &[]);
        check("\n~~~~json frontmatter\n{\"title\": \"T\"}\n~~~~\nB", Some("T"), "B", &[]);
        check("---\ntitle: T\nservices: auth users\n---\nBody\n", Some("T"), "Body\n", &[]);
        check("\u{feff}---\r\ntitle: T\r\n---\r\nBody", Some("T"), "Body", &[]);
        check("+++\ntitle = \"T\"\n+++\nBody", Some("T"), "Body", &[]);
        check("---\n---\nBody", None, "Body", &[]);
        check("# Plain", None, "# Plain", &[]);
        check("---\n\nprose\n\n---\n", None, "---\n\nprose\n\n---\n", &[]);
        check("---\njust prose\n---\n", None, "---\njust prose\n---\n", &[]);
        check("---\nprose alone", None, "---\nprose alone", &[]);
        check("```json\n{}\n```\n", None, "```json\n{}\n```\n", &[]);
    }

    #[test]
    fn faults_have_places_and_the_rest_is_used() {
        check(
            "```json frontmatter\n{\n  \"title\": \"T\"\n  \"hero\": 1\n}\n```\nB",
            None,
            "B",
            &[("L001", 4, 3)],
        );
        check(
            "```json frontmatter\n{\"title\": \"T\", \"theme\": {\"mode\": \"blue\"}}\n```\nB",
            Some("T"),
            "B",
            &[("L001", 2, 34)],
        );
        check("---\ntitle: T\nhero: [\n---\nB", None, "B", &[("L001", 3, 7)]);
        check("---\ntitle: T\nnavigation: 5\n---\nB", Some("T"), "B", &[("L001", 3, 13)]);
        check("+++\ntitle = T\n+++\nB", None, "B", &[("L001", 2, 9)]);
        check("---\ntitle: T\n\n# Body", Some("T"), "# Body", &[("L001", 1, 1)]);
        check(
            "```json frontmatter\n{\"title\": \"T\"}\n\n# Body",
            Some("T"),
            "\n\n# Body",
            &[("L002", 1, 1)],
        );
        check("---\ntitel: T\ndate: 2020\n---\n", None, "", &[("L001", 2, 1)]);
    }

    #[test]
    fn colours_are_checked() {
        let file = SourceFile::new(
            "a.md",
            "---\ntheme:\n  colors:\n    light:\n      primary: \"#fff\"\n      text: url(x)\n      sruface: red\n---\n",
        );
        let mut findings = Findings::new(&file);
        let above = read(&mut findings);
        assert_eq!(above.theme.light.keys().collect::<Vec<_>>(), ["primary"]);
        let found = findings.into_list();
        let places: Vec<_> = found.iter().map(|f| (f.code, f.line, f.column)).collect();
        assert_eq!(places, [(Code::Colour, 6, 13), (Code::Colour, 7, 7)]);
        assert_eq!(found[1].help.as_deref(), Some("did you mean `surface`?"));
    }
}
