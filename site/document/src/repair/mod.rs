//! Restores text that was UTF-8, was read as Windows-1252 or Windows-1254 and saved again, once or
//! more often, also where bytes were lost on the way.
//!
//! `loggia fmt --repair-encoding` hands in a file's text. `encoding` decides whether it is damaged at
//! all, `decode` makes one pass over it, `gaps` says what may have stood where a byte is missing,
//! `likelihood` which of these fits (from `known`, `arms`, and the document's own sound places).

mod arms;
mod decode;
mod gaps;
mod known;
mod likelihood;

pub use decode::Doubt;

use crate::encoding;
use gaps::CodePage;
use likelihood::Likelihood;

/// Text is read again at most so often.
const PASSES_MAX: usize = 3;

/// A restored text and what was done to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// The text as it was.
    pub text: String,
    /// As what the UTF-8 had been read.
    pub code_page: &'static str,
    /// How many times in a row it had been.
    pub passes: usize,
    /// Characters that came back.
    pub places: usize,
    /// Lines that hold such characters.
    pub lines: usize,
    /// Of the places, how many had lost bytes that were put back.
    pub filled: usize,
    /// Places that look broken and stay as they are.
    pub left: usize,
    /// Places where another character is nearly as likely.
    pub doubtful: usize,
    /// The first thousand of them.
    pub doubts: Vec<Doubt>,
}

/// Restores `text`, or `None` when it is sound: then nothing may be touched.
///
/// ```
/// let repair = document::repair_encoding("donâ€™t panic: cafÃ© au lait").expect("it is damaged");
/// assert_eq!((repair.text.as_str(), repair.places), ("don’t panic: café au lait", 2));
/// assert_eq!(document::repair_encoding("don’t panic: café au lait"), None);
/// ```
pub fn repair_encoding(text: &str) -> Option<Repair> {
    let damage = encoding::detect(text)?;
    let mut repair = Repair {
        text: text.to_owned(),
        code_page: damage.code_page,
        passes: 0,
        places: 0,
        lines: 0,
        filled: 0,
        left: 0,
        doubtful: 0,
        doubts: Vec::new(),
    };
    while repair.passes < PASSES_MAX && encoding::detect(&repair.text).is_some() {
        let page = code_page(&repair.text);
        let certain = decode::certain(&repair.text, page);
        let inner = encoding::detect(&certain).is_some() || is_bytes(&certain);
        let pass = decode::decode(&repair.text, page, &Likelihood::new(&certain, inner));
        if pass.text == repair.text {
            break;
        }
        repair.passes += 1;
        // What the last pass says is about the text that comes out.
        repair.places = pass.places;
        repair.lines = pass.lines;
        repair.filled += pass.filled;
        repair.left = pass.left;
        repair.doubtful = pass.doubtful;
        repair.doubts = pass.doubts;
        repair.text = pass.text;
    }
    (repair.passes > 0).then_some(repair)
}

/// Letters that only one of both pages has tell which it was; without any, either may have been.
fn code_page(text: &str) -> CodePage {
    CodePage { turkish: !text.contains(['Ž', 'ž', 'Ð', 'ð', 'Ý', 'ý', 'Þ', 'þ']) }
}

/// Whether nearly everything that came back is a byte of a code page itself, and much of it the first
/// one of a sequence: then the text had been damaged before, and lost too much for `encoding` to see it.
fn is_bytes(certain: &str) -> bool {
    let (mut all, mut bytes, mut first) = (0, 0, 0);
    for c in certain.chars().filter(|c| !c.is_ascii()) {
        all += 1;
        bytes += usize::from(encoding::byte_of(c).is_some());
        first += usize::from("ÃÂâÐÑÎÏÅğð".contains(c));
    }
    all >= BYTES_MIN && bytes * 100 >= all * 95 && first * 100 >= all * 30
}

/// Fewer characters tell nothing about how often a text was damaged.
const BYTES_MIN: usize = 8;
