//! Formulas in TeX's notation to MathML, which browsers draw without a script.
//!
//! `body` hands in a formula. Where formulas stand: in a `math` fence always; between `$` and `$$`
//! when `output.loggia.math` is `true`; between `\\(` and `\\)`, `\\[` and `\\]`, `$$` and `$$` when
//! `output.html.mathjax-support` is. Off by default, so that `$5 and $6` stays what it is.

use crate::html::escape;
use pulldown_latex::config::DisplayMode;
use pulldown_latex::{Event, Parser, ParserError, RenderConfig, Storage, push_mathml};

/// Longest formula that is read, in bytes.
const FORMULA_BYTES_MAX: usize = 8_000;
/// How deep groups may stand in each other, and how many commands may follow each other without a
/// letter between them: the library below goes down one call for each.
const NESTING_MAX: usize = 40;

/// The formula as a `<math>` element with its source inside, or what is wrong with it.
pub(crate) fn render(formula: &str, display: bool) -> Result<String, String> {
    if formula.len() > FORMULA_BYTES_MAX {
        return Err(format!("it is longer than {FORMULA_BYTES_MAX} bytes"));
    }
    check_nesting(formula)?;
    let storage = Storage::new();
    let events: Result<Vec<Event<'_>>, ParserError> = Parser::new(formula, &storage).collect();
    let events = events.map_err(|error| first_line(&error.to_string()))?;
    let source = escape(formula.trim()); // the library writes it as it is
    let config = RenderConfig {
        display_mode: if display { DisplayMode::Block } else { DisplayMode::Inline },
        annotation: Some(&source),
        ..RenderConfig::default()
    };
    let mut html = String::with_capacity(formula.len() * 12);
    let events = events.into_iter().map(Ok::<_, ParserError>);
    push_mathml(&mut html, events, config).map_err(|error| error.to_string())?;
    Ok(html)
}

fn check_nesting(formula: &str) -> Result<(), String> {
    let (mut depth, mut chain) = (0_usize, 0_usize);
    let mut rest = formula;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                let name = &rest[..letters];
                rest = &rest[letters..];
                chain += 1;
                match name {
                    "left" | "begin" => depth += 1,
                    "right" | "end" => depth = depth.saturating_sub(1),
                    "def" | "edef" | "gdef" | "xdef" | "let" | "futurelet" | "newcommand"
                    | "renewcommand" | "providecommand" => {
                        return Err(format!("`\\{name}` is not read here"));
                    }
                    _ => {}
                }
            }
            '{' => depth += 1,
            '}' => (depth, chain) = (depth.saturating_sub(1), 0),
            '^' | '_' => chain += 1,
            c if c.is_whitespace() => {}
            _ => chain = 0,
        }
        if depth > NESTING_MAX || chain > NESTING_MAX {
            return Err(format!("more than {NESTING_MAX} groups or commands stand in each other"));
        }
    }
    Ok(())
}

/// The message without the drawing of the place below it.
fn first_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or("it cannot be read");
    line.trim().trim_end_matches('.').to_owned()
}

/// What opens a formula under `mathjax-support`, what closes it, and whether it is a block.
pub(crate) const DELIMITERS: [(&str, &str, bool); 3] =
    [("\\(", "\\)", false), ("\\[", "\\]", true), ("$$", "$$", true)];

/// The first delimiter that opens a formula in `text`, with its place.
pub(crate) fn opening(text: &str) -> Option<(usize, (&'static str, &'static str, bool))> {
    DELIMITERS
        .into_iter()
        .filter_map(|found| text.find(found.0).map(|at| (at, found)))
        .min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas() {
        for (formula, display, expected) in [
            ("x^2", false, Ok("<msup>")),
            ("\\frac{a}{b}", true, Ok("display=\"block\"")),
            ("\\text{<script>}", false, Ok("&lt;script")),
            ("a < b & c", false, Err(())),
            ("\\frac{a", false, Err(())),
            ("\\nosuchcommand", false, Err(())),
        ] {
            let found = render(formula, display);
            match (found, expected) {
                (Ok(html), Ok(part)) => {
                    assert!(html.contains(part) && !html.contains("<script"), "{formula}: {html}");
                }
                (Err(message), Err(())) => assert!(!message.is_empty(), "{formula}"),
                (found, _) => panic!("{formula}: {found:?}"),
            }
        }
    }

    #[test]
    fn hostile_formulas_end() {
        for formula in [
            "\\sqrt".repeat(900) + "x",
            "{".repeat(900) + "x",
            "{".repeat(450) + "x" + &"}".repeat(450),
            "\\left(".repeat(450),
            "x^".repeat(900),
            "\\frac".repeat(900),
            "\\def\\a{\\a\\a}\\a".to_owned(),
            "a".repeat(FORMULA_BYTES_MAX + 1),
            "{".repeat(NESTING_MAX + 1),
            "\\sqrt".repeat(NESTING_MAX - 1) + "x",
            "{".repeat(NESTING_MAX) + "x" + &"}".repeat(NESTING_MAX),
            "\\left(".repeat(NESTING_MAX / 2) + "x" + &"\\right)".repeat(NESTING_MAX / 2),
            "\\sqrt{".repeat(NESTING_MAX) + "x" + &"}".repeat(NESTING_MAX),
            "\\begin{matrix}".repeat(400),
            "\\".to_owned(),
            "&".to_owned(),
        ] {
            let _ = render(&formula, true);
        }
    }
}
