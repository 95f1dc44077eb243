//! A document's colour tokens as custom properties, with health colours that can be read on them.
//!
//! Six tokens per mode come from the front matter; `css/tokens.css` derives the rest. Health colours
//! are never the document's: of each a dark and a light one exist, and the one with more contrast to
//! the document's surface is taken, then moved towards black or white until small text can be read.

use document::{Config, DEFAULT_COLOURS as TOKENS, Mode, Theme};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// Name, for bright surfaces, for dark surfaces.
const HEALTH: [(&str, &str, &str); 4] = [
    ("ok", "#12805c", "#6ee7b7"),
    ("warn", "#b45309", "#fcd34d"),
    ("bad", "#c8322b", "#fca5a5"),
    ("idle", "#66727f", "#b3c2bd"),
];
/// WCAG 2.2 asks for this of small text.
const CONTRAST_MIN: f64 = 4.5;
/// Steps from a colour to black or white while looking for enough contrast.
const STEPS: u32 = 40;

/// The value of `data-mode`: what the page asks for, else the book.
pub(crate) fn mode(theme: &Theme, config: &Config) -> &'static str {
    let asked = match theme.mode {
        Mode::Auto => config.mdbook.mode,
        other => other,
    };
    match asked {
        Mode::Auto => "auto",
        Mode::Light => "light",
        Mode::Dark => "dark",
    }
}

/// Whether the document brings any colours.
pub(crate) fn has_tokens(theme: &Theme) -> bool {
    !theme.light.is_empty() || !theme.dark.is_empty()
}

/// The content of `<style>`: every token as `light-dark(…)`.
pub(crate) fn style(theme: &Theme) -> String {
    let mut css = String::from(":root{");
    for (name, light, dark) in TOKENS {
        let light = token(&theme.light, name).unwrap_or(light);
        let dark = token(&theme.dark, name).unwrap_or(dark);
        let _ = write!(css, "--{name}:light-dark({light},{dark});");
    }
    let surface = |mode: &IndexMap<String, String>, default: &str| {
        token(mode, "surface").and_then(rgb).or_else(|| rgb(default)).unwrap_or([255.0; 3])
    };
    let (bright, night) = (surface(&theme.light, TOKENS[3].1), surface(&theme.dark, TOKENS[3].2));
    for (name, deep, pale) in HEALTH {
        let (light, dark) = (readable([deep, pale], bright), readable([pale, deep], night));
        let _ = write!(css, "--{name}:light-dark({light},{dark});");
    }
    css.push('}');
    css
}

/// The author's value, unless it could end the declaration: `document` checked it already, and the
/// page's style sheet must not depend on that.
fn token<'a>(mode: &'a IndexMap<String, String>, name: &str) -> Option<&'a str> {
    let value = mode.get(name)?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "#(),.%/ +-".contains(c);
    let balanced = value.matches('(').count() == value.matches(')').count();
    (!value.is_empty() && value.chars().all(plain) && balanced).then_some(value)
}

fn readable(candidates: [&str; 2], surface: [f64; 3]) -> String {
    let colours = candidates.map(|hex| rgb(hex).expect("health colours are written as #rrggbb"));
    let enough = |colour: &[f64; 3]| contrast(*colour, surface) >= CONTRAST_MIN;
    if let Some(found) = colours.iter().find(|colour| enough(colour)) {
        return hex(*found);
    }
    let best = if contrast(colours[0], surface) >= contrast(colours[1], surface) {
        colours[0]
    } else {
        colours[1]
    };
    let end = if luminance(surface) > 0.18 { 0.0 } else { 255.0 };
    let moved =
        |step: u32| best.map(|part| part + (end - part) * f64::from(step) / f64::from(STEPS));
    hex((0..=STEPS).map(moved).find(enough).unwrap_or([end; 3]))
}

/// `#rgb`, `#rrggbb`, `#rrggbbaa` and `rgb(r, g, b)`; other notations are not measured.
fn rgb(colour: &str) -> Option<[f64; 3]> {
    let colour = colour.trim();
    if let Some(digits) = colour.strip_prefix('#') {
        let wide = match digits.len() {
            3 | 4 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            6 | 8 => digits.to_owned(),
            _ => return None,
        };
        let part = |at: usize| u8::from_str_radix(wide.get(at..at + 2)?, 16).ok().map(f64::from);
        return Some([part(0)?, part(2)?, part(4)?]);
    }
    let inner = colour.strip_prefix("rgb(")?.strip_suffix(')')?;
    let mut parts = inner.split([',', ' ', '/']).filter(|part| !part.is_empty());
    let mut part = || parts.next()?.parse::<f64>().ok();
    Some([part()?, part()?, part()?])
}

fn hex(colour: [f64; 3]) -> String {
    let [r, g, b] = colour.map(|part| part.round().clamp(0.0, 255.0) as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |part: f64| {
        let part = part / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [r, g, b] = colour.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(light: &[(&str, &str)]) -> Theme {
        let light = light.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Theme { light, ..Theme::default() }
    }

    #[test]
    fn code_can_be_read_in_both_modes() {
        let css = include_str!("../../../themes/default/css/code.css");
        let mut pairs = 0;
        for line in css.lines().filter(|line| line.trim().starts_with("--h-")) {
            let inside = line.split("light-dark(").nth(1).expect("a pair").trim_end_matches(");");
            let (light, dark) = inside.split_once(", ").expect("two colours");
            for (text, mode) in [(light, 1), (dark, 2)] {
                for (name, on_light, on_dark) in TOKENS.iter() {
                    if !matches!(*name, "surface" | "background") {
                        continue;
                    }
                    let ground = rgb(if mode == 1 { on_light } else { on_dark }).expect("a colour");
                    let ratio = contrast(rgb(text).expect("a colour"), ground);
                    assert!(ratio >= CONTRAST_MIN, "{line} on {name}: {ratio:.2}");
                }
            }
            pairs += 1;
        }
        assert!(pairs >= 10, "{pairs} pairs");
    }

    #[test]
    fn health_can_be_read_on_any_surface() {
        for surface in ["#ffffff", "#000000", "#065f46", "#808080", "#f0fdf4", "rgb(120, 110, 20)"]
        {
            for (name, deep, pale) in HEALTH {
                let found = readable([deep, pale], rgb(surface).expect("a colour"));
                let ratio =
                    contrast(rgb(&found).expect("a colour"), rgb(surface).expect("a colour"));
                assert!(ratio >= CONTRAST_MIN, "{name} {found} on {surface}: {ratio}");
            }
        }
    }

    #[test]
    fn tokens_of_the_document_win_and_cannot_break_out() {
        for (value, expected) in [
            ("#059669", "--primary:light-dark(#059669,#2dd4bf);"),
            ("rgb(1, 2, 3)", "--primary:light-dark(rgb(1, 2, 3),#2dd4bf);"),
            ("red;}</style><script>", "--primary:light-dark(#0f766e,#2dd4bf);"),
            ("url(x", "--primary:light-dark(#0f766e,#2dd4bf);"),
            ("", "--primary:light-dark(#0f766e,#2dd4bf);"),
        ] {
            assert!(style(&theme(&[("primary", value)])).contains(expected), "{value}");
        }
    }
}
