//! Labels as plain SVG text. Where merman paints a label as HTML in a foreign object, `clean` asks
//! here for the same words as rows of text: no author's markup reaches a page.

use crate::engine::FONT_SIZE;
use crate::metrics::{self, LINE_HEIGHT};
use crate::tree::Element;
use roxmltree::Node;

/// Most rows of one label.
const MAX_ROWS: usize = 200;

/// Longest name of a character, `&` and `;` not counted.
const MAX_ENTITY: usize = 8;

/// Tags that authors write into labels and that say nothing in a drawing.
const TAGS: [&str; 20] = [
    "b", "big", "center", "code", "div", "em", "font", "i", "kbd", "li", "p", "pre", "s", "small",
    "span", "strong", "sub", "sup", "u", "ul",
];

/// The words of a foreign object as rows of text in the middle of its box.
pub(crate) fn from_foreign_object(raw: Node) -> Option<Element> {
    let number = |name: &str| -> f64 {
        let value = raw.attribute(name).and_then(|text| text.parse().ok());
        value.filter(|value: &f64| value.is_finite()).unwrap_or(0.0)
    };
    let (width, height) = (number("width"), number("height"));
    let style = Style::of(raw);
    let mut rows = vec![String::new()];
    collect(raw, &mut rows);
    let room = (!style.one_line && width > 1.0).then_some(width);
    let rows: Vec<String> =
        rows.iter().flat_map(|row| wrap(row, room, style.font_size)).take(MAX_ROWS).collect();
    if rows.iter().all(String::is_empty) {
        return None;
    }
    let line = style.font_size * LINE_HEIGHT;
    let count = rows.len() as f64;
    let first = number("y") + height / 2.0 - (count - 1.0) * line / 2.0;
    let (x, anchor) = if style.from_start {
        (number("x"), "start")
    } else {
        (number("x") + width / 2.0, "middle")
    };
    let mut text = Element::new("text")
        .with("class", style.classes)
        .with("text-anchor", anchor)
        .with("dominant-baseline", "central")
        .with("y", short(first));
    for (index, row) in rows.into_iter().enumerate() {
        let dy = if index == 0 { 0.0 } else { line };
        let mut span = Element::new("tspan")
            .with("class", "text-outer-tspan row")
            .with("x", short(x))
            .with("dy", short(dy));
        span.push_text(row);
        text.push(span);
    }
    if let Some(colour) = style.colour {
        text.set("color", colour);
    }
    if (style.font_size - FONT_SIZE).abs() > 0.1 {
        text.set("font-size", short(style.font_size));
    }
    Some(text)
}

/// A text without tags of formatting (`<b>`, `<i>`, ...) and names of icons. A `<br>` that is
/// still here was escaped by its author and is meant to be seen.
pub(crate) fn without_markup(text: &str) -> String {
    let text = decode(&without_icons(text));
    if !text.contains('<') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        match after.find('>').filter(|close| is_formatting(&after[..*close])) {
            Some(close) => rest = &after[close + 1..],
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Characters that authors write as `#colon;` or `#9829;`, which some of merman's families leave as
/// `&colon;` and its models as Mermaid's inner notation.
fn decode(text: &str) -> String {
    let text = text
        .replace("\u{fb02}\u{b0}\u{b0}", "&#")
        .replace("\u{fb02}\u{b0}", "&")
        .replace("\u{b6}\u{df}", ";");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(begin) = rest.find('&') {
        out.push_str(&rest[..begin]);
        let after = &rest[begin + 1..];
        let end = after.find(';').filter(|end| *end <= MAX_ENTITY);
        match end.and_then(|end| Some((end, character(&after[..end])?))) {
            Some((end, character)) => {
                out.push(character);
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = number.parse().ok().and_then(char::from_u32)?;
        return Some(code).filter(|character| !character.is_control());
    }
    let known = [
        ("amp", '&'),
        ("apos", '\''),
        ("colon", ':'),
        ("comma", ','),
        ("gt", '>'),
        ("hash", '#'),
        ("lpar", '('),
        ("lt", '<'),
        ("nbsp", '\u{a0}'),
        ("num", '#'),
        ("quot", '"'),
        ("rpar", ')'),
        ("semi", ';'),
    ];
    known.iter().find(|(known, _)| *known == name).map(|(_, character)| *character)
}

fn is_formatting(tag: &str) -> bool {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let name = tag.split([' ', '/']).next().unwrap_or("");
    TAGS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A text without `fa:fa-truck`: there is no icon font here.
fn without_icons(text: &str) -> String {
    if !text.contains(":fa-") {
        return text.to_owned();
    }
    let mut out = text.to_owned();
    for family in ["fa:fa-", "fab:fa-", "fas:fa-", "far:fa-", "fal:fa-", "fad:fa-"] {
        while let Some(begin) = out.find(family) {
            let name = &out[begin + family.len()..];
            let length = name
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '-')
                .unwrap_or(name.len());
            out.replace_range(begin..begin + family.len() + length, "");
        }
    }
    out
}

struct Style {
    one_line: bool,
    from_start: bool,
    font_size: f64,
    colour: Option<String>,
    classes: String,
}

impl Style {
    fn of(raw: Node) -> Self {
        let mut style = Self {
            one_line: false,
            from_start: false,
            font_size: FONT_SIZE,
            colour: None,
            classes: String::new(),
        };
        for node in raw.descendants().filter(Node::is_element) {
            let declared = node.attribute("style").unwrap_or("");
            style.one_line |= declared.contains("nowrap");
            style.from_start |=
                declared.contains("text-align: left") || declared.contains("text-align: start");
            for declaration in crate::css::declarations(declared) {
                match declaration.name {
                    "color" => style.colour = Some(declaration.value),
                    "font-size" => {
                        if let Ok(size) = declaration.value.trim_end_matches("px").parse::<f64>() {
                            style.font_size = size.clamp(4.0, 96.0);
                        }
                    }
                    _ => {}
                }
            }
            let class = node.attribute("class").unwrap_or("");
            for known in ["nodeLabel", "edgeLabel", "label"] {
                if class.split_ascii_whitespace().any(|name| name == known) {
                    style.classes = known.to_owned();
                }
            }
        }
        style
    }
}

fn collect(node: Node, rows: &mut Vec<String>) {
    for child in node.children() {
        if let Some(text) = child.text().filter(|_| child.is_text()) {
            if let Some(row) = rows.last_mut() {
                row.push_str(&without_icons(text));
            }
            continue;
        }
        match child.tag_name().name() {
            "script" | "style" | "iframe" | "object" | "embed" => {}
            "br" => rows.push(String::new()),
            name => {
                let block = matches!(name, "p" | "div" | "li" | "ul" | "ol" | "pre");
                let begun = rows.last().is_some_and(|row| !row.trim().is_empty());
                if block && begun {
                    rows.push(String::new());
                }
                collect(child, rows);
            }
        }
    }
}

fn wrap(row: &str, room: Option<f64>, font_size: f64) -> Vec<String> {
    let words: Vec<&str> = row.split_whitespace().collect();
    let Some(room) = room else {
        return vec![words.join(" ")];
    };
    let mut rows = vec![String::new()];
    for word in words {
        let last = rows.last_mut().expect("there is always a row");
        let longer = if last.is_empty() { word.to_owned() } else { format!("{last} {word}") };
        if last.is_empty() || metrics::width(&longer, font_size, false) <= room + 1.0 {
            *last = longer;
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}

/// A number with at most two decimals.
pub(crate) fn short(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    if rounded == 0.0 {
        return "0".to_owned();
    }
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::{from_foreign_object, without_markup};

    #[test]
    fn tags_of_formatting_are_taken_out() {
        for (text, wanted) in [
            ("Hello <b>x</b>", "Hello x"),
            ("using <br/>", "using <br/>"),
            ("fa:fa-truck Trucks", " Trucks"),
            ("a < b > c", "a < b > c"),
            ("List<int>", "List<int>"),
            ("<span style='x'>y</span>", "y"),
            ("<", "<"),
            ("foo&colon; &#9829; & co", "foo: \u{2665} & co"),
            ("say \u{fb02}\u{b0}quot\u{b6}\u{df}", "say \""),
            ("<b", "<b"),
        ] {
            assert_eq!(without_markup(text), wanted);
        }
    }

    #[test]
    fn html_labels_become_rows() {
        let xml = "<foreignObject width=\"60\" height=\"48\"><div><p>one two<br/>three \
                   <b>four five</b></p><script>alert(1)</script></div></foreignObject>";
        let document = roxmltree::Document::parse(xml).expect("this is XML");
        let text = from_foreign_object(document.root_element()).expect("there are words");
        let rows: Vec<String> = text.elements().map(|row| row.text()).collect();
        assert_eq!(rows, ["one two", "three", "four five"]);
    }
}
