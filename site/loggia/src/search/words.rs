//! Text to words, the same way as `search.js` does it. `postings` and `find` call it.
//!
//! A word is a run of letters, digits and `_`, in lower case, without accents. Identifiers also give
//! their parts (`read_to_string`, `camelCase`); scripts without spaces between words give pairs of
//! neighbouring characters.

use unicode_normalization::UnicodeNormalization;

/// Longer runs (hashes, encoded data) are nothing that anybody types.
const WORD_BYTES_MAX: usize = 64;

/// Calls `emit` with each word of `text`; parts of identifiers follow the whole.
pub(super) fn each_word(text: &str, mut emit: impl FnMut(&str)) {
    let mut buffer = String::new();
    for run in text.split(|c: char| !is_word(c)) {
        let run = run.trim_matches('_');
        if run.is_empty() {
            continue;
        }
        if run.is_ascii() {
            if run.len() <= WORD_BYTES_MAX {
                ascii(run, &mut buffer, &mut emit);
            }
            continue;
        }
        for (dense, part) in scripts(run) {
            if dense {
                pairs(part, &mut emit);
            } else if part.len() <= 2 * WORD_BYTES_MAX {
                emit(&fold(part));
            }
        }
    }
}

/// The words of a query in order, each once, without the parts of identifiers.
pub(super) fn of_query(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for run in query.split(|c: char| !is_word(c)) {
        let mut whole = true;
        each_word(run, |word| {
            // The first word of a run in ASCII is the whole; its parts would be asked for as well.
            if (whole || !run.is_ascii()) && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
            whole = false;
        });
    }
    words
}

/// Runs of word characters with their place in bytes, for marks in excerpts.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_word)?;
        let length = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
        at = start + length;
        Some((start, &text[start..at]))
    })
}

/// Lower case without accents.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(word.len());
    for c in word.to_lowercase().nfkd().filter(|c| !is_accent(*c)) {
        match c {
            'ı' => out.push('i'),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'đ' => out.push('d'),
            'ł' => out.push('l'),
            c => out.push(c),
        }
    }
    out
}

fn ascii(run: &str, buffer: &mut String, emit: &mut impl FnMut(&str)) {
    buffer.clear();
    buffer.push_str(run);
    buffer.make_ascii_lowercase();
    emit(buffer);
    let bytes = run.as_bytes();
    let hump = |at: usize| bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase();
    let mut from = 0;
    for at in 1..bytes.len() {
        if bytes[at] == b'_' || hump(at) {
            if at > from {
                emit(&buffer[from..at]);
            }
            from = if bytes[at] == b'_' { at + 1 } else { at };
        }
    }
    if from > 0 && from < bytes.len() {
        emit(&buffer[from..]);
    }
}

/// The run cut where scripts with and without spaces meet.
fn scripts(run: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let dense = is_dense(rest.chars().next()?);
        let end = rest.find(|c| is_dense(c) != dense).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some((dense, part))
    })
}

fn pairs(part: &str, emit: &mut impl FnMut(&str)) {
    let starts: Vec<usize> = part.char_indices().map(|(at, _)| at).collect();
    if starts.len() == 1 {
        return emit(part);
    }
    for at in 0..starts.len() - 1 {
        emit(&part[starts[at]..starts.get(at + 2).copied().unwrap_or(part.len())]);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_accent(c)
}

fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Thai, Lao, Burmese, Khmer, Kana, Han, Hangul: no spaces between words, or endings without one.
fn is_dense(c: char) -> bool {
    matches!(u32::from(c),
        0xe00..=0xeff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        for (text, expected) in [
            ("Orders, and order-lines!", "orders and order lines"),
            ("read_to_string", "read_to_string read to string"),
            ("PageEntry __init__", "pageentry page entry init"),
            ("don't HTTP/2", "don t http 2"),
            ("Café Straße İstanbul ısı", "cafe strasse istanbul isi"),
            ("cafe\u{301}", "cafe"),
            ("数据库 X", "数据 据库 x"),
            ("k8s在中国", "k8s 在中 中国"),
            ("", ""),
        ] {
            let mut found = Vec::new();
            each_word(text, |word| found.push(word.to_owned()));
            assert_eq!(found.join(" "), expected, "{text}");
        }
        assert_eq!(of_query("PageEntry page 数据库"), ["pageentry", "page", "数据", "据库"]);
    }
}
