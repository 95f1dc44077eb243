//! Notices text that was UTF-8, was read as Windows-1252 or Windows-1254, and was saved again.
//!
//! `page` asks once per file. The pattern is that of UTF-8's own bytes, seen through the code page;
//! sound prose hardly ever makes it, and where it does by chance most of its letters do not take part.

use crate::findings::Findings;
use diagnostics::Code;
use std::ops::Range;

/// At least this share (in percent) of all characters beyond ASCII must be part of the pattern.
const SHARE_MIN: usize = 60;

/// Characters of Windows-1252 for the bytes 80 to 9F; NUL where the code page has none.
const HIGH: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];
/// Where Windows-1254 differs.
const TURKISH: [(char, u8); 6] =
    [('Ğ', 0xd0), ('İ', 0xdd), ('Ş', 0xde), ('ğ', 0xf0), ('ı', 0xfd), ('ş', 0xfe)];

/// What was found in a whole text.
#[derive(Debug, PartialEq)]
pub(crate) struct Damage {
    /// Name of the code page.
    pub(crate) code_page: &'static str,
    /// Characters of the original that are broken now.
    pub(crate) places: usize,
    /// Of these, how many lost a byte and cannot simply be read again.
    pub(crate) lossy: usize,
    /// The first place.
    pub(crate) first: Range<usize>,
    /// A broken character as it stands, and what it was.
    pub(crate) example: (String, char),
}

/// Reports damage once, at its first place.
pub(crate) fn check(findings: &mut Findings<'_>) {
    let text = findings.file().text();
    if text.is_ascii() {
        return;
    }
    let Some(damage) = detect(text) else { return };
    let (broken, sound) = &damage.example;
    let lost = match damage.lossy {
        0 => String::new(),
        some => format!("; {} places lost a byte, the likeliest is put there", grouped(some)),
    };
    let message = format!(
        "UTF-8 text was decoded as {} and saved again: {} places, such as `{broken}` for `{sound}`",
        damage.code_page,
        grouped(damage.places),
    );
    let help = format!(
        "restore the original from version control, or run `loggia fmt --repair-encoding {}`{lost}",
        findings.file().path(),
    );
    findings.report(Code::Encoding, damage.first, message, help);
}

/// Looks for the pattern in the whole text.
pub(crate) fn detect(text: &str) -> Option<Damage> {
    let units: Vec<Unit> = outside_code(text)
        .flat_map(|part| text[part.clone()].char_indices().map(move |(at, c)| (part.start + at, c)))
        .filter(|(_, c)| !c.is_ascii())
        .map(|(at, c)| Unit {
            at,
            end: at + c.len_utf8(),
            byte: byte_of(c),
            turkish: is_turkish(c),
        })
        .collect();
    let mut tally = Tally::default();
    let mut at = 0;
    while at < units.len() {
        at += tally.step(&units[at..], text);
    }
    let (example, enough) = (tally.example.clone()?, tally.strong > 0 || tally.weak > 1);
    (enough && tally.covered * 100 >= units.len() * SHARE_MIN).then(|| Damage {
        code_page: if tally.turkish { "Windows-1254 (Turkish)" } else { "Windows-1252 (Western)" },
        places: tally.places,
        lossy: tally.lossy,
        first: tally.first.clone().unwrap_or_default(),
        example,
    })
}

/// The text without what stands between backticks of one line: there authors quote broken text.
fn outside_code(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        start += line.len();
        start - line.len()..start
    });
    lines.flat_map(move |line| {
        let mut parts = Vec::new();
        let mut at = line.start;
        while let Some(open) = text[at..line.end].find('`').map(|found| at + found) {
            let marks = text[open..line.end].bytes().take_while(|b| *b == b'`').count();
            let inside = open + marks;
            let close = closing(&text[inside..line.end], marks).map(|found| inside + found);
            parts.push(at..open);
            at = close.map_or(inside, |close| close + marks);
        }
        parts.push(at..line.end);
        parts
    })
}

/// Where a run of exactly so many backticks begins.
fn closing(text: &str, marks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let run = text[at + found..].bytes().take_while(|b| *b == b'`').count();
        if run == marks {
            return Some(at + found);
        }
        at += found + run;
    }
    None
}

/// One character beyond ASCII and the byte it would be in the code page.
struct Unit {
    at: usize,
    end: usize,
    byte: Option<u8>,
    turkish: bool,
}

#[derive(Default)]
struct Tally {
    places: usize,
    lossy: usize,
    covered: usize,
    /// Whole characters of three or four bytes: hardly ever chance.
    strong: usize,
    /// Whole characters of two bytes.
    weak: usize,
    turkish: bool,
    first: Option<Range<usize>>,
    example: Option<(String, char)>,
}

impl Tally {
    /// Reads one broken character at the front and says how many units it took.
    fn step(&mut self, units: &[Unit], text: &str) -> usize {
        let Some(lead) = units[0].byte else { return 1 };
        let length = match lead {
            0xc2..=0xdf => 2,
            0xe2..=0xef => 3,
            0xf0 => 4,
            _ => return 1,
        };
        let mut bytes = vec![lead];
        for pair in units.windows(2).take(length - 1) {
            match pair[1].byte {
                Some(byte @ 0x80..=0xbf) if pair[0].end == pair[1].at => bytes.push(byte),
                _ => break,
            }
        }
        if !is_plausible(&bytes) {
            return 1;
        }
        let span = units[0].at..units[bytes.len() - 1].end;
        let whole = bytes.len() == length;
        match std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()) {
            Some(sound) if whole => {
                if length == 2 {
                    self.weak += 1
                } else {
                    self.strong += 1
                }
                self.example.get_or_insert_with(|| (text[span.clone()].to_owned(), sound));
            }
            _ if length == 2 => return 1,
            _ => self.lossy += 1,
        }
        self.places += 1;
        self.covered += bytes.len();
        self.turkish |= units[..bytes.len()].iter().any(|unit| unit.turkish);
        self.first.get_or_insert(span);
        bytes.len()
    }
}

/// Whether these bytes, whole or cut short, begin something that people write: Latin letters,
/// punctuation, symbols, boxes, arrows, Greek, Cyrillic, East Asian text, emoji.
fn is_plausible(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xc2..=0xc5 | 0xce..=0xd1, 0x80..=0xbf]
            | [0xe2, 0x80..=0xad, ..]
            | [0xe3..=0xe9, _, _]
            | [0xef, 0xb8 | 0xbc | 0xbd, ..]
            | [0xf0, 0x9f, ..]
    )
}

/// The byte that is `c` in Windows-1252 or Windows-1254.
pub(crate) fn byte_of(c: char) -> Option<u8> {
    if let Some((_, byte)) = TURKISH.iter().find(|(turkish, _)| *turkish == c) {
        return Some(*byte);
    }
    match u32::from(c) {
        code @ 0x80..=0xff => u8::try_from(code).ok(),
        _ => HIGH.iter().position(|high| *high == c).and_then(|at| u8::try_from(0x80 + at).ok()),
    }
}

fn is_turkish(c: char) -> bool {
    TURKISH.iter().any(|(turkish, _)| *turkish == c)
}

/// `1234` as `1,234`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_text_is_left_alone() {
        for text in [
            "┌──┐\n│ é │ ▼ → • 🏗️\n└──┘",
            "Le café « théâtre » à l’hôtel — où l’on a dîné, “là”… ça coûte 5 €.",
            "İstanbul’da ğüşıöç; TÜBİTAK’ın ve BEYOĞLU’nun “DAĞ”ı, KOÇ’un MUŞ’ta işi",
            "«AMANHû não é “NÃO”, é «MANHû — São João, ações, corações, avô e avó",
            "„Straße“ – „Grüße“, „ß“",
            "Here `â”Œ` stands for `┌` and `â€™` for `’`, ç, é, ü, ö.",
            "50 €, 20 °C, § 5, ½ — all sound",
            "Привет, мир",
            "日本語のテキスト",
            "plain",
            "“CAFÉ”",
            "Mojibake: `â€œ` and ``â€` ™`` and `Ã©`, `ğŸ—ï¸`; nothing else.",
        ] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    #[test]
    fn damage_is_found_and_named() {
        for (text, code_page, places, example) in [
            ("donâ€™t", "Windows-1252 (Western)", 1, ("â€™", '’')),
            ("cafÃ© Ã\u{a0} la crÃ¨me", "Windows-1252 (Western)", 3, ("Ã©", 'é')),
            ("â”Œâ”€â”\n", "Windows-1252 (Western)", 3, ("â”Œ", '┌')),
            ("## ğŸ—ï¸ High â”Œ", "Windows-1254 (Turkish)", 3, ("â”Œ", '┌')),
            ("ÄŸÃ¼ÅŸ", "Windows-1252 (Western)", 3, ("ÄŸ", 'ğ')),
        ] {
            let damage = detect(text).unwrap_or_else(|| panic!("nothing found in {text}"));
            assert_eq!(damage.code_page, code_page, "{text}");
            assert_eq!(damage.places, places, "{text}: {damage:?}");
            assert_eq!(damage.example, (example.0.to_owned(), example.1), "{text}");
        }
    }
}
