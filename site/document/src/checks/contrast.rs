//! Contrast of the theme's colours by WCAG 2.2, level AA, over the pairs that the style sheets use.
//!
//! The derived colours repeat what `themes/default/css/tokens.css` says; a test compares both.

use crate::colour::{self, from_oklab, from_oklch, luminance, to_oklab};
use crate::frontmatter::Above;
use crate::{Page, Theme};
use diagnostics::{Code, Diagnostic};
use std::ops::Range;

/// The six tokens of a theme with their values in light and in dark, where an author gives none.
pub const DEFAULT_COLOURS: [(&str, &str, &str); 6] = [
    ("primary", "#0f766e", "#2dd4bf"),
    ("secondary", "#64748b", "#94a3b8"),
    ("background", "#f6f8f8", "#0f1716"),
    ("surface", "#ffffff", "#172120"),
    ("text", "#17201f", "#e8efed"),
    ("text-secondary", "#566664", "#a3b3b0"),
];
/// WCAG 2.2, 1.4.3: text of ordinary size.
const TEXT_MIN: f64 = 4.5;
/// WCAG 2.2, 1.4.11: what shows where the focus is.
const FOCUS_MIN: f64 = 3.0;
/// Share of `--link` in links on a tint.
const ON_TINT_SHARE: f64 = 0.72;
/// Steps of lightness in the search for a colour that would do.
const STEPS: u32 = 200;

type Rgb = [f64; 3];

/// A colour that a page shows.
#[derive(Clone, Copy, PartialEq)]
enum Ink {
    Token(&'static str),
    /// `--link`: what links and buttons are drawn in, made of `primary`.
    Link,
    /// What the current entry of the sidebar lies on: `primary`, 13 %, on the background.
    Current,
    /// What a piece of code in a line lies on: `text`, 6 %, on the background.
    Code,
    /// Words on either that lead somewhere: `--link`, 72 %, with `text`.
    LinkOnTint,
}

/// What stands on what, the ratio it needs and how readers would name it.
const PAIRS: &[(Ink, Ink, f64, &str)] = &[
    (Ink::Token("text"), Ink::Token("background"), TEXT_MIN, "text on the page"),
    (Ink::Token("text"), Ink::Token("surface"), TEXT_MIN, "text in code, tables and tiles"),
    (Ink::Token("text-secondary"), Ink::Token("background"), TEXT_MIN, "secondary text"),
    (Ink::Token("text-secondary"), Ink::Token("surface"), TEXT_MIN, "secondary text in tiles"),
    (Ink::Link, Ink::Token("background"), TEXT_MIN, "links"),
    (Ink::Link, Ink::Token("surface"), TEXT_MIN, "links in tables, and the words on buttons"),
    (Ink::LinkOnTint, Ink::Current, TEXT_MIN, "the current entry of the sidebar"),
    (Ink::LinkOnTint, Ink::Code, TEXT_MIN, "code in links"),
    (Ink::Token("text"), Ink::Code, TEXT_MIN, "code in a line"),
    (Ink::Token("primary"), Ink::Token("background"), FOCUS_MIN, "the ring around the focus"),
];

impl Ink {
    /// The token that an author changes to change this colour.
    fn token(self) -> &'static str {
        match self {
            Self::Token(name) => name,
            Self::Code => "text",
            Self::Link | Self::Current | Self::LinkOnTint => "primary",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Token(name) => format!("`{name}`"),
            Self::Link => "the link colour made of `primary`".to_owned(),
            Self::Current => "the tint made of `primary`".to_owned(),
            Self::Code => "the tint made of `text`".to_owned(),
            Self::LinkOnTint => "the colour made of `primary` and `text`".to_owned(),
        }
    }
}

/// The tokens of one mode.
#[derive(Clone, Copy)]
struct Palette<'t> {
    theme: &'t Theme,
    dark: bool,
    /// A token that is tried with another colour.
    tried: Option<(&'static str, Rgb)>,
}

impl Palette<'_> {
    fn given(&self, token: &str) -> Option<&str> {
        let mode = if self.dark { &self.theme.dark } else { &self.theme.light };
        mode.get(token).map(String::as_str)
    }

    /// The token as it is seen on a page: half-transparent ones lie on what is below them.
    fn token(&self, name: &str) -> Rgb {
        if let Some((_, colour)) = self.tried.filter(|(tried, _)| *tried == name) {
            return colour;
        }
        let default = DEFAULT_COLOURS.iter().find(|(token, ..)| *token == name);
        let default =
            default.map_or("#000", |(_, light, dark)| if self.dark { dark } else { light });
        let value = self.given(name).unwrap_or(default);
        let Some(found) = colour::parse(value).or_else(|| colour::parse(default)) else {
            return [0.0; 3];
        };
        let below = match name {
            _ if found.alpha >= 1.0 => return found.rgb,
            "background" => [if self.dark { 0.0 } else { 1.0 }; 3],
            _ => self.token("background"),
        };
        over(found.rgb, found.alpha, below)
    }

    fn ink(&self, ink: Ink) -> Rgb {
        let primary = self.token("primary");
        match ink {
            Ink::Token(name) => self.token(name),
            Ink::Current => over(primary, 0.13, self.token("background")),
            Ink::Code => over(self.token("text"), 0.06, self.token("background")),
            Ink::LinkOnTint => mix(self.ink(Ink::Link), ON_TINT_SHARE, self.token("text")),
            Ink::Link if self.dark => {
                let [l, a, b] = to_oklab(primary);
                let hue = b.atan2(a).to_degrees();
                from_oklch([l.max(0.84), a.hypot(b).min(0.13), hue])
            }
            Ink::Link => mix(primary, 0.82, self.token("text")),
        }
    }
}

/// `color-mix(in oklab, one SHARE, other)`.
fn mix(one: Rgb, share: f64, other: Rgb) -> Rgb {
    let (one, other) = (to_oklab(one), to_oklab(other));
    from_oklab([0, 1, 2].map(|at| one[at] * share + other[at] * (1.0 - share)))
}

/// A colour of some opacity on another, as it is painted.
fn over(colour: Rgb, alpha: f64, below: Rgb) -> Rgb {
    [0, 1, 2].map(|at| colour[at] * alpha + below[at] * (1.0 - alpha))
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A finding for each pair of a mode that the page gives colours for.
pub(super) fn check(page: &Page, above: &Above) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for dark in [false, true] {
        let palette = Palette { theme: &page.theme, dark, tried: None };
        for (ink, ground, needed, what) in PAIRS {
            let given = [*ink, *ground].into_iter().find(|i| palette.given(i.token()).is_some());
            let Some(given) = given else { continue }; // the theme's own colours are its makers' matter
            let ratio = contrast(palette.ink(*ink), palette.ink(*ground));
            if ratio >= *needed {
                continue;
            }
            let mode = if dark { "dark" } else { "light" };
            // Cut, not rounded: 4.499 is not shown as 4.5.
            let shown = (ratio * 100.0).floor() / 100.0;
            let message = format!(
                "{what} ({mode}): {} on {} has a contrast of {shown:.2}, and {needed} is needed",
                ink.name(),
                ground.name()
            );
            let place = place(page.file.text(), &above.span, mode, given.token());
            let help = help(&palette, *ink, *ground, *needed);
            found.push(super::finding(page, Code::Contrast, place, message, help));
        }
    }
    found
}

/// The nearest colour, in lightness, that has enough contrast on everything that its token is put on.
fn help(palette: &Palette<'_>, ink: Ink, ground: Ink, needed: f64) -> String {
    let token = ink.token();
    let now = to_oklab(palette.token(token));
    let enough = |candidate: Rgb| {
        let tried = Palette { tried: Some((token, candidate)), ..*palette };
        let pairs = PAIRS.iter().filter(|(above, ..)| above.token() == token);
        pairs.into_iter().all(|(above, under, needed, _)| {
            contrast(tried.ink(*above), tried.ink(*under)) >= *needed
        })
    };
    let candidates = (1..=STEPS).flat_map(|step| {
        let far = f64::from(step) / f64::from(STEPS);
        [now[0] - far, now[0] + far]
    });
    let fit = candidates.filter(|l| (0.0..=1.0).contains(l)).find_map(|l| {
        // Through the digits that are shown: what is said is what was measured.
        let shown = colour::to_hex(from_oklab([l, now[1], now[2]]));
        let rgb = colour::parse(&shown)?.rgb;
        enough(rgb).then_some(shown)
    });
    match fit {
        Some(fit) => format!("`{token}` would do as `{fit}`"),
        None => format!("no `{token}` reaches {needed} there: change `{}`, too", ground.token()),
    }
}

/// The value of a token in the front matter, else the name of the mode, else all of it.
fn place(text: &str, span: &Range<usize>, mode: &str, token: &str) -> Range<usize> {
    let Some(part) = text.get(span.clone()) else { return span.clone() };
    let from = word(part, 0, "colors").or_else(|| word(part, 0, "colours")).unwrap_or(0);
    let Some(mode_at) = word(part, from, mode) else { return span.clone() };
    let Some(end) = word(part, mode_at, token) else { return span.clone() };
    let rest = &part[end..];
    let value = rest.find([':', '=']).map_or(end, |at| end + at + 1);
    let lead = part[value..].len() - part[value..].trim_start_matches([' ', '"', '\'', '\t']).len();
    let start = value + lead;
    let length = part[start..].find(['"', '\'', '\n']).unwrap_or(part.len() - start);
    let length = part[start..start + length].trim_end_matches([' ', ',', '}']).len();
    span.start + start..span.start + start + length
}

/// End of the first `word` behind `from` that is no part of a longer one.
fn word(text: &str, from: usize, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text[from..].match_indices(word).map(|(at, _)| from + at).find_map(|at| {
        let end = at + word.len();
        (!text[..at].ends_with(part) && !text[end..].starts_with(part)).then_some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_derives_as_is_computed_here() {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../themes/default/css");
        let read =
            |name: &str| std::fs::read_to_string(path.join(name)).expect("the theme is there");
        for (file, rule) in [
            (
                "tokens.css",
                "--link: light-dark(color-mix(in oklab, var(--primary) 82%, var(--text)), oklch(from var(--primary) max(l, .84) min(c, .13) h));",
            ),
            ("base.css", "background: var(--link); color: var(--surface)"),
            ("base.css", "outline: 2px solid var(--primary)"),
            ("prose.css", "background: color-mix(in oklab, var(--text) 6%, transparent) }"),
            (
                "prose.css",
                ".prose a code { color: color-mix(in oklab, var(--link) 72%, var(--text)) }",
            ),
            (
                "frame.css",
                "color-mix(in oklab, var(--primary) 13%, transparent); color: color-mix(in oklab, var(--link) 72%, var(--text))",
            ),
        ] {
            assert!(read(file).contains(rule), "{file} changed: mend `PAIRS` after {rule}");
        }
    }

    #[test]
    fn ratios_and_mixes() {
        let rgb = |hex| colour::parse(hex).expect("a colour").rgb;
        for (one, other, expected) in
            [("#000", "#fff", 21.0), ("#777", "#fff", 4.48), ("#767676", "#fff", 4.54)]
        {
            assert!((contrast(rgb(one), rgb(other)) - expected).abs() < 0.01, "{one} {other}");
        }
        // What Chromium computes for color-mix(in oklab, #059669 82%, #1a1a1a).
        assert_eq!(colour::to_hex(mix(rgb("#000"), 0.0, rgb("#059669"))), "#059669");
        assert_eq!(colour::to_hex(over(rgb("#000"), 0.5, rgb("#fff"))), "#808080");
    }

    #[test]
    fn the_colours_without_an_author_do() {
        let theme = Theme::default();
        for dark in [false, true] {
            let palette = Palette { theme: &theme, dark, tried: None };
            for (ink, ground, needed, what) in PAIRS {
                let ratio = contrast(palette.ink(*ink), palette.ink(*ground));
                assert!(ratio >= *needed, "{what}, dark {dark}: {ratio}");
            }
        }
    }
}
