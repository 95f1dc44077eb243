//! The page of each code, as `loggia check --explain CODE` prints it.
//!
//! The pages are the files `explain/CODE.md` beside the sources; how to silence a code is the same for
//! all of them and is added here.

use crate::{Code, Severity};
use std::fmt::Write as _;

/// What a code means, an example that is wrong, the same mended, and how to silence it, in Markdown.
pub fn explain(code: Code) -> String {
    let default = match code.severity() {
        Severity::Error => "An error: the command fails because of it.",
        Severity::Warning => "A warning: the command fails because of it with `--strict` only.",
        Severity::Note => "A note: nothing fails because of it.",
    };
    let page = code.page().trim_end();
    format!("{page}\n\n## How bad it is, and how to silence it\n\n{default}\n\n{}", silence(code))
}

fn silence(code: Code) -> String {
    format!(
        "- For the next block: a line `<!-- loggia-ignore {code} -->` above it.\n\
         - For a page: `checks: {{ ignore: [{code}] }}` in its front matter.\n\
         - For the book: `ignore = [\"{code}\"]` below `[output.loggia.check]` in `book.toml`;\n  \
           `deny = [\"{code}\"]` makes it an error there, `warn = [\"{code}\"]` a warning.\n"
    )
}

/// One line for each code: the code, how bad it is, what it is about.
pub fn explain_all() -> String {
    let mut out = String::new();
    for code in Code::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(out, "{code}  {severity:<7}  {}", code.title());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_whole_page() {
        for code in Code::ALL {
            let page = explain(*code);
            assert_eq!(
                page.lines().next(),
                Some(format!("# {code}: {}", code.title()).as_str()),
                "the first line names code and title"
            );
            for part in ["\n## Wrong\n", "\n## Mended\n", "loggia-ignore", "book.toml"] {
                assert!(page.contains(part), "{code}: no {part:?}");
            }
            let fences = page.lines().filter(|line| line.starts_with("````")).count();
            assert_eq!(fences, 4, "{code}: two examples");
            let meaning = page.split("\n## Wrong").next().unwrap_or_default();
            assert!(meaning.len() > 100, "{code}: says what it means");
        }
        assert_eq!(explain_all().lines().count(), Code::ALL.len());
    }

    #[test]
    fn codes_by_name() {
        for (text, expected) in [
            ("L004", Some(Code::BrokenLink)),
            (" l013 ", Some(Code::Colour)),
            ("L4", None),
            ("", None),
            ("L0044", None),
        ] {
            assert_eq!(Code::named(text), expected, "{text}");
        }
    }
}
