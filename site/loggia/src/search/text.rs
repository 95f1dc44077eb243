//! A page to the documents that can be found: the page itself with its sections, and each term of its
//! glossary. Reads the typed pieces; HTML is only freed from its tags.

use document::{Page, Piece};

/// Headings deeper than this belong to the section above them.
const LEVEL_MAX: u8 = 4;
/// Sections of one page that are told apart; what follows belongs to the last.
const SECTIONS_MAX: usize = 2000;
/// Elements whose content is not text of the page.
const MUTE: [&str; 7] = ["script", "style", "template", "svg", "button", "math", "head"];
/// Classes of what stands in the page beside its text.
const MUTE_CLASSES: [&str; 3] = ["class=\"term-tip\"", "class=\"language\"", "class=\"anchor\""];
/// Elements inside a line: they do not end a word.
const INLINE: [&str; 20] = [
    "a", "abbr", "b", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q", "s", "samp",
    "small", "span", "strong", "sub", "u", "wbr",
];

/// What kind of thing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A page with its sections.
    #[default]
    Page,
    /// A term of the glossary.
    Term,
    /// A service.
    Service,
}

/// Something that is found as one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doc {
    /// What it is.
    pub kind: Kind,
    /// Address below the site's root, for a term or service with its anchor.
    pub url: String,
    /// The page's title, the term, or the service's name.
    pub title: String,
    /// The first is what stands before any heading, or all of it.
    pub sections: Vec<Section>,
}

/// A part of a document with an address of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Behind `#`; empty for the top.
    pub anchor: String,
    /// The heading; empty for the top.
    pub title: String,
    /// Plain text, white space collapsed.
    pub text: String,
}

/// The page and its terms.
pub(super) fn docs(page: &Page) -> Vec<Doc> {
    let shown = page.pieces.iter().any(|piece| matches!(piece, Piece::Glossary));
    let mut docs = vec![Doc {
        kind: Kind::Page,
        url: page.path.clone(),
        title: page.title.clone(),
        sections: sections(page),
    }];
    docs.extend(page.glossary.iter().map(|entry| Doc {
        kind: Kind::Term,
        url: match shown {
            true => format!("{}#{}", page.path, entry.anchor()),
            false => page.path.clone(),
        },
        title: entry.term.clone(),
        sections: vec![Section { text: entry.definition.clone(), ..Section::default() }],
    }));
    docs
}

fn sections(page: &Page) -> Vec<Section> {
    let mut all = vec![Section::default()];
    let mut stripper = Stripper::default();
    if let Some(hero) = &page.hero {
        let text = &mut all[0].text;
        push_words(text, &hero.title);
        push_words(text, hero.subtitle.as_deref().unwrap_or_default());
    }
    for piece in &page.pieces {
        if let Piece::Heading { section, .. } = piece
            && let Some(heading) = page.sections.get(*section)
        {
            // The first heading is the page's title: its text is the page's beginning.
            let opening = heading.level == 1 && heading.title == page.title && all.len() == 1;
            if heading.level <= LEVEL_MAX && all.len() < SECTIONS_MAX && !opening {
                let (anchor, title) = (heading.id.clone(), heading.title.clone());
                all.push(Section { anchor, title, text: String::new() });
            } else if !opening {
                let last = all.last_mut().expect("there is the top at least");
                push_words(&mut last.text, &heading.title);
            }
            continue;
        }
        let text = &mut all.last_mut().expect("there is the top at least").text;
        piece_text(piece, &mut stripper, text);
    }
    for section in &mut all {
        section.text.truncate(section.text.trim_end().len());
    }
    all
}

fn piece_text(piece: &Piece, stripper: &mut Stripper, out: &mut String) {
    match piece {
        Piece::Html(html) => stripper.strip(html, out),
        Piece::BoxDrawing(html) => {
            let mut text = String::new();
            Stripper::default().strip(html, &mut text);
            let letters = |c: char| !('\u{2500}'..='\u{259f}').contains(&c);
            push_words(out, &text.chars().filter(|c| letters(*c)).collect::<String>());
        }
        Piece::Diagram(block) => {
            push_words(out, &block.caption);
            block.drawing.nodes.iter().for_each(|node| push_words(out, &node.label));
        }
        Piece::KpiGrid(kpis) => kpis.iter().for_each(|kpi| {
            push_words(out, &kpi.label);
            push_words(out, &kpi.value);
        }),
        Piece::Objectives(objectives) => objectives.iter().for_each(|objective| {
            push_words(out, &objective.title);
            push_words(out, &objective.target);
        }),
        Piece::Figure(kpi) => push_words(out, &kpi.value),
        Piece::Chart(block) => push_words(out, &block.title),
        Piece::ServiceMap(block) => push_words(out, &block.caption),
        // Terms are documents of their own.
        _ => {}
    }
}

fn push_words(out: &mut String, text: &str) {
    for word in text.split_whitespace() {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
        out.push_str(word);
    }
    if !text.is_empty() && !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

/// Frees HTML that Loggia wrote from its tags; an element may begin in one piece and end in another.
#[derive(Default)]
struct Stripper {
    /// The element whose content is left out, and how many of its name are open.
    mute: Option<(String, usize)>,
}

impl Stripper {
    fn strip(&mut self, html: &str, out: &mut String) {
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            self.text(&rest[..start], out);
            let Some(end) = rest[start..].find('>') else { return };
            self.tag(&rest[start + 1..start + end], out);
            rest = &rest[start + end + 1..];
        }
        self.text(rest, out);
    }

    fn tag(&mut self, tag: &str, out: &mut String) {
        let closing = tag.starts_with('/');
        let tag = tag.trim_start_matches('/');
        let length = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = &tag[..length];
        if let Some((muted, depth)) = &mut self.mute {
            if muted == name {
                *depth = if closing { depth.saturating_sub(1) } else { *depth + 1 };
                if *depth == 0 {
                    self.mute = None;
                }
            }
            return;
        }
        let mute = || MUTE.contains(&name) || MUTE_CLASSES.iter().any(|class| tag.contains(class));
        if !closing && !tag.ends_with('/') && mute() {
            self.mute = Some((name.to_owned(), 1));
        } else if !INLINE.contains(&name) && !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }

    fn text(&self, text: &str, out: &mut String) {
        if self.mute.is_some() || text.is_empty() {
            return;
        }
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if at < from || !matches!(byte, b'&' | b' ' | b'\n' | b'\t' | b'\r') {
                continue;
            }
            out.push_str(&text[from..at]);
            from = at + 1;
            if byte != b'&' {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            } else if let Some((c, length)) = entity(&text[from..]) {
                out.push(c);
                from += length;
            } else {
                out.push('&');
            }
        }
        out.push_str(&text[from..]);
    }
}

/// The character behind `&`, and how many bytes name it.
fn entity(rest: &str) -> Option<(char, usize)> {
    let end = rest.bytes().take(10).position(|byte| byte == b';')?;
    let name = &rest[..end];
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let code = name.strip_prefix('#')?;
            let number = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => code.parse(),
            };
            char::from_u32(number.ok()?)?
        }
    };
    Some((c, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceFile;

    #[test]
    fn pages_become_text() {
        let check = |markdown: &str, expected: &[(&str, &str)]| {
            let config = document::Config::without_file();
            let page = document::parse_page(&SourceFile::new("a.md", markdown), &config);
            let docs = docs(&page);
            let found: Vec<_> =
                docs[0].sections.iter().map(|s| (s.anchor.as_str(), s.text.as_str())).collect();
            assert_eq!(found, expected, "{markdown}");
        };
        check("# T\n\nA *b*c & `d<e`\n\n- x\n- y\n", &[("", "A bc & d<e x y")]);
        check(
            "# T\n\nup\n\n## S\n\ndown\n\n##### deep\n\nin",
            &[("", "up"), ("s", "down deep in")],
        );
        check("# T\n\n| a | b |\n|---|---|\n| c | d |\n", &[("", "a b c d")]);
        check("# T\n\n```rust\nfn main() {}\n```\n", &[("", "fn main() {}")]);
    }

    #[test]
    fn what_stands_beside_the_text_is_left_out() {
        let mut text = String::new();
        let mut stripper = Stripper::default();
        for html in [
            "a<span class=\"term-tip\">no <span>x",
            "</span></span>b<p>c&#233;&nbsp;&x;</p>",
            "<svg><g>no</g></svg>d",
        ] {
            stripper.strip(html, &mut text);
        }
        assert_eq!(text, "ab c\u{e9} &x; d");
    }

    #[test]
    fn terms_are_documents() {
        let config = document::Config::without_file();
        let text = "# T\n\n```glossary\n- term: CQRS\n  definition: Split \"it\"\n```\n";
        let page = document::parse_page(&SourceFile::new("a.md", text), &config);
        let docs = docs(&page);
        assert_eq!((docs[1].kind, docs[1].title.as_str()), (Kind::Term, "CQRS"));
        assert_eq!(docs[1].url, "a.html#glossary-cqrs");
        assert_eq!(docs[1].sections[0].text, "Split \"it\"");
    }
}
