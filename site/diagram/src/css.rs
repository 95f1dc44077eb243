//! Which declarations of an author's `style` reach the drawing, and as which attributes. `clean` asks.
//!
//! Declarations become presentation attributes, never a `style` attribute: a page with a
//! Content-Security-Policy against inline style shows the same colours.

/// Longest value of one declaration, in bytes.
const MAX_VALUE: usize = 80;

/// A declaration that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declaration {
    /// The presentation attribute of the same name.
    pub(crate) name: &'static str,
    /// Its value, checked, without `!important`.
    pub(crate) value: String,
    /// Said `!important`: in merman's output that marks an author's own style.
    pub(crate) important: bool,
}

/// Properties that may pass, each with what its values may be.
const PROPERTIES: [(&str, Kind); 24] = [
    ("color", Kind::Paint),
    ("display", Kind::Word(&["none", "inline", "block"])),
    ("dominant-baseline", Kind::Word(BASELINES)),
    ("fill", Kind::Paint),
    ("fill-opacity", Kind::Number),
    ("font-size", Kind::Number),
    ("font-style", Kind::Word(&["normal", "italic", "oblique"])),
    ("font-weight", Kind::Word(WEIGHTS)),
    ("opacity", Kind::Number),
    ("r", Kind::Number),
    ("rx", Kind::Number),
    ("ry", Kind::Number),
    ("stop-color", Kind::Paint),
    ("stop-opacity", Kind::Number),
    ("stroke", Kind::Paint),
    ("stroke-dasharray", Kind::Numbers),
    ("stroke-dashoffset", Kind::Number),
    ("stroke-linecap", Kind::Word(&["butt", "round", "square"])),
    ("stroke-linejoin", Kind::Word(&["miter", "round", "bevel"])),
    ("stroke-miterlimit", Kind::Number),
    ("stroke-opacity", Kind::Number),
    ("stroke-width", Kind::Number),
    ("text-anchor", Kind::Word(&["start", "middle", "end"])),
    ("text-decoration", Kind::Word(&["none", "underline", "line-through"])),
];

const BASELINES: &[&str] = &[
    "auto",
    "middle",
    "central",
    "hanging",
    "mathematical",
    "alphabetic",
    "text-after-edge",
    "text-before-edge",
    "auto",
    "ideographic",
    "baseline",
    "text-top",
    "text-bottom",
];

const WEIGHTS: &[&str] = &[
    "normal", "bold", "bolder", "lighter", "100", "200", "300", "400", "500", "600", "700", "800",
    "900",
];

#[derive(Clone, Copy)]
enum Kind {
    Paint,
    Number,
    Numbers,
    Word(&'static [&'static str]),
}

/// The declarations of a `style` attribute that may pass.
pub(crate) fn declarations(style: &str) -> Vec<Declaration> {
    style
        .split(';')
        .filter_map(|part| part.split_once(':'))
        .filter_map(|(name, value)| declaration(name.trim(), value))
        .collect()
}

fn declaration(name: &str, value: &str) -> Option<Declaration> {
    let value = value.trim();
    let plain = value.trim_end_matches("!important").trim_end();
    let (name, value_text) = checked(name, plain)?;
    Some(Declaration { name, value: value_text, important: plain.len() < value.len() })
}

/// A property or presentation attribute with its value, when both may pass.
pub(crate) fn checked(name: &str, value: &str) -> Option<(&'static str, String)> {
    let (known, kind) = PROPERTIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let value = value.trim();
    if value.is_empty() || value.len() > MAX_VALUE {
        return None;
    }
    let passes = match kind {
        Kind::Paint => is_paint(value),
        Kind::Number => is_number(value),
        Kind::Numbers => {
            value == "none"
                || value.split([',', ' ']).filter(|part| !part.is_empty()).all(is_number)
        }
        Kind::Word(words) => words.contains(&value.to_ascii_lowercase().as_str()),
    };
    passes.then(|| (*known, value.to_owned()))
}

fn is_paint(value: &str) -> bool {
    matches!(value, "none" | "currentColor" | "inherit") || crate::colour::parse(value).is_some()
}

fn is_number(value: &str) -> bool {
    let digits = value
        .strip_suffix("px")
        .or_else(|| value.strip_suffix("em"))
        .or_else(|| value.strip_suffix('%'))
        .unwrap_or(value)
        .trim();
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".-+e".contains(&byte))
        && digits.parse::<f64>().is_ok_and(|number| number.is_finite() && number.abs() < 1e6)
}

#[cfg(test)]
mod tests {
    use super::declarations;

    #[test]
    fn only_known_declarations_pass() {
        for (style, wanted) in [
            ("fill:#022c22 !important", "fill=#022c22!"),
            ("fill: red; stroke-width: 2px", "fill=red stroke-width=2px"),
            ("fill:url(https://evil.example/x)", ""),
            ("fill:url(#a)", ""),
            ("fill:expression(alert(1))", ""),
            ("background:url(x);@import 'x';position:fixed", ""),
            ("stroke-dasharray: 5 5", "stroke-dasharray=5 5"),
            ("stroke-dasharray: 5 calc(1)", ""),
            ("fill:red\"/><script>alert(1)</script>", ""),
            ("FILL:Red", "fill=Red"),
            ("opacity:1e999", ""),
            ("font-family:x;behavior:url(x)", ""),
            (";;:;undefined;;;", ""),
        ] {
            let found = declarations(style)
                .iter()
                .map(|found| {
                    let mark = if found.important { "!" } else { "" };
                    format!("{}={}{mark}", found.name, found.value)
                })
                .collect::<Vec<_>>()
                .join(" ");
            assert_eq!(found, wanted, "{style}");
        }
    }
}
