//! Cuts damaged text into what is certain and what lost a byte, with every character that may have
//! stood at such a gap.
//!
//! UTF-8 tells by each byte whether a character begins, so a sequence that is whole cannot be anything
//! else; only short ones are open. `decode` chooses.

use super::likelihood::Likelihood;
use crate::encoding::byte_of;
use std::rc::Rc;

/// Bytes that one character may have lost.
const LOST_MAX: usize = 2;
/// Characters that are weighed at one gap.
const OPTIONS_MAX: usize = 24;

/// Bytes without a character in Windows-1252, and two more that Windows-1254 lacks.
const UNDEFINED: [u8; 7] = [0x81, 0x8d, 0x8f, 0x90, 0x9d, 0x8e, 0x9e];
/// No-break space and soft hyphen: what cleans white space or invisible characters takes them away.
const FADED: [u8; 2] = [0xa0, 0xad];

/// Which bytes may be lost.
#[derive(Clone, Copy)]
pub(super) struct CodePage {
    /// Windows-1254 may have been at work.
    pub(super) turkish: bool,
}

impl CodePage {
    fn losable(self) -> impl Iterator<Item = u8> {
        let undefined = if self.turkish { 7 } else { 5 };
        UNDEFINED.into_iter().take(undefined).chain(FADED)
    }
}

/// One step of the text.
pub(super) enum Token {
    /// A character that stays as it is.
    Kept(char),
    /// A character that came back without a doubt.
    Restored(char),
    /// One of these; each with how many characters of the source it takes.
    Open(Rc<Vec<Choice>>),
}

/// What may have stood at a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    /// The character.
    pub(super) sound: char,
    /// Characters of the source that it takes.
    pub(super) takes: usize,
    /// The leading byte was a character of its own after all.
    pub(super) kept: bool,
    /// A byte went that the code page does have: something else took it away.
    pub(super) faded: bool,
}

/// The token at the front of `text`, and how many characters it takes at least.
pub(super) fn next(text: &[char], page: CodePage, likely: Option<&Likelihood>) -> (Token, usize) {
    let first = text[0];
    let Some(lead) = byte_of(first) else { return (Token::Kept(first), 1) };
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (Token::Kept(first), 1),
    };
    let mut bytes = [lead, 0, 0, 0];
    let present = text[1..]
        .iter()
        .take(length - 1)
        .map_while(|c| byte_of(*c).filter(|byte| (0x80..0xc0).contains(byte)));
    let mut count = 1;
    for byte in present {
        bytes[count] = byte;
        count += 1;
    }
    if count == length {
        return match sound(&bytes[..length]) {
            Some(c) => (Token::Restored(c), length),
            None => (Token::Kept(first), 1),
        };
    }
    let Some(likely) = likely else { return (Token::Kept(first), count) };
    let mut choices = Vec::new();
    fill(&text[1..], &mut vec![lead], length, 0, page, &mut choices);
    choices.sort_by(|a, b| likely.prior(b.sound).total_cmp(&likely.prior(a.sound)));
    choices.dedup();
    choices.truncate(OPTIONS_MAX);
    choices.push(Choice { sound: first, takes: 1, kept: true, faded: false });
    (Token::Open(Rc::new(choices)), 1)
}

/// Every way to complete `bytes` from the front of `rest`.
fn fill(
    rest: &[char],
    bytes: &mut Vec<u8>,
    length: usize,
    lost: usize,
    page: CodePage,
    choices: &mut Vec<Choice>,
) {
    let here = rest.first().copied();
    let known = here.and_then(byte_of).filter(|byte| (0x80..0xc0).contains(byte));
    if bytes.len() == length {
        if known.is_none()
            && let Some(sound) = sound(bytes)
        {
            choices.push(Choice { sound, takes: 0, kept: false, faded: false });
        }
        return;
    }
    let mut put = |byte: u8, taken: usize, lost: usize| {
        let from = choices.len();
        bytes.push(byte);
        fill(&rest[taken..], bytes, length, lost, page, choices);
        bytes.pop();
        // In two bytes it is a letter, and `à` is by far the most frequent of them.
        let faded = taken == 0 && length > 2 && FADED.contains(&byte);
        for choice in &mut choices[from..] {
            choice.takes += taken;
            choice.faded |= faded;
        }
        if bytes.len() == 1 {
            choices[from..].iter_mut().for_each(|choice| choice.takes += 1);
        }
    };
    if let Some(byte) = known {
        put(byte, 1, lost);
    }
    if lost == LOST_MAX {
        return;
    }
    match here {
        Some('\u{fffd}' | '?') => page.losable().for_each(|byte| put(byte, 1, lost + 1)),
        Some(' ') => put(0xa0, 1, lost + 1),
        _ => {}
    }
    page.losable().for_each(|byte| put(byte, 0, lost + 1));
}

fn sound(bytes: &[u8]) -> Option<char> {
    let c = std::str::from_utf8(bytes).ok()?.chars().next()?;
    // Private characters are hardly ever text. Controls of the upper half may be lost bytes
    // of text that was damaged twice.
    (!matches!(u32::from(c), 0xe000..=0xf8ff | 0xf0000..)).then_some(c)
}
