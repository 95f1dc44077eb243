//! Blocks that other generators write around Markdown, as HTML around the same Markdown: `:::note` to
//! `:::` (Docusaurus, VitePress), `!!! note`, `??? note` and `=== "Tab"` with indented text below
//! (Material for MkDocs).
//!
//! `page` hands in a body and walks over what comes back; places stay those of the author's text.

use crate::html::escape;
use diagnostics::Part;

/// Blocks inside blocks beyond this stay text.
const DEPTH_MAX: usize = 20;
/// Columns by which MkDocs indents what belongs to a block.
const INDENT: usize = 4;

/// A body with its blocks written as HTML.
pub(crate) struct Translated {
    pub(crate) text: String,
    /// Which bytes of the author's body each part stands for.
    pub(crate) parts: Vec<Part>,
}

/// `None` where there is no such block.
pub(crate) fn translate(body: &str) -> Option<Translated> {
    const SIGNS: [&str; 4] = [":::", "!!! ", "???", "==="];
    if !SIGNS.iter().any(|sign| body.contains(sign)) {
        return None;
    }
    let mut lines = Lines::default();
    let mut from = 0;
    for line in body.split_inclusive('\n') {
        lines.line(line, from, &body[from + line.len()..]);
        from += line.len();
    }
    lines.changed.then_some(Translated { text: lines.out, parts: lines.parts })
}

/// How a block ends.
#[derive(PartialEq)]
enum End {
    /// At a line of as many colons.
    Colons(usize),
    /// Above the first line that is indented less.
    Indent(usize),
}

struct Block {
    end: End,
    /// Closing tags.
    close: &'static str,
    /// Fences inside are tabs, named in square brackets.
    group: bool,
}

#[derive(Default)]
struct Lines {
    out: String,
    parts: Vec<Part>,
    blocks: Vec<Block>,
    /// Mark and length of the fence that is open, and how many blocks are around it.
    fence: Option<(char, usize, usize)>,
    /// Whether text that is indented by four may belong to a list.
    in_list: bool,
    changed: bool,
}

impl Lines {
    /// Reads the line at byte `from` of the body; `rest` stands below it.
    fn line(&mut self, line: &str, from: usize, rest: &str) {
        let text = line.trim();
        if text.is_empty() {
            return self.keep(line, from);
        }
        let indent = columns(line);
        self.end_indented(indent, text, rest);
        if let Some((mark, length, _)) = self.fence {
            if text.chars().all(|c| c == mark) && text.len() >= length {
                self.fence = None;
            }
            return self.keep(line, from);
        }
        let own = indent.saturating_sub(self.dedent());
        if own < INDENT {
            self.in_list = is_item(text);
        } else if !self.in_list {
            return self.keep(line, from);
        }
        if let Some(fence) = opens_fence(text) {
            self.fence = Some((fence.0, fence.1, self.blocks.len()));
            return match self.blocks.last().is_some_and(|block| block.group) {
                true => self.fence_with_tab(line, from),
                false => self.keep(line, from),
            };
        }
        if self.end_colons(text, own, from, line.len()) {
            return;
        }
        match open(text, indent, rest).filter(|_| self.blocks.len() < DEPTH_MAX) {
            Some((html, block)) => {
                let joins = block.close == TAB_END && self.joins_tabs();
                let html = if joins { html.trim_start_matches(TABS) } else { &html };
                self.blocks.push(block);
                self.put(&format!("{}{html}\n\n", " ".repeat(own)), from, line.len());
            }
            None => self.keep(line, from),
        }
    }

    /// Columns that are taken away from the start of each line.
    fn dedent(&self) -> usize {
        let indented = |block: &&Block| matches!(block.end, End::Indent(_));
        self.blocks.iter().filter(indented).count() * INDENT
    }

    /// Writes the author's line, less the indentation of the blocks around it.
    fn keep(&mut self, line: &str, from: usize) {
        let mut cut = 0;
        let mut left = self.dedent();
        for c in line.chars() {
            match c {
                ' ' if left > 0 => left -= 1,
                '\t' if left > 0 => left = left.saturating_sub(INDENT),
                _ => break,
            }
            cut += 1;
        }
        self.part(from + cut..from + line.len(), true);
        self.out.push_str(&line[cut..]);
    }

    fn part(&mut self, from: std::ops::Range<usize>, verbatim: bool) {
        self.parts.push(Part { at: self.out.len(), from, verbatim });
    }

    /// Writes `html` in place of the `length` bytes at `from`.
    fn put(&mut self, html: &str, from: usize, length: usize) {
        self.part(from..from + length, false);
        self.out.push_str(html);
        self.changed = true;
    }

    /// Ends what a line that is indented so far does not belong to.
    fn end_indented(&mut self, indent: usize, text: &str, rest: &str) {
        let ended = |block: &Block| matches!(block.end, End::Indent(least) if indent < least);
        let Some(keep) = self.blocks.iter().position(ended) else { return };
        if self.fence.is_some_and(|(.., depth)| depth > keep) {
            self.fence = None;
        }
        while self.blocks.len() > keep {
            let Some(block) = self.blocks.pop() else { return };
            let beside = block.end == End::Indent(indent + INDENT) && block.close == TAB_END;
            let tabs = beside
                && self.blocks.len() == keep
                && tab_name(text).is_some()
                && open(text, indent, rest).is_some();
            self.close(if tabs { block.close.trim_end_matches("</div>") } else { block.close });
        }
    }

    fn close(&mut self, tags: &str) {
        if !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
        if !tags.is_empty() {
            self.out.push_str(tags);
            self.out.push_str("\n\n");
        }
    }

    /// Whether the last thing written is a tab whose row is still open.
    fn joins_tabs(&self) -> bool {
        self.out.trim_end().ends_with("</section>")
    }

    /// Whether the line, of colons only, ended a block.
    fn end_colons(&mut self, text: &str, own: usize, from: usize, length: usize) -> bool {
        if text.len() < 3 || text.bytes().any(|b| b != b':') {
            return false;
        }
        let colons = |block: &Block| matches!(block.end, End::Colons(_));
        let inner = self.blocks.iter().rposition(|block| !colons(block)).map_or(0, |at| at + 1);
        let exact = |block: &Block| block.end == End::Colons(text.len());
        let Some(last) = self.blocks.len().checked_sub(1).filter(|last| *last >= inner) else {
            return false;
        };
        let keep = self.blocks[inner..].iter().rposition(exact).map_or(last, |at| inner + at);
        let closing = self.blocks.drain(keep..).rev().map(|block| block.close).collect::<String>();
        self.put("", from, length);
        let closing = match closing.is_empty() {
            true => closing,
            false => format!("{}{closing}", " ".repeat(own)),
        };
        self.close(&closing);
        true
    }

    /// A fence of a `code-group`: `[name]` behind the language names its tab.
    fn fence_with_tab(&mut self, line: &str, from: usize) {
        let name = line
            .find('[')
            .and_then(|open| Some((open, open + line[open..].find(']')?)))
            .filter(|(open, close)| *close > open + 1);
        let Some((open, close)) = name else { return self.keep(line, from) };
        let tab = format!(" tab=\"{}\"", line[open + 1..close].replace('"', "'"));
        self.keep(&line[..open], from);
        self.put(&tab, from + open, close + 1 - open);
        self.part(from + close + 1..from + line.len(), true);
        self.out.push_str(&line[close + 1..]);
    }
}

const TABS: &str = "<div class=\"tabs\">\n";
const TAB_END: &str = "</section></div>";

/// Columns of white space at the start of a line.
fn columns(line: &str) -> usize {
    let space = line.chars().take_while(|c| matches!(c, ' ' | '\t'));
    space.map(|c| if c == '\t' { INDENT } else { 1 }).sum()
}

fn is_item(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.starts_with(['-', '*', '+'])
        || (number.len() < text.len() && number.starts_with(['.', ')']))
}

/// Mark and length of the fence that begins here.
fn opens_fence(text: &str) -> Option<(char, usize)> {
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|c| *c == mark).count();
    (length >= 3 && !(mark == '`' && text[length..].contains('`'))).then_some((mark, length))
}

/// The tags and the block that begin with this line, whose indentation is `indent`.
fn open(text: &str, indent: usize, rest: &str) -> Option<(String, Block)> {
    if text.starts_with(":::") {
        return colons(text);
    }
    let end = End::Indent(indent + INDENT);
    let below = rest.lines().find(|line| !line.trim().is_empty())?;
    if columns(below) < indent + INDENT {
        return None;
    }
    if let Some(name) = tab_name(text) {
        let name = escape(name);
        let html = format!(
            "{TABS}<section class=\"tab\" data-tab=\"{name}\" aria-label=\"{name}\"><p class=\"tab-title\">{name}</p>"
        );
        return Some((html, Block { end, close: TAB_END, group: false }));
    }
    let (folds, behind) = match text.strip_prefix("!!!") {
        Some(behind) => (None, behind),
        None => match text.strip_prefix("???+") {
            Some(behind) => (Some(true), behind),
            None => (Some(false), text.strip_prefix("???")?),
        },
    };
    let behind = behind.strip_prefix(' ')?.trim_start();
    let name = name_of(behind);
    let title = behind[name.len()..].split_once('"').and_then(|(_, title)| title.rsplit_once('"'));
    let title = title.map(|(title, _)| title);
    let titled = title.unwrap_or(&capital(name)).to_owned();
    match (name, folds) {
        ("", _) => None,
        (_, Some(open)) => Some(details(&titled, open, end)),
        (_, None) => Some(alert(class(name).unwrap_or("note"), &titled, end)),
    }
}

/// `:::tip[Title]`, `:::tip Title`, `::: details Title`, `::: code-group`.
fn colons(text: &str) -> Option<(String, Block)> {
    let behind = text.trim_start_matches(':');
    let end = End::Colons(text.len() - behind.len());
    let behind = behind.trim_start();
    let name = name_of(behind);
    let title = behind[name.len()..].trim();
    let (title, braces) = title.split_once('{').unwrap_or((title, ""));
    let title = title.trim().trim_start_matches('[').trim_end_matches(']').trim();
    let or = |word: &str| if title.is_empty() { word.to_owned() } else { title.to_owned() };
    match (name, class(name)) {
        ("code-group", _) => Some((String::new(), Block { end, close: "", group: true })),
        ("details", _) => Some(details(&or("Details"), braces.contains("open"), end)),
        (_, class) => Some(alert(class?, &or(&capital(name)), end)),
    }
}

/// What stands between the quotes of `=== "Tab"`.
fn tab_name(text: &str) -> Option<&str> {
    let behind = text.strip_prefix("===")?.trim_start_matches(['!', '+']);
    let name = behind.strip_prefix(" \"")?.strip_suffix('"')?;
    (!name.trim().is_empty()).then_some(name)
}

/// The letters and hyphens that a text begins with.
fn name_of(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
    &text[..end]
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect()
    })
}

/// Which of the alerts a name stands for.
fn class(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "note" | "info" | "secondary" | "abstract" | "summary" | "tldr" | "question" | "help"
        | "faq" | "example" | "quote" | "cite" => "note",
        "tip" | "hint" | "success" | "check" | "done" => "tip",
        "important" => "important",
        "warning" | "attention" | "caution" => "warning",
        "danger" | "error" | "failure" | "fail" | "missing" | "bug" => "caution",
        _ => return None,
    })
}

/// A title as text: the Markdown in it is not read.
fn plain(title: &str) -> String {
    escape(&title.replace(['`', '*'], ""))
}

fn alert(class: &str, title: &str, end: End) -> (String, Block) {
    let title = match title.is_empty() {
        true => String::new(),
        false => format!("<p class=\"alert-title\">{}</p>", plain(title)),
    };
    let html = format!("<div class=\"alert alert-{class}\" role=\"note\">{title}");
    (html, Block { end, close: "</div>", group: false })
}

fn details(title: &str, open: bool, end: End) -> (String, Block) {
    let open = if open { " open" } else { "" };
    let html = format!("<details{open}><summary>{}</summary>", plain(title));
    (html, Block { end, close: "</details>", group: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_tags_around_the_same_markdown() {
        let note =
            "<div class=\"alert alert-note\" role=\"note\"><p class=\"alert-title\">Note</p>";
        let tab = |name: &str| {
            format!(
                "<section class=\"tab\" data-tab=\"{name}\" aria-label=\"{name}\"><p class=\"tab-title\">{name}</p>"
            )
        };
        for (source, expected) in [
            (":::note\na *b*\n:::\nc\n", format!("{note}\n\na *b*\n\n</div>\n\nc\n")),
            (
                "::: tip[A **b** <c>]\n\nx\n\n:::\n",
                "<div class=\"alert alert-tip\" role=\"note\"><p class=\"alert-title\">A b &lt;c&gt;</p>\n\n\nx\n\n</div>\n\n".into(),
            ),
            (
                ":::: warning Mind\n::: details More {open}\nx\n:::\n::::\n",
                "<div class=\"alert alert-warning\" role=\"note\"><p class=\"alert-title\">Mind</p>\n\n<details open><summary>More</summary>\n\nx\n\n</details>\n\n</div>\n\n".into(),
            ),
            (
                "::: code-group\n```js [a.js] {1}\nx\n```\n:::\n",
                "\n\n```js  tab=\"a.js\" {1}\nx\n```\n\n".into(),
            ),
            ("- a\n\n    :::note\n    b\n    :::\n", format!("- a\n\n    {note}\n\n    b\n\n    </div>\n\n")),
            ("!!! note\n    a\n\n        b\nc\n", format!("{note}\n\na\n\n    b\n\n</div>\n\nc\n")),
            (
                "!!! note\n    a\n=== \"A\"\n    x\n",
                format!("{note}\n\na\n\n</div>\n\n{TABS}{}\n\nx\n", tab("A")),
            ),
            ("!!! note \"\"\n    a\n", "<div class=\"alert alert-note\" role=\"note\">\n\na\n".into()),
            ("???+ bug \"B\"\n\ta\n", "<details open><summary>B</summary>\n\na\n".into()),
            (
                "=== \"A\"\n    ```\n    x\n    ```\n\n=== \"B\"\n    y\n\nz\n",
                format!(
                    "{TABS}{}\n\n```\nx\n```\n\n</section>\n\n{}\n\ny\n\n</section></div>\n\nz\n",
                    tab("A"),
                    tab("B")
                ),
            ),
        ] {
            let found = translate(source).map(|translated| translated.text);
            assert_eq!(found.as_deref(), Some(expected.as_str()), "{source}");
        }
    }

    #[test]
    fn other_text_stays() {
        for source in [
            "a\n===\n",
            "```\n:::note\n:::\n```\n",
            ":::\n",
            ":::unknown\nx\n:::\n",
            "    :::note\n",
            "!!! note\nnot indented\n",
            "=== \"Tab\"\n",
            "Really???\n    yes\n",
            "~~~\n!!! note\n    a\n~~~\n",
            "x ::: y\n",
        ] {
            assert!(translate(source).is_none(), "{source}");
        }
    }

    #[test]
    fn places_stay_the_authors() {
        let source = "!!! note\n    see [x](gone.md)\n\n:::tip\n[y](gone.md)\n";
        let translated = translate(source).expect("there are blocks");
        for part in translated.parts.iter().filter(|part| part.verbatim) {
            let length = part.from.len();
            assert_eq!(translated.text[part.at..part.at + length], source[part.from.clone()]);
        }
    }
}
