//! Which lines of a text that a preprocessor made stand for which lines that the author wrote.
//!
//! `preprocess` hands in both. Lines that are equal and occur once are the fixed points; what stands
//! between two of them is taken for the line that comes next. Linear in the length of both.

use diagnostics::Part;
use std::collections::HashMap;

/// The parts of `made`, for [`diagnostics::SourceFile::remade`].
pub(crate) fn align(written: &str, made: &str) -> Vec<Part> {
    let mut starts = Vec::new();
    let mut lines = Vec::new();
    let mut at = 0;
    for line in written.split_inclusive('\n') {
        starts.push(at);
        lines.push(line);
        at += line.len();
    }
    let mut once: HashMap<&str, Option<usize>> = HashMap::new();
    for (number, line) in lines.iter().enumerate() {
        once.entry(line).and_modify(|seen| *seen = None).or_insert(Some(number));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut next = 0;
    let mut at = 0;
    for line in made.split_inclusive('\n') {
        let here = (lines.get(next) == Some(&line)).then_some(next);
        let ahead = || once.get(line).copied().flatten().filter(|number| *number >= next);
        match here.or_else(ahead) {
            Some(number) => {
                let from = starts[number]..starts[number] + line.len();
                match parts.last_mut() {
                    Some(last) if last.verbatim && last.from.end == from.start => {
                        last.from.end = from.end;
                    }
                    _ => parts.push(Part { at, from, verbatim: true }),
                }
                next = number + 1;
            }
            None => {
                let start = starts.get(next).copied().unwrap_or(written.len());
                let length = lines.get(next).map_or(0, |line| line.trim_end().len());
                let from = start..start + length;
                if parts.last().is_none_or(|last| last.verbatim || last.from != from) {
                    parts.push(Part { at, from, verbatim: false });
                }
            }
        }
        at += line.len();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use diagnostics::SourceFile;

    #[test]
    fn lines_keep_their_places() {
        let written = "# Title\n\nr[rule]\nText one.\n\nText two.\n";
        let made = "# Title\n\n<div>\nrule\n</div>\n\nText one.\n\nText two.\nmore\n";
        let file = SourceFile::new("a.md", written).remade(made, align(written, made));
        for (needle, line) in
            [("# Title", 1), ("<div>", 3), ("Text one", 4), ("Text two", 6), ("more", 7)]
        {
            let at = made.find(needle).expect("the needle is in the text");
            assert_eq!(file.position(at).0, line, "{needle}");
        }
    }
}
