//! Code to HTML with classes, on the server: no script colours anything in the page.
//!
//! `fences` hands in a block's language and text. Two engines stand behind one function: `scanner`
//! reads the languages that books are full of from small tables, a hundred times as fast as
//! grammars made of regular expressions; `grammar` (syntect with two-face) reads all others, and
//! what it made is worth keeping in a [`CodeCache`].
//!
//! The HTML holds one line of HTML for each line of the source: no element spans two lines, so
//! whoever wraps lines may cut at `\n`.

mod cache;
mod grammar;
mod languages;
mod output;
mod scanner;

pub use cache::CodeCache;

/// Longest text that is coloured, in bytes; a longer one is shown plain.
pub(crate) const CODE_BYTES_MAX: usize = 1 << 20;

/// Code as HTML: text escaped, tokens in `<span class="h-k">` and the like, every character kept. A
/// pure function of its arguments; a language that nobody knows leaves the text plain.
///
/// Classes: `h-k` keyword, `h-s` string, `h-c` comment, `h-n` number or constant, `h-t` type, `h-f`
/// function, `h-m` macro, attribute or directive, `h-v` variable, property or key, `h-p` prompt,
/// `h-i` inserted, `h-d` deleted, `h-h` heading.
///
/// ```
/// assert_eq!(document::highlight("rust", "let a;"), "<span class=\"h-k\">let</span> a;");
/// assert_eq!(document::highlight("no-such", "a < b"), "a &lt; b");
/// ```
pub fn highlight(language: &str, text: &str) -> String {
    match quickly(language, text) {
        Some(html) => html,
        None => grammar::highlight(&language.to_ascii_lowercase(), text)
            .unwrap_or_else(|| crate::html::escape(text)),
    }
}

/// As [`highlight`], where that costs next to nothing.
fn quickly(language: &str, text: &str) -> Option<String> {
    if text.len() > CODE_BYTES_MAX || languages::is_plain(language) {
        return Some(crate::html::escape(text));
    }
    languages::find(language).map(|found| scanner::scan(found, text))
}
