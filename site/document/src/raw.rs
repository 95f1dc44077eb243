//! HTML that an author writes in Markdown: elements and attributes of an allow-list pass, balanced;
//! everything else is shown as the text it is.
//!
//! `body` hands in the text of raw HTML; it goes into the [`Writer`].

use crate::addresses::Addresses;
use crate::html::{Writer, escape, escape_address};
use crate::links;
use pulldown_cmark::{Event, Parser};

/// Elements that may stand in a page. No script, no style, no form, no frame.
const ELEMENTS: &str = " a abbr article aside b bdi bdo blockquote caption center cite code col colgroup dd \
    del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header i ins kbd li mark ol p \
    picture pre q rp rt ruby s samp section small span strong sub summary sup table tbody td tfoot \
    th thead time tr u ul var ";
/// The longest name of a character in HTML has 31 letters.
const REFERENCE_MAX: usize = 32;
const VOID: &str = " br hr img wbr col source ";
const ATTRIBUTES: &str = " align alt class colspan data-tab datetime dir height href id lang loading name open reversed \
    role rowspan scope src start title width aria-label aria-hidden ";

/// What the author's tags bring along that the page must know.
#[derive(Default)]
pub(crate) struct Brought {
    /// Every `id`.
    pub(crate) ids: Vec<String>,
    /// Every `name`: browsers follow links to it, too.
    pub(crate) names: Vec<String>,
    /// Every `href` and `src`, its character references read.
    pub(crate) links: Vec<String>,
}

/// Writes `source`: tags of the list as tags, all else as text.
pub(crate) fn write(source: &str, addresses: Addresses<'_>, writer: &mut Writer) -> Brought {
    let mut brought = Brought::default();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        write_text(&rest[..at], writer);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        match Tag::parse(rest) {
            Some((tag, length)) => {
                tag.write(&rest[..length], addresses, writer, &mut brought);
                rest = &rest[length..];
            }
            None => {
                writer.text("<");
                rest = &rest[1..];
            }
        }
    }
    write_text(rest, writer);
    brought
}

/// Text between tags: entities stay, single ampersands are escaped.
fn write_text(text: &str, writer: &mut Writer) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        writer.text(&rest[..at]);
        let name = &rest[at + 1..];
        let end = name.bytes().take(32).position(|b| b == b';');
        let entity = end.map(|end| &name[..end]).filter(|name| {
            name.bytes()
                .enumerate()
                .all(|(i, b)| b.is_ascii_alphanumeric() || (i == 0 && b == b'#'))
                && name.len() > 1
        });
        match entity {
            Some(entity) => {
                writer.html(&rest[at..at + entity.len() + 2]);
                rest = &rest[at + entity.len() + 2..];
            }
            None => {
                writer.text("&");
                rest = name;
            }
        }
    }
    writer.text(rest);
}

/// A tag with its place in the source.
pub(crate) struct Placed<'a> {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, &'a str)>,
    pub(crate) span: std::ops::Range<usize>,
}

/// Every opening tag that passes, in order; what stands in comments does not count.
pub(crate) fn tags(source: &str) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find('<').map(|skip| at + skip) {
        if source[open..].starts_with("<!--") {
            at = source[open..].find("-->").map_or(source.len(), |end| open + end + 3);
            continue;
        }
        let Some((tag, length)) = Tag::parse(&source[open..]) else {
            at = open + 1;
            continue;
        };
        at = open + length;
        let listed = format!(" {} ", tag.name);
        if !tag.closing && (ELEMENTS.contains(&listed) || VOID.contains(&listed)) {
            let Tag { name, attributes, .. } = tag;
            found.push(Placed { name, attributes, span: open..at });
        }
    }
    found
}

struct Tag<'a> {
    name: String,
    closing: bool,
    empty: bool,
    attributes: Vec<(String, &'a str)>,
}

impl<'a> Tag<'a> {
    /// The tag at the start of `text` and its length.
    fn parse(text: &'a str) -> Option<(Self, usize)> {
        let closing = text.starts_with("</");
        let mut at = if closing { 2 } else { 1 };
        let name_end = at + text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-')?;
        let name = text[at..name_end].to_ascii_lowercase();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        at = name_end;
        let mut attributes = Vec::new();
        loop {
            at += text[at..].len() - text[at..].trim_start().len();
            if text[at..].starts_with("/>") {
                return Some((Self { name, closing, empty: true, attributes }, at + 2));
            }
            if text[at..].starts_with('>') {
                return Some((Self { name, closing, empty: false, attributes }, at + 1));
            }
            let (attribute, end) = attribute(text, at)?;
            attributes.push(attribute);
            at = end;
        }
    }

    fn write(
        &self,
        source: &str,
        addresses: Addresses<'_>,
        writer: &mut Writer,
        brought: &mut Brought,
    ) {
        let listed = |list: &str| list.contains(&format!(" {} ", self.name));
        let void = listed(VOID);
        match (self.closing, void || listed(ELEMENTS)) {
            (_, false) => writer.text(source),
            (true, true) => writer.close_raw(&self.name),
            (false, true) => {
                let mut tag = format!("<{}", self.name);
                let mut seen: Vec<&str> = Vec::new();
                for (key, value) in &self.attributes {
                    if !seen.contains(&key.as_str()) {
                        seen.push(key);
                        write_attribute(&mut tag, key, value, addresses, brought);
                    }
                }
                tag.push('>');
                match void {
                    true => writer.html(&tag),
                    false => writer.open_raw(&tag, &self.name),
                }
                if self.empty && !void {
                    writer.close_raw(&self.name);
                }
            }
        }
    }
}

fn attribute(text: &str, at: usize) -> Option<((String, &str), usize)> {
    let stop = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/' | '"' | '\'' | '<');
    let key_end = at + text[at..].find(stop)?;
    if key_end == at {
        return None;
    }
    let key = text[at..key_end].to_ascii_lowercase();
    let Some(value) = text[key_end..].trim_start().strip_prefix('=') else {
        return Some(((key, ""), key_end));
    };
    let value = value.trim_start();
    let start = text.len() - value.len();
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        let length = value[1..].find(quote)?;
        return Some(((key, &value[1..=length]), start + length + 2));
    }
    let length = value.find(|c: char| c.is_whitespace() || c == '>')?;
    Some(((key, &value[..length]), start + length))
}

/// A value with `&amp;`, `&#58;` and the like as the signs that they stand for.
fn references(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '#';
        let length = 1 + rest[1..].find(|c| !inside(c)).unwrap_or(rest.len() - 1);
        // Of letters, digits and `#` alone Markdown makes nothing else.
        let read = (length <= REFERENCE_MAX && rest[length..].starts_with(';')).then(|| {
            Parser::new(&rest[..=length])
                .filter_map(|event| match event {
                    Event::Text(text) => Some(text.into_string()),
                    _ => None,
                })
                .collect::<String>()
        });
        match read {
            Some(signs) => {
                out.push_str(&signs);
                rest = &rest[length + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn write_attribute(
    tag: &mut String,
    key: &str,
    value: &str,
    addresses: Addresses<'_>,
    brought: &mut Brought,
) {
    if !ATTRIBUTES.contains(&format!(" {key} ")) || (key == "role" && value != "note") {
        return;
    }
    let value = references(value);
    let value = match key {
        "href" | "src" => {
            let Some(address) = links::safe(&value) else { return };
            brought.links.push(value);
            escape_address(&addresses.href(&address))
        }
        _ => escape(&value),
    };
    if !value.is_empty() {
        match key {
            "id" => brought.ids.push(value.clone()),
            "name" => brought.names.push(value.clone()),
            _ => {}
        }
    }
    tag.push_str(&format!(" {key}=\"{value}\""));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Piece;

    #[test]
    fn tags_pass_balanced_and_the_rest_is_text() {
        for (source, expected) in [
            ("<b>x</b>", "<b>x</b>"),
            ("<DIV class=note>x", "<div class=\"note\">x</div>"),
            ("x</b>", "x"),
            ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
            ("<p role=note>x", "<p role=\"note\">x</p>"),
            ("<p role=button>x", "<p>x</p>"),
            ("<br/><hr>", "<br><hr>"),
            (
                "<br title=\"a &amp; b &copy;&#x41; &x &nope; &\">",
                "<br title=\"a &amp; b ©A &amp;x &amp;nope; &amp;\">",
            ),
            (
                "<a href=\"https://e.org/?a=1&amp;b=2\">t</a>",
                "<a href=\"https://e.org/?a=1&amp;b=2\">t</a>",
            ),
            ("<a href=\"&#x6a;avascript&colon;x\">t</a>", "<a>t</a>"),
            ("<script>a<b</script>", "&lt;script&gt;a&lt;b&lt;/script&gt;"),
            ("<a href=\"javascript:x\" onclick=y>t</a>", "<a>t</a>"),
            ("<a href='b.md#c'>t</a>", "<a href=\"b.html#c\">t</a>"),
            ("<img src=x.png onerror=alert(1)>", "<img src=\"x.png\">"),
            ("a &amp; b & c &nbsp; &#9731;", "a &amp; b &amp; c &nbsp; &#9731;"),
            ("<!-- gone -->x<!-- open", "x"),
            ("a < b <3 <", "a &lt; b &lt;3 &lt;"),
            ("<b \"", "&lt;b &quot;"),
            ("<span/>x", "<span></span>x"),
        ] {
            let mut writer = Writer::default();
            let stems = crate::addresses::Stems::default();
            write(source, Addresses::new("a.md", &stems, true), &mut writer);
            let html: String = writer
                .finish()
                .into_iter()
                .map(|piece| match piece {
                    Piece::Html(html) => html,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(html, expected, "{source}");
        }
    }
}
